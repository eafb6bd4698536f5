"""Runs the conformance checks of the sandbox through boto3.

    python3 tests/sandbox/conformance.py http://127.0.0.1:4566 [SERVICE...]

runs the checks of every `conformance_*.py` beside this file, or of those for some services alone:
functions marked with `@check`, which take a `Context`. At the endpoint may also be somebody else's
emulator, which checks the checks. The last line is "N passed, N failed"; the exit code is 1 after a failure.
"""

import importlib
import json
import pathlib
import sys
import traceback
import urllib.error
import urllib.request
import uuid

import boto3
import botocore.config
import botocore.exceptions

CHECKS = []


def check(function):
    """Marks a check; its name is the sentence that it proves."""
    CHECKS.append(function)
    return function


class Context:
    """Clients for the sandbox and what checks have in common."""

    def __init__(self, endpoint):
        self.endpoint = endpoint.rstrip("/")
        self.sqs = self.client("sqs")
        self.is_sandbox = self.has_health_page()

    def client(self, service, **settings):
        config = botocore.config.Config(
            retries={"total_max_attempts": 1}, read_timeout=30, **settings
        )
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="secret",
            config=config,
        )

    def queue(self, **attributes):
        """Creates a queue of its own for a check and gives its URL."""
        name = f"check-{uuid.uuid4()}"
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def arn(self, url):
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]

    def receive(self, url, **parameters):
        """The messages of one receive, none as an empty list."""
        return self.sqs.receive_message(QueueUrl=url, **parameters).get("Messages", [])

    def has_health_page(self):
        """Whether it is ours: no other emulator has that page."""
        try:
            return self.http("GET", "/health") == "ok\n"
        except urllib.error.HTTPError:
            return False

    def http(self, method, path, body=None, accept="application/json"):
        """Calls a page of the sandbox's own; gives its text."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.endpoint + path, data=data, method=method, headers={"Accept": accept}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read().decode()


def refused(call, *codes, text=None):
    """Asserts that the call fails with one of the codes; gives the error's text."""
    try:
        call()
    except botocore.exceptions.ClientError as error:
        answer = error.response["Error"]
        assert answer["Code"] in codes, f"{answer} is none of {codes}"
        assert text is None or text in answer["Message"], answer
        return answer["Message"]
    raise AssertionError(f"not refused with {codes}")


def main():
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} ENDPOINT [SERVICE...]")
    services = sys.argv[2:] or ["*"]
    sys.dont_write_bytecode = True
    here = pathlib.Path(__file__).resolve()
    sys.path.insert(0, str(here.parent))
    # The other files import this one by its name, which is not `__main__`.
    sys.modules["conformance"] = sys.modules["__main__"]
    for service in services:
        for path in sorted(here.parent.glob(f"conformance_{service}.py")):
            importlib.import_module(path.stem)
    context = Context(sys.argv[1])
    failed = 0
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        try:
            function(context)
            print(f"ok      {name}")
        except Exception:
            failed += 1
            print(f"FAILED  {name}")
            traceback.print_exc(file=sys.stdout)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
