#!/usr/bin/env python3
"""Consumers with known sins, in a few lines of boto3 each, whose histories the checker must find them in.

    python3 tests/checker/sinner.py PROGRAM

PROGRAM is the local AWS (`target/debug/sandbox`). Each sin is committed against one of its own, which keeps a
history; the checker must name the rules that the sin breaks and no others, and none for the one without sin.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3

HERE = pathlib.Path(__file__).resolve().parent
QUEUE, DEAD = "orders", "orders-dead"
ACCOUNT = "000000000000"


class Consumer:
    """The honest loop: receive, mail, delete what was mailed, and delete again what failed."""

    lease, rounds, messages = 30, 2, 3

    def __init__(self, endpoint):
        settings = {"region_name": "us-east-1", "aws_secret_access_key": "x", "aws_access_key_id": "sinner"}
        self.sqs = boto3.client("sqs", endpoint_url=endpoint, **settings)
        self.ses = boto3.client("sesv2", endpoint_url=endpoint, **settings)
        self.endpoint, self.url = endpoint, f"{endpoint}/{ACCOUNT}/{QUEUE}"

    def mail(self, message):
        self.ses.send_email(
            FromEmailAddress="shop@example.com",
            Destination={"ToAddresses": ["dana@example.com"]},
            Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": message["Body"]}}}},
            EmailTags=[{"Name": "notification-id", "Value": message["MessageId"]}],
        )

    def delete(self, messages):
        entries = [{"Id": str(at), "ReceiptHandle": m["ReceiptHandle"]} for at, m in enumerate(messages)]
        answer = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
        return [messages[int(failed["Id"])] for failed in answer.get("Failed", [])]

    def work(self, messages):
        for message in messages:
            self.mail(message)
        while messages:
            messages = self.delete(messages)

    def receive(self):
        answer = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=self.lease, WaitTimeSeconds=1
        )
        return answer.get("Messages", [])

    def fault(self, rules):
        request = urllib.request.Request(f"{self.endpoint}/faults", data=rules.encode(), method="PUT")
        urllib.request.urlopen(request).close()

    def run(self):
        for _ in range(self.rounds):
            messages = self.receive()
            if messages:
                self.work(messages)
        time.sleep(self.rest)

    rest = 0.0


class DeletesBeforeSending(Consumer):
    def work(self, messages):
        self.delete(messages)
        for message in messages:
            self.mail(message)


class DeletesAndForgetsOne(Consumer):
    def work(self, messages):
        for message in messages[1:]:
            self.mail(message)
        self.delete(messages)


class SendsAfterItsLease(Consumer):
    lease, rounds, messages = 1, 1, 1

    def work(self, messages):
        time.sleep(1.2)
        super().work(messages)


class ForgetsToDelete(Consumer):
    lease, rounds, rest, messages = 3, 4, 0.0, 1

    def run(self):
        for _ in range(4):
            for message in self.receive():
                self.mail(message)
            time.sleep(2.5)

    def work(self, messages):
        raise NotImplementedError


class IgnoresPartialFailures(Consumer):
    """One entry of its batch fails, and it takes the batch for done."""

    lease, rounds, rest = 5, 1, 2.5

    def work(self, messages):
        rule = '[{"operation": "sqs:DeleteMessageBatch", "count": 1, "fault": {"entry_error": {"code": "InternalError"}}}]'
        self.fault(rule)
        for message in messages:
            self.mail(message)
        self.delete(messages)
        # Something is written after the time that a second try would have taken.
        time.sleep(2.2)
        self.receive()


class RenewsWhatItDeleted(Consumer):
    rounds = 1

    def work(self, messages):
        super().work(messages)
        self.receive()
        time.sleep(1.2)
        for message in messages:
            try:
                self.sqs.change_message_visibility(
                    QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=30
                )
            except self.sqs.exceptions.ClientError:
                pass


class SendsTwiceToBeSure(Consumer):
    def work(self, messages):
        for message in messages:
            self.mail(message)
        super().work(messages)


class RetriesWhatHadNoAnswer(Consumer):
    """No sin: SES took the mail, and its answer was cut off."""

    def work(self, messages):
        self.fault('[{"operation": "ses:SendEmail", "count": 1, "fault": "reset_after"}]')
        super().work(messages)


SINS = [
    (Consumer, set()),
    (RetriesWhatHadNoAnswer, set()),
    (DeletesBeforeSending, {"early", "unheld"}),
    (DeletesAndForgetsOne, {"lost"}),
    (SendsAfterItsLease, {"unheld"}),
    (ForgetsToDelete, {"doubled", "dead", "undeleted"}),
    (IgnoresPartialFailures, {"unretried"}),
    (RenewsWhatItDeleted, {"renewed"}),
    (SendsTwiceToBeSure, {"doubled"}),
]


def set_up(consumer):
    policy = f'{{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:{ACCOUNT}:{DEAD}", "maxReceiveCount": 2}}'
    consumer.sqs.create_queue(QueueName=DEAD)
    consumer.sqs.create_queue(QueueName=QUEUE, Attributes={"RedrivePolicy": policy})
    consumer.ses.create_email_identity(EmailIdentity="shop@example.com")
    for number in range(consumer.messages):
        consumer.sqs.send_message(QueueUrl=consumer.url, MessageBody=f'{{"order": {number}}}')


def commit(program, sin, history):
    """Has one sin committed, and gives the checker's verdict: the rules broken, and its words."""
    command = [program, "--listen", "127.0.0.1:0", "--history", history]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sandbox:
        try:
            consumer = sin(sandbox.stdout.readline().split()[-1])
            set_up(consumer)
            consumer.run()
        finally:
            sandbox.terminate()
    check = [sys.executable, "-B", HERE / "check.py", history]
    verdict = subprocess.run(check, stdout=subprocess.PIPE, text=True, check=False)
    broken = {line.split()[1].rstrip(":") for line in verdict.stdout.splitlines() if line.startswith("BROKEN")}
    if verdict.returncode != int(bool(broken)):
        raise SystemExit(f"{sin.__name__}: the checker ended with {verdict.returncode}\n{verdict.stdout}")
    return broken, verdict.stdout


def main():
    program = os.path.abspath(sys.argv[1])
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        for sin, rules in SINS:
            broken, words = commit(program, sin, os.path.join(scratch, f"{sin.__name__}.jsonl"))
            right = broken == rules
            wrong += not right
            print(f"{'ok   ' if right else 'WRONG'} {sin.__name__}: {', '.join(sorted(broken)) or 'nothing broken'}")
            if not right:
                print(f"      expected {', '.join(sorted(rules)) or 'nothing'}\n{words}")
    print("all sins found" if not wrong else f"{wrong} wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
