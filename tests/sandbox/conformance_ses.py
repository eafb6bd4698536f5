"""Checks the sandbox's SES v2 through boto3; `conformance.py` runs them."""

import email.message
import json
import uuid

from conformance import check, refused


def sender(context):
    """SES's client and a sender of the check's own whose domain is verified."""
    ses = context.client("sesv2")
    domain = f"{uuid.uuid4()}.example"
    ses.create_email_identity(EmailIdentity=domain)
    return ses, f"noreply@{domain}"


def part(data):
    return {"Data": data, "Charset": "UTF-8"}


def mail(sender, **changes):
    request = {
        "FromEmailAddress": sender,
        "Destination": {"ToAddresses": ["dana@example.net"]},
        "Content": {
            "Simple": {
                "Subject": part("Grüße"),
                "Body": {"Html": part("<p>é</p>"), "Text": part("é")},
            }
        },
    }
    return request | changes


def taken(context, message_id):
    mails = json.loads(context.http("GET", "/outbox"))["mails"]
    (found,) = [mail for mail in mails if mail["id"] == message_id]
    return found


def with_account(context, settings, work):
    """Works under other account settings, and puts the old ones back."""
    before = json.loads(context.http("PUT", "/ses/account", {}))
    context.http("PUT", "/ses/account", settings)
    try:
        work()
    finally:
        context.http("PUT", "/ses/account", before)


@check
def a_mail_reaches_the_outbox_whole(context):
    ses, address = sender(context)
    name = f"set-{uuid.uuid4()}"
    ses.create_configuration_set(ConfigurationSetName=name)
    assert name in ses.list_configuration_sets()["ConfigurationSets"]
    sent = ses.send_email(
        **mail(
            f"Calendar <{address}>",
            ReplyToAddresses=["help@example.com"],
            EmailTags=[{"Name": "sns", "Value": "id-1"}],
            ConfigurationSetName=name,
        )
    )
    found = taken(context, sent["MessageId"])
    assert found["from"] == f"Calendar <{address}>" and found["to"] == ["dana@example.net"]
    assert found["subject"] == "Grüße" and found["html"] == "<p>é</p>" and found["text"] == "é"
    assert found["reply_to"] == ["help@example.com"] and found["tags"] == [["sns", "id-1"]]
    assert found["configuration_set"] == name
    page = context.http("GET", f"/outbox/{sent['MessageId']}", accept="text/html")
    assert "<h1>Grüße</h1>" in page
    assert context.http("GET", f"/outbox/{sent['MessageId']}/html") == "<p>é</p>"


@check
def a_raw_mail_is_read(context):
    ses, address = sender(context)
    message = email.message.EmailMessage()
    message["From"] = address
    message["To"] = "dana@example.net"
    message["Subject"] = "Grüße"
    message.set_content("Täxt")
    message.add_alternative("<p>Täxt</p>", subtype="html")
    sent = ses.send_email(Content={"Raw": {"Data": message.as_bytes()}})
    found = taken(context, sent["MessageId"])
    assert found["from"] == address and found["to"] == ["dana@example.net"]
    assert found["subject"] == "Grüße", found["subject"]
    assert found["text"].strip() == "Täxt" and found["html"].strip() == "<p>Täxt</p>"


@check
def an_unverified_sender_is_rejected(context):
    ses = context.client("sesv2")
    send = lambda: ses.send_email(**mail("noreply@unknown.example"))
    text = "The following identities failed the check in region US-EAST-1: noreply@unknown"
    refused(send, "MessageRejected", text=text)


@check
def identities_are_created_shown_listed_and_deleted(context):
    ses = context.client("sesv2")
    address = f"{uuid.uuid4()}+label@example.org"
    created = ses.create_email_identity(EmailIdentity=address)
    assert created["IdentityType"] == "EMAIL_ADDRESS" and created["VerifiedForSendingStatus"]
    refused(lambda: ses.create_email_identity(EmailIdentity=address), "AlreadyExistsException")
    shown = ses.get_email_identity(EmailIdentity=address)
    assert shown["VerificationStatus"] == "SUCCESS" and shown["VerifiedForSendingStatus"]
    names = [entry["IdentityName"] for entry in ses.list_email_identities()["EmailIdentities"]]
    assert address in names
    ses.delete_email_identity(EmailIdentity=address)
    refused(lambda: ses.get_email_identity(EmailIdentity=address), "NotFoundException")


@check
def requests_that_break_a_rule_are_bad_requests(context):
    ses, address = sender(context)
    simple = mail(address)["Content"]["Simple"]
    for changes in (
        {"Destination": {"ToAddresses": [f"a{n}@x.net" for n in range(51)]}},
        {"Destination": {"ToAddresses": ["dänä@example.net"]}},
        {"Destination": {"ToAddresses": ["dana"]}},
        {"Destination": {}},
        {"EmailTags": [{"Name": "a", "Value": "a@b"}]},
        {"Content": {}},
        {"Content": {"Simple": simple | {"Subject": {"Data": "Grüße"}}}},
        {"Content": {"Simple": simple | {"Headers": [{"Name": "A", "Value": "é"}]}}},
        {"Content": {"Simple": simple | {"Headers": [{"Name": "A", "Value": "b"}] * 16}}},
        {"Content": {"Simple": simple | {"Body": {}}}},
    ):
        refused(lambda: ses.send_email(**mail(address, **changes)), "BadRequestException")


@check
def a_missing_configuration_set_is_not_found(context):
    ses, address = sender(context)
    send = lambda: ses.send_email(**mail(address, ConfigurationSetName="nowhere"))
    refused(send, "NotFoundException", text="Configuration set <nowhere> does not exist.")


@check
def the_account_tells_and_keeps_its_quota(context):
    ses, address = sender(context)
    account = ses.get_account()
    assert account["EnforcementStatus"] == "HEALTHY" and account["SendingEnabled"]
    sent = account["SendQuota"]["SentLast24Hours"]
    ses.send_email(**mail(address))
    assert ses.get_account()["SendQuota"]["SentLast24Hours"] == sent + 1
    send = lambda: ses.send_email(**mail(address))

    def over_quota():
        refused(send, "TooManyRequestsException", text="Daily message quota exceeded")

    with_account(context, {"max_24_hour_send": sent}, over_quota)

    def over_rate():
        try:
            for _ in range(5):
                send()
        except ses.exceptions.TooManyRequestsException as error:
            assert "Maximum sending rate exceeded." in str(error)
        else:
            raise AssertionError("five mails at once at one a second")

    with_account(context, {"max_send_rate": 1}, over_rate)


@check
def paused_and_suspended_accounts_refuse(context):
    ses, address = sender(context)
    send = lambda: ses.send_email(**mail(address))
    with_account(context, {"paused": True}, lambda: refused(send, "SendingPausedException"))
    with_account(context, {"suspended": True}, lambda: refused(send, "AccountSuspendedException"))
    ses.put_account_sending_attributes(SendingEnabled=False)
    try:
        refused(send, "SendingPausedException")
        assert not ses.get_account()["SendingEnabled"]
    finally:
        ses.put_account_sending_attributes(SendingEnabled=True)
    send()
