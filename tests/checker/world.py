"""What the rules look at, and what they give back."""

from collections import defaultdict


class Finding:
    """A breach of a rule: what is wrong, in a sentence, and the records that show it."""

    def __init__(self, text, *evidence):
        self.text = text
        self.evidence = [record for record in evidence if record is not None]


class World:
    """The history, the logs by client, and what the caller says of the set-up."""

    def __init__(self, history, logs=(), mode="memory", slack=1.0, concurrency=None, rate=None):
        self.history, self.mode = history, mode
        self.logs = {log.client: log for log in logs}
        self.slack_us = int(slack * 1e6)
        self.concurrency, self.rate = concurrency, rate
        self.events = mode in ("feedback", "both")
        self.table = mode in ("table", "both")
        self._settling = None
        self._outcomes = None

    @property
    def notices(self):
        return self.history.notices.values()

    def settling(self, handle):
        """The calls that delete this handle or change its visibility, as (call, seconds or None, done)."""
        if self._settling is None:
            self._settling = defaultdict(list)
            for call in self.history.calls.values():
                if call.op.startswith("sqs:Delete") or call.op.startswith("sqs:ChangeMessageVisibility"):
                    for one, seconds, done in call.entries():
                        self._settling[one].append((call, seconds, done))
        return self._settling[handle]

    def deletes(self, handle):
        return [(call, done) for call, seconds, done in self.settling(handle) if seconds is None]

    def twin(self, receive):
        """Another copy under the same SQS message id that the same client held at the same time."""
        for other in self.history.receives.values():
            if other.copy is receive.copy or other.client != receive.client:
                continue
            if other.copy.message != receive.copy.message:
                continue
            if receive.live(other.seq, other.ms) or other.live(receive.seq, receive.ms):
                return other.record
        return None

    def outcome(self, receive):
        """The line that tells how a receive ended, where its client's log is here."""
        if self._outcomes is None:
            self._outcomes = {}
            for log in self.logs.values():
                for outcome in log.outcomes:
                    self._outcomes[log.client, outcome.message, outcome.count] = outcome
        return self._outcomes.get((receive.client, receive.copy.message, receive.count))

    def settle_trouble(self, receive):
        """A delete or a renewal of this receive with which something was wrong."""
        for call, _, done in self.settling(receive.handle):
            if not done or call.troubled():
                return call.record
        return None

    def trouble(self, client, op, after_us, before_us):
        """A call of this client on a service (`dynamodb:`) that failed in this time, or may have.

        One that was given little to live on fails before anybody else sees its calls.
        """
        started = self.history.client(client).first_mark("started")
        if started and started.get("limited"):
            return started
        for call in self.history.client(client).calls:
            if call.op.startswith(op) and after_us <= call.us <= before_us and call.failed():
                return call.record
        return None

    def event_heard(self, mail, before_us, client=None):
        """A receive of an event of this mail that somebody surely has before then."""
        for copy in self.history.feedback.get(mail.id, ()):
            for receive in copy.receives:
                call = receive.call
                if call and call.heard() and call.written["us"] <= before_us:
                    if client in (None, call.client):
                        return receive.record
        return None
