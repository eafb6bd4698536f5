"""Writes histories by hand, for the checker's tests: each step is a call as the local AWS records it."""

import datetime
import json

from history import digest

START_MS = 1_800_000_000_000


class Story:
    """A history that grows; the time is in seconds since its begin."""

    def __init__(self, most=2):
        self.records, self.time, self.serial = [], 0.0, 0
        self.connections = {}
        # Whether calls go over a second connection, beside one that is under way.
        self.aside = False
        self.bodies = {}
        policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": most})
        self.note("queue", queue="dead", attributes={})
        self.note("queue", queue="events", attributes={})
        self.note("queue", queue="q", attributes={"RedrivePolicy": policy})

    def at(self, seconds):
        self.time = max(self.time, seconds)
        return self

    @property
    def ms(self):
        return START_MS + int(self.time * 1000)

    def note(self, kind, call=None, **fields):
        self.time += 0.0001
        record = {"kind": kind, "seq": len(self.records), "us": int(self.time * 1e6), "ms": self.ms, **fields}
        if call is not None:
            record["call"] = call
        self.records.append(record)
        return record["seq"]

    def arrive(self, key=1, queue="q", body=None, message=None, how="sent"):
        body = body or json.dumps({"uid": f"event-{key}"})
        self.bodies[key] = body
        message = message or f"m{key}"
        self.note("arrived", queue=queue, key=key, message=message, how=how, visible_at=self.ms, sent_at=self.ms, body=body)

    def call(self, client, op, request):
        connection = self.connections.setdefault(client, len(self.connections) * 1000 + 1)
        connection += 500 * self.aside
        return self.note("call", op=op, client=client, connection=connection, agent="test", request=request)

    def end(self, call, heard=True, status=200, code=None, body=None):
        """Answers a call: heard, `unread` on a connection that bears no other call, or `reset` or `hung up`."""
        if heard in (True, "unread"):
            self.note("answer", call, status=status, code=code, body=body)
            self.note("written", call)
            if heard == "unread":
                self.connections[self.records[call]["client"]] += 1
        elif heard:
            self.note("unanswered", call, how=heard)

    def receive(self, client="a", key=1, lasts=30, count=1, queue="q", message=None, heard=True):
        request = {"VisibilityTimeout": lasts, "WaitTimeSeconds": 20}
        call = self.call(client, "sqs:ReceiveMessage", request)
        self.serial += 1
        handle = f"handle-{self.serial}"
        until = self.ms + int(lasts * 1000)
        self.note("received", call, queue=queue, key=key, message=message or f"m{key}", handle=handle, count=count, until=until)
        self.end(call, heard)
        return handle

    def send(self, client="a", key=1, code=None, status=400, heard=True, tags=None, took=0.0):
        """Sends the mail of a message, accepted unless a code refuses it, and gives the mail's id."""
        given = {"notification-id": f"m{key}", "event": digest(self.bodies[key], 16), "queue": "q"} if tags is None else tags
        listed = [{"Name": name, "Value": value} for name, value in given.items()]
        destination = {"ToAddresses": ["dana@example.com"]}
        call = self.call(client, "ses:SendEmail", {"EmailTags": listed, "Destination": destination})
        mail = None
        if code is None:
            mail = f"mail-{len(self.records)}"
            simulated = "witness" in given
            self.note("mail", call, mail=mail, to=["dana@example.com"], simulated=simulated, subject="s", tags=given, set=None)
        self.at(self.time + took)
        self.end(call, heard, 200 if code is None else status, code)
        return mail

    def delete(self, handle, client="a", key=1, done=True, heard=True, queue="q", gone=True):
        call = self.call(client, "sqs:DeleteMessageBatch", {"Entries": [{"Id": "0", "ReceiptHandle": handle}]})
        if done:
            self.note("deleted", call, queue=queue, key=key, handle=handle, gone=gone)
        self.end(call, heard, body=results(done))
        return call

    def change(self, handle, seconds, client="a", key=1, done=True, heard=True):
        entries = [{"Id": "0", "ReceiptHandle": handle, "VisibilityTimeout": seconds}]
        call = self.call(client, "sqs:ChangeMessageVisibilityBatch", {"Entries": entries})
        if done:
            self.note("visibility", call, queue="q", key=1, handle=handle, seconds=seconds, until=self.ms + seconds * 1000)
        self.end(call, heard, body=results(done))

    def die(self, key=1, count=2):
        self.note("dead", queue="q", key=key, message=f"m{key}", count=count)

    def event(self, mail, client="a", key=900):
        """An event of a mail arrives in the queue of events, and is read."""
        body = json.dumps({"eventType": "Send", "mail": {"messageId": mail}})
        self.arrive(key, "events", body, f"e{key}")
        self.receive(client, key, queue="events", message=f"e{key}")

    def claim(self, client, state, key=1, lasts=20.0, ok=True):
        """Writes the item of a mail into the table, or fails to."""
        call = self.call(client, "dynamodb:PutItem", {"TableName": "t"})
        if ok:
            end = str(self.ms + int(lasts * 1000))
            item = {"state": {"S": state}, "until": {"N": end}}
            name = f"q#m{key}#{digest(self.bodies[key], 16)}"
            self.note("item", call, table="t", key=name, item=item)
        self.end(call, status=200 if ok else 500, code=None if ok else "InternalServerError")

    def good(self, key=1):
        """Says that a mail can be made of a message."""
        self.note("mark", mark="good", word=f"event-{key}")

    def mark(self, mark, client="a", **fields):
        self.note("mark", mark=mark, client=client, **fields)

    def lines(self):
        """The history; each client that lives calls once more, so that all that was written to it is read."""
        gone = {record["client"] for record in self.records if record.get("mark") in ("exited", "killed")}
        for client in self.connections.keys() - gone:
            self.call(client, "sqs:GetQueueAttributes", {})
        return [json.dumps(record) for record in self.records]

    def log_line(self, outcome, key=1, receive="1 of 2", mail=None, text=None):
        """The line with which a daemon tells how a message ended, now."""
        seconds = self.ms / 1000
        stamp = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        line = {"timestamp": stamp.isoformat(), "level": "INFO", "message": text or outcome, "notifier.outcome": outcome,
                "notifier.receive": receive, "messaging.message.id": f"m{key}", "notifier.notification.id": f"m{key}"}
        if mail:
            line["notifier.email.id"] = mail
        return json.dumps(line)


def results(done):
    failed = [{"Id": "0", "Code": "InternalError", "SenderFault": False, "Message": "no"}]
    return {"Successful": [{"Id": "0"}] if done else [], "Failed": [] if done else failed}
