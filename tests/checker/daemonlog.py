"""Reads the log of a daemon, JSON lines on standard error: how each message ended, and the sums at the end."""

import datetime
import json
import pathlib
import re

TALLY = re.compile(r"stopped after .*: received (nothing|(\d+) ([=≠]) (.*))$")


class Outcome:
    """The one line with which a message ended."""

    def __init__(self, line, text, client):
        self.text, self.client, self.line = text, client, line
        self.name = line["notifier.outcome"]
        self.message = line.get("messaging.message.id")
        self.notification = line.get("notifier.notification.id")
        self.mail = line.get("notifier.email.id")
        count, _, most = line.get("notifier.receive", "").partition(" of ")
        self.count = int(count) if count.isdigit() else None
        self.most = int(most) if most.isdigit() else None
        stamp = line["timestamp"].replace("Z", "+00:00")
        self.ms = datetime.datetime.fromisoformat(stamp).timestamp() * 1000

    @property
    def may_have_gone(self):
        """Whether the line says that a mail may have gone out."""
        message = self.line.get("message", "")
        return "may have been sent" in message or "before it was known whether its mail was sent" in message


class Log:
    """What one process said."""

    def __init__(self, client, path):
        self.client, self.path = client, path
        self.outcomes, self.tally, self.tally_text = [], None, None
        self.levels = set()
        self.dropped = False
        with open(path, encoding="utf-8", errors="replace") as lines:
            for text in lines:
                self._take(text.rstrip("\n"))

    def _take(self, text):
        try:
            line = json.loads(text)
        except ValueError:
            return
        if not isinstance(line, dict):
            return
        self.levels.add(line.get("level"))
        # Nobody read its standard error for a while.
        self.dropped |= "lines of the log were dropped" in str(line.get("message", ""))
        if "notifier.outcome" in line:
            self.outcomes.append(Outcome(line, text, self.client))
        found = TALLY.search(str(line.get("message", "")))
        if found:
            self.tally_text = text
            self.tally = (0, "=", {})
            if found[2]:
                parts = (part.split(" ") for part in found[4].split(" + "))
                counts = {part[1]: int(part[0]) for part in parts if len(part) == 2}
                self.tally = (int(found[2]), found[3], counts)


def read(argument):
    """`CLIENT=PATH`, or a path whose stem is the client's name."""
    name, split, path = argument.partition("=")
    if not split:
        name, path = pathlib.Path(argument).stem, argument
    return Log(name, path)
