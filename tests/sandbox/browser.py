"""Looks at the outbox's page with a real browser, at the widths of a telephone and of a desk.

    python3 tests/sandbox/browser.py target/debug/sandbox [--chromium PROGRAM] [--screenshots FOLDER]

starts a sandbox of its own, sends mails to it by boto3, and drives Chromium by playwright. Each check begins
with an empty sandbox and ends without an error in the browser's console. The last line is "N passed,
N failed"; the exit code is 1 after a failure.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import traceback
import urllib.request

import boto3
from playwright.sync_api import expect, sync_playwright

import browser_checks
import browser_layout  # noqa: F401 - its checks join the others
import browser_tour

# A telephone's page and a desk's, in CSS pixels.
WIDTHS = {390: 844, 1280: 900}
# What Chromium may need on a busy machine; a check that holds waits for none of it.
PATIENCE_MS = 15_000


class Stage:
    """A sandbox, a browser at one width, and what the checks have in common."""

    def __init__(self, endpoint, browser, width):
        self.endpoint = endpoint
        self.browser = browser
        self.width = width
        self.errors = []
        self.ses = self.client("sesv2")
        self.sqs = self.client("sqs")

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def http(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data=data, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def mails(self):
        return json.loads(self.http("GET", "/outbox"))["mails"]

    def begin(self):
        """An empty sandbox that may send as anybody of example.com."""
        self.http("POST", "/reset")
        self.ses.create_email_identity(EmailIdentity="example.com")
        self.errors.clear()

    def send(self, subject, to="dana@example.com", html="<p>Hello</p>", text="Hello", **more):
        """Sends simple content and gives the message id."""
        part = lambda data: {"Data": data, "Charset": "UTF-8"}
        body = {name: part(data) for name, data in (("Html", html), ("Text", text)) if data}
        content = {"Simple": {"Subject": part(subject), "Body": body}}
        to = [to] if isinstance(to, str) else to
        sent = self.ses.send_email(
            FromEmailAddress=more.pop("sender", "Calendar <events@example.com>"),
            Destination={"ToAddresses": to},
            Content=content,
            **more,
        )
        return sent["MessageId"]

    def send_raw(self, message):
        return self.ses.send_email(Content={"Raw": {"Data": message.as_bytes()}})["MessageId"]

    @contextlib.contextmanager
    def page(self, path="/outbox", **settings):
        """A page whose errors are collected."""
        size = {"width": self.width, "height": WIDTHS[self.width]}
        context = self.browser.new_context(viewport=size, accept_downloads=True, **settings)
        context.set_default_timeout(PATIENCE_MS)
        context.on("page", self.listen)
        try:
            page = context.new_page()
            page.goto(self.endpoint + path)
            yield page
        finally:
            context.close()

    def listen(self, page):
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self.hear)

    def hear(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)


def run(stage):
    """The names of the checks that failed."""
    failed = []
    for check in browser_checks.CHECKS:
        name = f"{check.__name__.replace('_', ' ')} at {stage.width}"
        try:
            stage.begin()
            check(stage)
            assert not stage.errors, f"the browser complains: {stage.errors}"
            print(f"ok    {name}", flush=True)
        except Exception:
            traceback.print_exc()
            print(f"FAIL  {name}", flush=True)
            failed.append(name)
    return failed


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("sandbox", help="the sandbox's program")
    arguments.add_argument("--chromium", default="/usr/bin/chromium", help="the browser's program")
    arguments.add_argument("--screenshots", type=pathlib.Path, help="a folder for a tour in pictures")
    given = arguments.parse_args()
    expect.set_options(timeout=PATIENCE_MS)
    sandbox = subprocess.Popen([given.sandbox, "--listen", "0"], stdout=subprocess.PIPE, text=True)
    try:
        endpoint = sandbox.stdout.readline().split()[-1]
        with sync_playwright() as driver:
            # As root Chromium has no sandbox of its own; it opens nothing but our page.
            # Bars for scrolling take room, as on most desks.
            browser = driver.chromium.launch(
                executable_path=given.chromium,
                args=["--no-sandbox", "--disable-dev-shm-usage"],
                ignore_default_args=["--hide-scrollbars"],
            )
            failed = []
            for width in WIDTHS:
                stage = Stage(endpoint, browser, width)
                failed += run(stage)
                if given.screenshots:
                    browser_tour.tour(stage, given.screenshots)
            browser.close()
    finally:
        sandbox.terminate()
        sandbox.wait()
    passed = len(browser_checks.CHECKS) * len(WIDTHS) - len(failed)
    print(f"{passed} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
