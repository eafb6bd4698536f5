"""A tour of the outbox's page in pictures, for somebody to look at."""

import email.message
import pathlib

from playwright.sync_api import expect

from browser_layout import bounces

TEMPLATE = pathlib.Path(__file__).parent.parent / "demo" / "template.html"


def fill(stage):
    """A sandbox as it looks after some work; gives the id of a mail from the demo's template."""
    stage.begin()
    stage.sqs.create_queue(QueueName="dead-letters")
    policy = '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead-letters","maxReceiveCount":1}'
    queue = stage.sqs.create_queue(QueueName="organizer", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    stage.sqs.send_message(QueueUrl=queue, MessageBody="poison")
    for _ in range(2):
        stage.sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)
    bounces(stage, "gone@")
    for subject, to in [
        ("Registered: Quarterly planning", "dana@example.com"),
        ("Registered: <script>alert(1)</script> & {uid}", "eve@example.net"),
        ("Registered: 桜のお花見と計画会議", "hana@example.org"),
        ("Registered: a meeting whose organizer could not decide on a short title, and so wrote all of it", "a.very.long.address.of.somebody@mail.example.com"),
        ("Registered: Retrospective", "gone@example.net"),
        ("", ["ida@example.com", "jo@example.com", "kim@example.com"]),
    ]:
        stage.send(subject or " ", to=to, ConfigurationSetName="events")
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = "events@example.com", "raw@example.com", "Raw: Grüße"
    message.set_content("Täxt")
    stage.send_raw(message)
    try:
        stage.send("check", to=[])
    except stage.ses.exceptions.BadRequestException:
        pass
    stage.send("Witness", to="success@simulator.amazonses.com")
    return stage.send("Registered: Kick-off", html=TEMPLATE.read_text(), ReplyToAddresses=["help@example.com"],
                      ConfigurationSetName="events", EmailTags=[{"Name": "uid", "Value": "42"}])


def tour(stage, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        def shoot(page, name):
            # The window grows to all of the page: a picture of the whole page is cut where there are bars.
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": stage.width, "height": max(height, 600)})
            page.screenshot(path=folder / f"{stage.width}-{scheme}-{name}.png")

        stage.begin()
        with stage.page(color_scheme=scheme) as page:
            expect(page.get_by_text("No mail yet.")).to_be_visible()
            shoot(page, "empty")
        ident = fill(stage)
        with stage.page(color_scheme=scheme) as page:
            expect(page).to_have_title("(8) Outbox")
            page.keyboard.press("ArrowDown")
            shoot(page, "list")
            page.get_by_role("button", name="Delete all").click()
            shoot(page, "question")
        for view in ("html", "text", "headers", "source"):
            with stage.page(f"/outbox/{ident}?view={view}", color_scheme=scheme) as page:
                if view == "html":
                    expect(page.frame_locator("iframe").locator("body")).to_be_visible()
                shoot(page, f"mail-{view}")
        for width in ("phone", "desktop"):
            with stage.page(f"/outbox/{ident}?width={width}", color_scheme=scheme) as page:
                expect(page.frame_locator("iframe").locator("body")).to_be_visible()
                shoot(page, f"mail-{width}")
        rules = [
            {"operation": "ses:SendEmail", "fault": {"error": {"code": "AccountSuspendedException"}}, "count": 9},
            {"operation": "sqs:*", "fault": {"latency": {"min_ms": 1, "max_ms": 2}}, "share": 0.25},
        ]
        stage.http("PUT", "/faults", rules)
        try:
            stage.send("Registered: refused")
        except stage.ses.exceptions.ClientError:
            pass
        with stage.page(color_scheme=scheme) as page:
            expect(page.get_by_role("region", name="Faults in force")).to_be_visible()
            shoot(page, "faults")
        stage.http("DELETE", "/faults")
        with stage.page("/outbox?q=planning", color_scheme=scheme) as page:
            expect(page.get_by_role("searchbox")).to_have_value("planning")
            shoot(page, "search")
        with stage.page("/outbox/0100-gone", color_scheme=scheme) as page:
            shoot(page, "unknown")
