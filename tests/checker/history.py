"""Reads a history of the local AWS into calls, messages with their receives, mails, clients and marks.

It knows the records' form (tests/sandbox/src/history.rs) and SQS's and SNS's, and nothing of the daemon but the
tags of its mails: `notification-id`, and where they are there `event` and `queue`.
"""

import hashlib
import json
import re
from bisect import bisect_left
from collections import defaultdict

SEND = "ses:SendEmail"
DELETES = ("sqs:DeleteMessage", "sqs:DeleteMessageBatch")
# A process that stood still has caught up this long after it went on.
WAKE_US = 1_000_000
CHANGES = ("sqs:ChangeMessageVisibility", "sqs:ChangeMessageVisibilityBatch")


class Broken(Exception):
    """The history cannot be read as one."""


class Call:
    """A request, and what is known of its answer."""

    def __init__(self, record):
        self.record = record
        self.seq, self.us, self.ms = record["seq"], record["us"], record["ms"]
        self.op = record["op"]
        self.client = record.get("client")
        self.request = record.get("request") or {}
        self.struck = []
        self.struck_entries = {}
        self.answer = self.written = self.read = self.unanswered = self.mail = None

    @property
    def ok(self):
        """Whether its answer, read or not, says that it was done."""
        return self.answer is not None and self.answer["status"] == 200

    @property
    def end(self):
        """The record that ends it, where there is one."""
        return self.unanswered or self.written or self.answer

    def heard(self):
        """Whether its caller surely has the answer: its connection bore another call after that.

        A caller who gave up before closes the connection. Where nothing followed, nobody knows.
        """
        return self.read is not None

    def troubled(self):
        """Whether anything was wrong with it: refused, struck, or its answer perhaps unread."""
        return bool(self.struck or self.struck_entries) or not self.ok or not self.heard()

    def failed(self):
        """Whether its service failed it, for all that the history knows: struck, late, or without a good answer.

        A condition that is not met is an answer like any other.
        """
        if self.struck or self.unanswered or self.answer is None:
            return True
        return not self.ok and self.answer.get("code") != "ConditionalCheckFailedException"

    def entries(self):
        """The handles that it is about, each with its visibility (None for deletes) and whether it was done."""
        if self.op in ("sqs:DeleteMessage", "sqs:ChangeMessageVisibility"):
            yield self.request.get("ReceiptHandle"), self.request.get("VisibilityTimeout"), self.ok
            return
        body = (self.answer or {}).get("body") or {}
        done = {entry["Id"] for entry in body.get("Successful", [])}
        for entry in self.request.get("Entries", []):
            yield entry.get("ReceiptHandle"), entry.get("VisibilityTimeout"), entry.get("Id") in done

    def refusal(self, handle):
        """The code with which it refused this handle, where it did."""
        if self.answer is not None and not self.ok:
            return self.answer.get("code")
        body = (self.answer or {}).get("body") or {}
        ids = [e.get("Id") for e in self.request.get("Entries", []) if e.get("ReceiptHandle") == handle]
        return next((f.get("Code") for f in body.get("Failed", []) if f.get("Id") in ids), None)


class Receive:
    """One receive of one copy: a lease, its changes and its end."""

    def __init__(self, record, copy, call):
        self.record, self.copy, self.call = record, copy, call
        self.seq, self.us, self.ms = record["seq"], record["us"], record["ms"]
        self.handle, self.count = record["handle"], record["count"]
        self.changes = [(self.seq, record["until"])]
        self.ended = None  # the next receive of the copy, or its deletion, death or expiry
        self.deleted = None

    @property
    def client(self):
        return self.call.client if self.call else None

    @property
    def end_seq(self):
        return self.ended["seq"] if self.ended else float("inf")

    def until(self, seq):
        """When the lease ends, as it stands just before this record."""
        return self.changes[max(bisect_left(self.changes, (seq, -1)) - 1, 0)][1]

    def live(self, seq, ms):
        """Whether it holds the copy just before this record, at this time."""
        return self.seq < seq <= self.end_seq and self.until(seq) > ms


class Copy:
    """A message in a queue; SQS may have several of one message."""

    def __init__(self, record):
        self.record = record
        self.queue, self.key, self.message = record["queue"], record["key"], record["message"]
        self.receives = []
        self.deleted = self.dead = None
        self.kind, self.notification, self.event = read_body(record["body"], self.message)
        # Whether its publisher says that nothing is wrong with it.
        self.good = False


class Mail:
    """A mail that SES accepted."""

    def __init__(self, record, call):
        self.record, self.call = record, call
        self.id, self.seq, self.us, self.ms = record["mail"], record["seq"], record["us"], record["ms"]
        self.tags = record["tags"]

    @property
    def client(self):
        return self.call.client if self.call else None


class Notice:
    """What must be mailed once: a notification with its event, on one queue."""

    def __init__(self, queue, notification, event):
        self.queue, self.notification, self.event = queue, notification, event
        self.copies, self.mails, self.sends = [], [], []

    def __str__(self):
        return f"{self.queue}:{self.notification}"

    def fits(self, tags):
        return tags.get("event") in (None, self.event) and tags.get("queue") in (None, self.queue)

    def receives(self):
        return sorted((r for copy in self.copies for r in copy.receives), key=lambda r: r.seq)


class Client:
    """One process, told apart by its access key."""

    def __init__(self, name):
        self.name = name
        self.calls, self.marks = [], []

    def first_mark(self, *names):
        return next((mark for mark in self.marks if mark["mark"] in names), None)

    def told(self, field):
        """What is said of its configuration where it was started, if anything is."""
        return (self.first_mark("started") or {}).get(field)

    @property
    def signal(self):
        return self.first_mark("signal")

    @property
    def gone(self):
        return self.first_mark("killed", "exited")

    def paused(self, from_us, until_us=None):
        """Whether it stood still by a signal, at any time in this span or a second before it."""
        since = None
        for mark in self.marks:
            if mark["mark"] == "paused":
                since = mark["us"]
            if mark["mark"] in ("continued", "killed", "exited") and since is not None:
                if mark["us"] + WAKE_US >= from_us and (until_us is None or since <= until_us):
                    return True
                since = None
        return since is not None and (until_us is None or since <= until_us)

    def stopping_by(self, seq):
        """Whether it was asked to stop, or was gone, before this record."""
        first = self.first_mark("signal", "killed", "exited")
        return first is not None and first["seq"] < seq

    def gone_by(self, seq):
        return self.gone is not None and self.gone["seq"] < seq


def digest(text, length):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def read_body(body, message):
    """What a body is (`event`, `control`), whose notification, and the digest of its event."""
    try:
        read = json.loads(body)
    except ValueError:
        read = None
    notification, event = message, body
    if isinstance(read, dict):
        kind = read.get("Type")
        if kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
            return "control", read.get("MessageId") or message, None
        fields = [read.get(name) for name in ("MessageId", "TopicArn", "Message")]
        if kind == "Notification" and all(isinstance(field, str) for field in fields):
            notification, _, event = fields
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", notification):
        notification = digest(notification, 32)
    return "event", notification, digest(event, 16)


def tags_of(call):
    """The tags that a send asks for."""
    given = call.request.get("EmailTags") or []
    return {tag.get("Name"): tag.get("Value") for tag in given if isinstance(tag, dict)}


class History:
    """Everything in a history, joined."""

    def __init__(self, lines, queues=()):
        self.records, self.gaps = [], []
        self.calls, self.receives, self.mails, self.clients = {}, {}, {}, {}
        self.copies, self.redrive, self.items, self.feedback = {}, {}, [], defaultdict(list)
        self.attributes, self.witnesses, self.unjoined, self.connections = {}, [], [], {}
        self.good = set()
        for number, line in enumerate(lines, 1):
            if line.strip():
                self._take(line, number)
        wanted = set(queues) or {name for name, attributes in self.attributes.items() if "RedrivePolicy" in attributes}
        self.queues = wanted
        self.notices = {}
        self._join()
        self.last = self.records[-1] if self.records else {"seq": -1, "us": 0, "ms": 0}

    def client(self, name):
        if name not in self.clients:
            self.clients[name] = Client(name)
        return self.clients[name]

    def _take(self, line, number):
        try:
            record = json.loads(line)
            kind, seq = record["kind"], record["seq"]
        except (ValueError, KeyError, TypeError) as wrong:
            raise Broken(f"line {number} is no record: {wrong}") from wrong
        if seq != len(self.records):
            raise Broken(f"line {number} has the number {seq}, and {len(self.records)} was due: records are missing")
        self.records.append(record)
        call = self.calls.get(record.get("call"))
        taker = getattr(self, f"_take_{kind}", None)
        if taker:
            taker(record, call)

    def _take_call(self, record, _):
        call = self.calls[record["seq"]] = Call(record)
        self.client(call.client).calls.append(call)
        before = self.connections.get(record["connection"])
        if before and before.written:
            before.read = record
        self.connections[record["connection"]] = call

    def _take_struck(self, record, call):
        call.struck.append(record)

    def _take_struck_entry(self, record, call):
        call.struck_entries[record["entry"]] = record["code"]

    def _take_answer(self, record, call):
        if call:
            call.answer = record

    def _take_written(self, record, call):
        call.written = record

    def _take_unanswered(self, record, call):
        call.unanswered = record

    def _take_queue(self, record, _):
        self.attributes[record["queue"]] = record["attributes"]
        policy = record["attributes"].get("RedrivePolicy")
        if policy:
            self.redrive[record["queue"]] = int(json.loads(policy)["maxReceiveCount"])

    def _take_arrived(self, record, _):
        self.copies[record["queue"], record["key"]] = Copy(record)

    def _take_received(self, record, call):
        copy = self.copies[record["queue"], record["key"]]
        self._close(copy, record)
        receive = Receive(record, copy, call)
        copy.receives.append(receive)
        self.receives[receive.handle] = receive

    def _take_visibility(self, record, _):
        self.receives[record["handle"]].changes.append((record["seq"], record["until"]))

    def _take_deleted(self, record, _):
        if record["gone"]:
            copy = self.copies[record["queue"], record["key"]]
            copy.deleted = record
            self._close(copy, record)
            self.receives[record["handle"]].deleted = record

    def _take_dead(self, record, _):
        copy = self.copies[record["queue"], record["key"]]
        copy.dead = record
        self._close(copy, record)

    def _take_expired(self, record, _):
        self._close(self.copies[record["queue"], record["key"]], record)

    def _take_mail(self, record, call):
        mail = Mail(record, call)
        self.mails[mail.id] = mail
        if call:
            call.mail = mail

    def _take_item(self, record, call):
        self.items.append((record, call))

    def _take_mark(self, record, _):
        if record.get("client"):
            self.client(record["client"]).marks.append(record)
        elif record["mark"] == "good":
            self.good.add(record["word"])

    @staticmethod
    def _close(copy, record):
        if copy.receives and copy.receives[-1].ended is None:
            copy.receives[-1].ended = record

    def _join(self):
        by_notification = defaultdict(list)
        for copy in self.copies.values():
            if copy.queue not in self.queues:
                self._read_event(copy)
            elif copy.kind == "event":
                key = copy.queue, copy.notification, copy.event
                if key not in self.notices:
                    self.notices[key] = Notice(*key)
                    by_notification[copy.notification].append(self.notices[key])
                self.notices[key].copies.append(copy)
                copy.good = not self.good.isdisjoint(re.findall(r"[\w-]+", copy.record["body"]))
        for call in self.calls.values():
            if call.op != SEND:
                continue
            tags = tags_of(call)
            fitting = [n for n in by_notification.get(tags.get("notification-id"), ()) if n.fits(tags)]
            call.notice = fitting[0] if fitting else None
            if "witness" in tags or "check" in tags or (call.mail and call.mail.record["simulated"]):
                self.witnesses.append(call)
            elif fitting:
                fitting[0].sends.append(call)
                if call.mail:
                    fitting[0].mails.append(call.mail)
            else:
                self.unjoined.append(call)

    def _read_event(self, copy):
        """Takes an event of SES's from another queue, raw, in SNS's envelope or in the event bus's."""
        try:
            read = json.loads(copy.record["body"])
            if isinstance(read.get("Message"), str):
                read = json.loads(read["Message"])
            read = read.get("detail", read)
            self.feedback[read["mail"]["messageId"]].append(copy)
        except (ValueError, KeyError, TypeError, AttributeError):
            return
