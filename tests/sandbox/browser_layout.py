"""What the outbox's page promises of its looks at each width: nothing is cut or covered that has room."""

from playwright.sync_api import expect

from browser_checks import check, rows


def bounces(stage, *parts):
    """From now on mails bounce whose address holds any of these, and events tell what becomes of each mail."""
    topic = stage.client("sns").create_topic(Name="events")["TopicArn"]
    stage.ses.create_configuration_set(ConfigurationSetName="events")
    destination = {"Enabled": True, "MatchingEventTypes": ["SEND", "DELIVERY", "BOUNCE"], "SnsDestination": {"TopicArn": topic}}
    stage.ses.create_configuration_set_event_destination(
        ConfigurationSetName="events", EventDestinationName="events", EventDestination=destination
    )
    fate = {"bounced": {"bounce_type": "Permanent", "bounce_sub_type": "General"}}
    stage.http("PUT", "/events", {"fates": [{"recipient_contains": part, "fate": fate} for part in parts]})


def is_whole(place):
    return place.evaluate("one => one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight")


@check
def an_outcome_is_whole_and_a_bounce_stands_out(stage):
    bounces(stage, "gone@")
    to = {"Lunch": "dana@example.com", "Plan": "gone@example.com", "Again": "gone@example.com"}
    for subject, address in to.items():
        stage.send(subject, to=address, ConfigurationSetName="events")
    with stage.page() as page:
        expect(rows(page)).to_have_count(3)
        for row, outcome in enumerate(["bounced (Permanent, OnAccountSuppressionList)", "bounced (Permanent, General)", "delivered"]):
            fate, time = rows(page).nth(row).locator(".fate"), rows(page).nth(row).locator(".time")
            expect(fate).to_have_text(outcome)
            assert is_whole(fate), outcome
            assert is_whole(time), outcome
        color = lambda row: rows(page).nth(row).locator(".fate").evaluate("one => getComputedStyle(one).color")
        assert color(1) == color(0) != color(2), [color(row) for row in range(3)]


@check
def the_number_of_recipients_is_never_cut(stage):
    bounces(stage, "gone@")
    stage.send("Lunch", to=["multi@example.com", "a@example.com", "b@example.com"], sender="events@example.com")
    stage.send("Plan", to=["x" * 60 + "@example.com", "a@example.com", "b@example.com"], ConfigurationSetName="events")
    with stage.page() as page:
        expect(rows(page)).to_have_count(2)
        for row in range(2):
            to = rows(page).nth(row).locator(".to")
            inside = to.bounding_box()
            number = to.get_by_text("and 2 more").bounding_box()
            assert number["x"] + number["width"] <= inside["x"] + inside["width"] + 0.5, (inside, number)
        assert is_whole(rows(page).nth(1).locator(".first"))
        assert not is_whole(rows(page).nth(0).locator(".first"))
        assert is_whole(rows(page).nth(1).locator(".from"))


@check
def a_long_address_ends_in_dots(stage):
    stage.send("Lunch", to="x" * 60 + "@example.com")
    with stage.page() as page:
        to = rows(page).first.locator(".to")
        assert not is_whole(to)
        # Dots stand only for what flows in the cell itself.
        style = to.evaluate("one => [getComputedStyle(one).display, getComputedStyle(one).textOverflow]")
        assert style in (["block", "ellipsis"], ["table-cell", "ellipsis"]), style


@check
def no_label_of_a_mail_runs_into_its_value(stage):
    bounces(stage, "gone@")
    ident = stage.send("Lunch", ConfigurationSetName="events", ReplyToAddresses=["help@example.com"])
    with stage.page(f"/outbox/{ident}") as page:
        expect(page.locator("dt", has_text="Configuration set")).to_be_visible()
        gaps = page.locator("dt").evaluate_all("""all => all.map(label => {
            const text = document.createRange();
            text.selectNodeContents(label);
            return label.nextElementSibling.getBoundingClientRect().left - text.getBoundingClientRect().right;
        })""")
        assert min(gaps) >= 4, gaps


@check
def a_telephones_frame_fits_its_place(stage):
    ident = stage.send("Lunch")
    with stage.page(f"/outbox/{ident}?width=phone") as page:
        expect(page.locator("iframe")).to_have_class("phone")
        stage_box = page.locator(".stage")
        assert is_whole(stage_box)
        width = page.locator("iframe").evaluate("frame => frame.clientWidth")
        assert width == min(375, stage_box.evaluate("one => one.clientWidth")), width


@check
def a_trial_of_the_right_to_send_is_not_red(stage):
    try:
        stage.send("check", to=[])
    except stage.ses.exceptions.BadRequestException:
        pass
    try:
        stage.send("Stranger", sender="eve@example.net")
    except stage.ses.exceptions.MessageRejected:
        pass
    with stage.page() as page:
        trial, refusal = page.locator(".refused tr", has_text="A trial"), page.locator(".refused tr", has_text="MessageRejected")
        expect(trial.locator(".to")).to_contain_text("nobody")
        color = lambda row: row.locator(".fate").evaluate("one => getComputedStyle(one).color")
        assert color(trial) != color(refusal)
        expect(page.locator(".count")).to_have_text("0 mails, 2 refusals")
