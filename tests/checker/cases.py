"""What the checker's tests have in common: a story with one message, and the rules that it breaks."""

import tempfile
import unittest

import check
import daemonlog
from history import History
from story import Story
from world import World


def broken(story, log=(), mode="memory", **options):
    """The names of the rules that a story breaks; `log` is what the client `a` said."""
    logs = []
    if log:
        with tempfile.NamedTemporaryFile("w", suffix=".log") as file:
            file.write("\n".join(log))
            file.flush()
            logs = [daemonlog.Log("a", file.name)]
    world = World(History(story.lines()), logs, mode, **options)
    return {name for name, rule in check.RULES.items() if list(rule(world))}


def tally(text, relation="="):
    return f'{{"level":"INFO","message":"stopped after 1.0 s: received {text.replace("=", relation)}"}}'


class Case(unittest.TestCase):
    """Begins with one message in the queue."""

    def setUp(self):
        self.story = Story()
        self.story.arrive()

    def assert_breaks(self, *rules, **options):
        self.assertEqual(broken(self.story, **options), set(rules))
