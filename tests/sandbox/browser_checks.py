"""What the outbox's page promises, each promise a function that takes a `Stage` of browser.py."""

import email.message
import email.parser
import email.policy
import re

from playwright.sync_api import expect

CHECKS = []

# Each way in which a mail could run something. What runs leaves a mark on the page around, or on its own.
HOSTILE = """<!doctype html><html><head>
<script>top.owned = "script"; document.documentElement.dataset.owned = "script"</script>
<script src="/outbox/page.js"></script>
<meta http-equiv="refresh" content="0;url=/faults">
</head><body onload="top.owned = 'onload'; document.body.dataset.owned = 1">
<img src="data:," onerror="top.owned = 'onerror'; document.body.dataset.owned = 1">
<svg onload="top.owned = 'svg'"></svg>
<iframe srcdoc="<script>top.owned = 'frame'</script>"></iframe>
<form method="post" action="/outbox/delete"><button id="post">Delete all</button></form>
<p><a id="code" href="javascript:top.owned='link'">link</a></p>
<p><a id="tab" target="_blank" href="javascript:opener.owned='tab'">link</a></p>
<p><a id="away" target="_top" href="/faults">away</a></p>
</body></html>"""


def check(function):
    """Marks a check; its name is the sentence that it proves."""
    CHECKS.append(function)
    return function


def rows(page):
    return page.locator("main .mails").first.locator("tbody tr")


def inner(page, script):
    """What a script of ours finds in the mail's frame."""
    return page.locator("iframe").evaluate(f"frame => {{ const root = frame.contentDocument.scrollingElement; return {script}; }}")


def settled(page, height):
    """Waits until the frame holds a mail of at least this height, whole."""
    page.wait_for_function(
        """height => {
            const frame = document.querySelector("iframe");
            const root = frame?.contentDocument?.scrollingElement;
            return root && root.scrollHeight >= height && frame.clientHeight >= root.scrollHeight;
        }""",
        arg=height,
    )


@check
def the_search_finds_and_hides(stage):
    stage.send("Lunch on Friday", to="eve@example.net", text="Bring soup")
    stage.send("Planning", to="dana@example.com", text="Bring slides")
    ident = stage.send("Retrospective", to="hana@example.org", sender="Other <other@example.com>")
    with stage.page() as page:
        expect(rows(page)).to_have_count(3)
        search = page.get_by_role("searchbox")
        for typed, found in [
            ("lunch", "Lunch on Friday"),
            ("dana@", "Planning"),
            ("other@example", "Retrospective"),
            (ident, "Retrospective"),
            ("SLIDES bring", "Planning"),
        ]:
            search.fill(typed)
            expect(rows(page)).to_have_count(1)
            expect(rows(page).first).to_contain_text(found)
        expect(page).to_have_title("(1) SLIDES bring – Outbox")
        search.fill("nobody has this")
        expect(page.get_by_text("No mail has all of")).to_be_visible()
        search.fill("")
        expect(rows(page)).to_have_count(3)


@check
def a_new_mail_appears_and_disturbs_neither_search_nor_selection(stage):
    stage.send("Lunch one")
    with stage.page("/outbox?q=lunch") as page:
        expect(page).to_have_title("(1) lunch – Outbox")
        page.evaluate("getSelection().selectAllChildren(document.querySelector('td.subject'))")
        stage.send("Planning")
        stage.send("Lunch two")
        expect(page).to_have_title("(2) lunch – Outbox")
        assert page.evaluate("String(getSelection()).trim()") == "Lunch one"
        page.evaluate("getSelection().empty()")
        expect(rows(page)).to_have_count(2)
        assert page.get_by_role("searchbox").input_value() == "lunch"
        rows(page).nth(1).get_by_role("link").focus()
        stage.send("Lunch three")
        expect(rows(page)).to_have_count(3)
        assert page.evaluate("document.activeElement.textContent") == "Lunch one"


@check
def a_row_is_clickable_everywhere_and_tells_all(stage):
    subject = "A very long subject " * 8
    stage.send(subject.strip(), to=[f"guest{number}@example.com" for number in range(12)])
    with stage.page("/") as page:
        assert page.url.endswith("/outbox")
        expect(page).to_have_title("(1) Outbox")
        link = rows(page).first.get_by_role("link")
        assert link.get_attribute("title") == subject.strip()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", page.locator("td time").text_content())
        box = rows(page).first.bounding_box()
        page.mouse.click(box["x"] + box["width"] - 12, box["y"] + box["height"] - 6)
        expect(page.get_by_role("heading", level=1)).to_have_text(subject.strip())


@check
def the_source_is_shown_and_loaded_down(stage):
    message = email.message.EmailMessage()
    message["From"], message["To"] = "events@example.com", "dana@example.com"
    message["Subject"], message["X-Raw"] = "Grüße", "as given"
    message.set_content("Täxt")
    raw = stage.send_raw(message)
    simple = stage.send("日本語", html="<p>é</p>", text="é", ReplyToAddresses=["help@example.com"])
    with stage.page(f"/outbox/{raw}") as page:
        page.get_by_role("link", name="Source").click()
        expect(page.locator("pre")).to_contain_text("X-Raw: as given")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download .eml").click()
        assert open(download.value.path(), "rb").read() == message.as_bytes()
        page.goto(f"{stage.endpoint}/outbox/{simple}?view=source")
        expect(page.locator("pre")).to_contain_text("multipart/alternative")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download .eml").click()
        made = open(download.value.path(), "rb").read()
        parsed = email.parser.BytesParser(policy=email.policy.default).parsebytes(made)
        assert parsed["Subject"] == "日本語" and parsed["Reply-To"] == "help@example.com"
        assert [part.get_content().strip() for part in parsed.iter_parts()] == ["é", "<p>é</p>"]
        page.get_by_role("link", name="Headers").click()
        expect(page.get_by_role("row", name="Subject 日本語")).to_be_visible()


@check
def the_html_stands_in_a_tab_of_its_own(stage):
    ident = stage.send("Lunch", html="<h1 id=here>At noon</h1>")
    with stage.page(f"/outbox/{ident}") as page:
        expect(page.frame_locator("iframe").locator("#here")).to_have_text("At noon")
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Own tab").click()
        tab = opened.value
        expect(tab.locator("#here")).to_have_text("At noon")
        assert tab.url.endswith(f"/outbox/{ident}/html"), tab.url


@check
def the_frame_is_as_wide_as_chosen(stage):
    wide = "<p>text</p><div style='width:100%'>wide</div>"
    first = stage.send("One", html=wide)
    stage.send("Two", html=wide)
    with stage.page(f"/outbox/{first}") as page:
        frame = page.locator("iframe")
        width = lambda: inner(page, "frame.clientWidth")
        assert width() <= stage.width
        page.get_by_role("link", name="Phone").click()
        expect(frame).to_have_class("phone")
        assert width() == min(375, page.locator(".stage").evaluate("one => one.clientWidth"))
        page.get_by_role("link", name="Desktop").click()
        expect(frame).to_have_class("desktop")
        assert width() == 1024
        assert inner(page, "frame.contentWindow.innerWidth") == 1024
        # A wide frame scrolls in its place and does not widen the page.
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        page.get_by_role("link", name="Newer").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Two")
        assert width() == 1024


@check
def the_frame_is_as_high_as_the_mail(stage):
    line = "<p style='margin:0;height:20px'>line</p>"
    for kind, html, height in [
        ("long", "<!doctype html><body style='margin:0'>" + line * 100, 2000),
        ("short", "<!doctype html><body style='margin:0'>" + line, 20),
        ("without a doctype", "<body style='margin:0'>" + line * 90, 1800),
        ("as wide as 3000", "<!doctype html><div style='width:3000px;height:700px'>x</div>", 700),
        ("high as the frame", "<!doctype html><body style='margin:0'><div style='min-height:100vh'>" + line * 50 + "</div>", 1000),
        ("with a late image", "<!doctype html><img src=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='9' height='900'/>\">", 900),
    ]:
        ident = stage.send(kind, html=html)
        for width in ("", "?width=phone"):
            with stage.page(f"/outbox/{ident}{width}") as page:
                settled(page, height)
                shown = inner(page, "[frame.clientHeight, root.scrollHeight, root.clientHeight]")
                assert shown[0] < height + 60, f"{kind}: {shown}"
                assert shown[1] == shown[2], f"{kind} scrolls inside: {shown}"


def press(page, key):
    """A key is heard once the page's script has run. The first words that show do not wait for that."""
    page.wait_for_load_state()
    page.keyboard.press(key)


@check
def next_and_previous_lead_through_the_search(stage):
    for subject in ("Lunch one", "Planning", "Lunch two", "Lunch three"):
        ident = stage.send(subject)
    with stage.page("/outbox?q=lunch") as page:
        title = page.get_by_role("heading", level=1)
        rows(page).first.get_by_role("link").click()
        expect(title).to_have_text("Lunch three")
        assert page.get_by_role("link", name="Newer").count() == 0
        page.get_by_role("link", name="Older").click()
        expect(title).to_have_text("Lunch two")
        press(page, "ArrowRight")
        expect(title).to_have_text("Lunch one")
        # Also while the frame has the focus.
        page.frame_locator("iframe").locator("body").click()
        press(page, "ArrowLeft")
        expect(title).to_have_text("Lunch two")
        press(page, "Escape")
        expect(page).to_have_title("(3) lunch – Outbox")
        press(page, "/")
        expect(page.get_by_role("searchbox")).to_be_focused()
        press(page, "ArrowDown")
        press(page, "ArrowDown")
        expect(rows(page).nth(1).get_by_role("link")).to_be_focused()
        press(page, "Enter")
        expect(title).to_have_text("Lunch two")
    with stage.page(f"/outbox/{ident}") as page:
        page.get_by_role("link", name="Older").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Lunch two")


@check
def one_mail_is_deleted_after_a_question(stage):
    stage.send("Stays")
    ident = stage.send("Goes")
    with stage.page(f"/outbox/{ident}?q=goes") as page:
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Keep").click()
        expect(page.get_by_text("Delete this mail?")).to_be_hidden()
        assert len(stage.mails()) == 2
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page).to_have_title("(0) goes – Outbox")
        assert [mail["subject"] for mail in stage.mails()] == ["Stays"]


@check
def what_is_listed_is_deleted_after_a_question(stage):
    for subject in ("Lunch one", "Planning", "Lunch two"):
        stage.send(subject)
    with stage.page("/outbox?q=lunch") as page:
        page.get_by_role("button", name="Delete these").click()
        expect(page.get_by_role("dialog")).to_contain_text("Delete what “lunch” finds: 2 mails?")
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page).to_have_title("(1) Outbox")
        assert [mail["subject"] for mail in stage.mails()] == ["Planning"]
        page.get_by_role("button", name="Delete all").click()
        # The page goes on refreshing itself, and leaves the question alone.
        stage.send("Late")
        expect(page).to_have_title("(2) Outbox")
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("No mail yet.")).to_be_visible()
        assert stage.mails() == []


@check
def faults_in_force_are_told_as_long_as_they_are(stage):
    stage.send("Before")
    with stage.page() as page:
        expect(rows(page)).to_have_count(1)
        assert page.locator(".banner").count() == 0
        error = {"error": {"code": "AccountSuspendedException", "message": "Suspended <b>."}}
        stage.http("PUT", "/faults", [{"operation": "ses:SendEmail", "fault": error}])
        banner = page.get_by_role("region", name="Faults in force")
        expect(banner).to_contain_text("ses:SendEmail is refused with AccountSuspendedException (400)")
        expect(banner).to_contain_text("not struck yet")
        for subject in ("Refused one", "Refused two"):
            try:
                stage.send(subject)
            except stage.ses.exceptions.ClientError as refusal:
                assert "Suspended" in str(refusal)
            else:
                raise AssertionError("it was not refused")
        expect(banner).to_contain_text("struck 2 times")
        refused = page.locator("table.refused tbody tr")
        expect(refused).to_have_count(2)
        expect(refused.first).to_contain_text("Refused two")
        expect(refused.first).to_contain_text("AccountSuspendedException: Suspended <b>.")
        stage.http("DELETE", "/faults")
        expect(banner).to_have_count(0)


@check
def dead_letters_are_told(stage):
    stage.sqs.create_queue(QueueName="dead-letters")
    policy = '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead-letters","maxReceiveCount":1}'
    queue = stage.sqs.create_queue(QueueName="organizer", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    with stage.page() as page:
        expect(page.get_by_text("No mail yet.")).to_be_visible()
        assert page.locator(".dead").count() == 0
        stage.sqs.send_message(QueueUrl=queue, MessageBody="poison")
        for _ in range(2):
            stage.sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)
        expect(page.locator(".dead")).to_contain_text("dead-letters: 1 message")


@check
def a_mail_cannot_run_anything(stage):
    ident = stage.send("Hostile <script>top.owned = 'subject'</script>", html=HOSTILE, text="</pre><script>top.owned = 1</script>")
    with stage.page(f"/outbox/{ident}") as page:
        frame = page.frame_locator("iframe")
        expect(frame.locator("#code")).to_be_visible()
        for part in ("#code", "#tab", "#post"):
            frame.locator(part).click()
        # A link of the web opens, beside the page and without a way back to it.
        with page.context.expect_page() as opened:
            frame.locator("#away").click()
        assert opened.value.evaluate("window.opener") is None
        opened.value.close()
        # What could have been let loose has had its time once these have been answered.
        page.evaluate("fetch('/outbox')")
        page.frame_locator("iframe").locator("#code").evaluate("() => 0")
        assert page.evaluate("window.owned") is None
        assert page.url.endswith(f"/outbox/{ident}")
        assert inner(page, "frame.contentDocument.URL").endswith("/html")
        assert inner(page, "root.dataset.owned ?? frame.contentDocument.body.dataset.owned") is None
        assert len(page.context.pages) == 1, [page.url for page in page.context.pages]
        for view in ("text", "headers", "source"):
            page.goto(f"{stage.endpoint}/outbox/{ident}?view={view}")
            assert page.evaluate("window.owned") is None
        page.goto(f"{stage.endpoint}/outbox")
        expect(rows(page).first).to_contain_text("<script>")
        assert page.evaluate("window.owned") is None
        page.goto(f"{stage.endpoint}/outbox/{ident}/html")
        for part in ("#code", "#tab", "#post"):
            page.locator(part).click()
        assert page.evaluate("window.owned") is None
        assert page.evaluate("document.documentElement.dataset.owned ?? document.body.dataset.owned") is None
        assert page.url.endswith("/html")
    assert len(stage.mails()) == 1
    # That Chromium says what it stopped shows that there was something to stop.
    blocked = re.compile("[Bb]locked|[Rr]efused|violates|sandboxed|Content Security Policy")
    assert any("script" in error for error in stage.errors), stage.errors
    stage.errors[:] = [error for error in stage.errors if not blocked.search(error)]


@check
def an_unknown_mail_is_named(stage):
    with stage.page() as page:
        answer = page.goto(f"{stage.endpoint}/outbox/0100-gone")
        assert answer.status == 404
        expect(page.get_by_role("heading", level=1)).to_have_text("No such mail")
        expect(page.get_by_role("main")).to_contain_text("0100-gone")
        page.get_by_role("link", name="All mails").click()
        expect(page).to_have_title("(0) Outbox")
    # Chromium itself names each page that was not found.
    stage.errors[:] = [error for error in stage.errors if "404" not in error]


@check
def nothing_widens_the_page(stage):
    long = "W" * 300
    ident = stage.send(long, to=f"{'x' * 60}@{'y' * 60}.example.com", text=long, html=f"<p>{long}</p>")
    rule = {"operation": "ses:GetAccount", "fault": "hang", "body_contains": long}
    stage.http("PUT", "/faults", [rule])
    for path in ("/outbox", f"/outbox?q={long}", "/outbox/" + long):
        with stage.page(path) as page:
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
    for view in ("html", "text", "headers", "source"):
        with stage.page(f"/outbox/{ident}?view={view}") as page:
            expect(page.get_by_role("link", name="Newer")).to_have_count(0)
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), view
    stage.errors[:] = [error for error in stage.errors if "404" not in error]


@check
def the_page_works_without_scripts(stage):
    for subject in ("Lunch", "Planning"):
        stage.send(subject)
    with stage.page(java_script_enabled=False) as page:
        page.get_by_role("searchbox").fill("lunch")
        page.get_by_role("button", name="Search").click()
        expect(rows(page)).to_have_count(1)
        rows(page).first.get_by_role("link").click()
        expect(page.frame_locator("iframe").locator("p")).to_have_text("Hello")
        page.get_by_role("link", name="Phone").click()
        expect(page.locator("iframe")).to_have_class("phone")
        page.get_by_role("link", name="Text", exact=True).click()
        expect(page.locator("pre")).to_have_text("Hello")
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page).to_have_title("(0) lunch – Outbox")
        page.get_by_role("link", name="All mails").click()
        page.get_by_role("button", name="Delete all").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("No mail yet.")).to_be_visible()
    assert stage.mails() == []
