"""What is no history is refused, and every rule says how sure it is."""

import unittest

import check
from history import Broken, History
from story import Story


class Input(unittest.TestCase):
    def test_a_history_with_a_gap_is_refused(self):
        lines = Story().lines()
        del lines[1]
        with self.assertRaisesRegex(Broken, "records are missing"):
            History(lines)

    def test_a_line_that_was_cut_is_refused(self):
        lines = Story().lines()
        lines[-1] = lines[-1][:-5]
        with self.assertRaisesRegex(Broken, "line 3 is no record"):
            History(lines)

    def test_every_rule_has_a_sentence_and_says_how_sure_it_is(self):
        for name, rule in check.RULES.items():
            self.assertTrue(check.sentence(rule).endswith("."), name)
            self.assertRegex(rule.__doc__, "[Ee]xact|[Hh]euristic|excuse", name)
