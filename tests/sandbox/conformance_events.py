"""Checks the events of the sandbox's SES through boto3; `conformance.py` runs them."""

import json
import time
import uuid

from conformance import check, refused
from conformance_ses import mail, sender

GREETING = "Successfully validated SNS topic for Amazon SES event publishing."
TYPES = ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT", "DELIVERY_DELAY", "RENDERING_FAILURE"]


class Pipe:
    """A configuration set whose events reach a queue of the check's own through a topic."""

    def __init__(self, context, raw=False, types=TYPES, enabled=True):
        self.context = context
        self.ses, self.address = sender(context)
        self.set = f"set-{uuid.uuid4()}"
        self.url = context.queue()
        sns = context.client("sns")
        self.topic = sns.create_topic(Name=f"topic-{uuid.uuid4()}")["TopicArn"]
        attributes = {"RawMessageDelivery": "true"} if raw else {}
        sns.subscribe(
            TopicArn=self.topic,
            Protocol="sqs",
            Endpoint=context.arn(self.url),
            Attributes=attributes,
        )
        self.ses.create_configuration_set(ConfigurationSetName=self.set)
        self.ses.create_configuration_set_event_destination(
            ConfigurationSetName=self.set,
            EventDestinationName="feedback",
            EventDestination={
                "Enabled": enabled,
                "MatchingEventTypes": types,
                "SnsDestination": {"TopicArn": self.topic},
            },
        )
        greeting = self.body()
        if not raw:
            greeting = json.loads(greeting)["Message"]
        assert greeting == GREETING, greeting

    def send(self, to, **changes):
        request = mail(
            self.address,
            Destination={"ToAddresses": [to]},
            ConfigurationSetName=self.set,
            EmailTags=[{"Name": "notification-id", "Value": "n-1"}],
            **changes,
        )
        return self.ses.send_email(**request)["MessageId"]

    def body(self, wait=5):
        messages = self.context.receive(self.url, WaitTimeSeconds=wait)
        if not messages:
            return None
        (message,) = messages
        self.context.sqs.delete_message(
            QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"]
        )
        return message["Body"]

    def event(self):
        envelope = json.loads(self.body())
        assert envelope["Type"] == "Notification", envelope
        assert envelope["TopicArn"] == self.topic, envelope
        assert envelope["Subject"] == "Amazon SES Email Event Notification", envelope
        return json.loads(envelope["Message"])


@check
def a_mail_is_sent_and_delivered_with_its_tags(context):
    pipe = Pipe(context)
    message_id = pipe.send("dana@example.net")
    for kind, field in [("Send", "send"), ("Delivery", "delivery")]:
        event = pipe.event()
        assert event["eventType"] == kind, event
        assert field in event, event
        assert event["mail"]["messageId"] == message_id, event
        assert event["mail"]["tags"]["notification-id"] == ["n-1"], event
        assert event["mail"]["tags"]["ses:configuration-set"] == [pipe.set], event


@check
def raw_delivery_brings_the_event_alone(context):
    pipe = Pipe(context, raw=True)
    pipe.send("dana@example.net")
    assert json.loads(pipe.body())["eventType"] == "Send"


@check
def the_simulator_bounces_and_complains(context):
    pipe = Pipe(context, types=["BOUNCE", "COMPLAINT"])
    pipe.send("bounce+1@simulator.amazonses.com")
    bounce = pipe.event()["bounce"]
    assert bounce["bounceType"] == "Permanent", bounce
    assert bounce["bouncedRecipients"][0]["emailAddress"].startswith("bounce+1@"), bounce
    pipe.send("complaint@simulator.amazonses.com")
    complaint = pipe.event()["complaint"]
    assert complaint["complaintFeedbackType"] == "abuse", complaint


@check
def a_suppressed_address_bounces(context):
    pipe = Pipe(context, types=["BOUNCE"])
    address = f"{uuid.uuid4()}@example.net"
    pipe.ses.put_suppressed_destination(EmailAddress=address, Reason="COMPLAINT")
    shown = pipe.ses.get_suppressed_destination(EmailAddress=address)
    assert shown["SuppressedDestination"]["Reason"] == "COMPLAINT", shown
    assert abs(shown["SuppressedDestination"]["LastUpdateTime"].timestamp() - time.time()) < 60
    pipe.send(address)
    assert pipe.event()["bounce"]["bounceSubType"] == "OnAccountSuppressionList"
    listed = pipe.ses.list_suppressed_destinations()["SuppressedDestinationSummaries"]
    assert address in [one["EmailAddress"] for one in listed], listed
    pipe.ses.delete_suppressed_destination(EmailAddress=address)
    refused(
        lambda: pipe.ses.get_suppressed_destination(EmailAddress=address), "NotFoundException"
    )


@check
def a_destination_is_shown_changed_and_gone(context):
    pipe = Pipe(context)
    name = {"ConfigurationSetName": pipe.set}
    (shown,) = pipe.ses.get_configuration_set_event_destinations(**name)["EventDestinations"]
    assert shown["Enabled"] is True, shown
    assert sorted(shown["MatchingEventTypes"]) == sorted(TYPES), shown
    assert shown["SnsDestination"]["TopicArn"] == pipe.topic, shown
    one = {**name, "EventDestinationName": "feedback"}
    pipe.ses.update_configuration_set_event_destination(
        **one,
        EventDestination={
            "MatchingEventTypes": ["SEND"],
            "SnsDestination": {"TopicArn": pipe.topic},
        },
    )
    (shown,) = pipe.ses.get_configuration_set_event_destinations(**name)["EventDestinations"]
    assert shown["Enabled"] is False, "a destination that does not say so is off"
    pipe.send("dana@example.net")
    assert pipe.body(wait=1) is None
    pipe.ses.delete_configuration_set_event_destination(**one)
    shown = pipe.ses.get_configuration_set_event_destinations(**name)
    assert shown["EventDestinations"] == [], shown
    refused(
        lambda: pipe.ses.delete_configuration_set_event_destination(**one), "NotFoundException"
    )


@check
def a_wrong_destination_is_refused(context):
    pipe = Pipe(context)

    def create(topic, types, name="other"):
        pipe.ses.create_configuration_set_event_destination(
            ConfigurationSetName=pipe.set,
            EventDestinationName=name,
            EventDestination={
                "Enabled": True,
                "MatchingEventTypes": types,
                "SnsDestination": {"TopicArn": topic},
            },
        )

    refused(lambda: create(pipe.topic, ["SENT"]), "BadRequestException")
    refused(lambda: create(pipe.topic + "-gone", ["SEND"]), "BadRequestException")
    refused(lambda: create(pipe.topic, ["SEND"], "feedback"), "AlreadyExistsException")
    pipe.set = f"set-{uuid.uuid4()}"
    refused(lambda: create(pipe.topic, ["SEND"]), "NotFoundException")


@check
def an_identity_tells_its_default_set_dkim_and_mail_from(context):
    pipe = Pipe(context, types=["SEND"])
    domain = pipe.address.split("@")[1]
    identity = {"EmailIdentity": domain}
    pipe.ses.put_email_identity_configuration_set_attributes(
        **identity, ConfigurationSetName=pipe.set
    )
    pipe.ses.put_email_identity_feedback_attributes(**identity, EmailForwardingEnabled=False)
    pipe.ses.put_email_identity_mail_from_attributes(
        **identity, MailFromDomain=f"bounce.{domain}"
    )
    shown = pipe.ses.get_email_identity(**identity)
    assert shown["ConfigurationSetName"] == pipe.set, shown
    assert shown["FeedbackForwardingStatus"] is False, shown
    assert shown["MailFromAttributes"]["MailFromDomain"] == f"bounce.{domain}", shown
    assert shown["MailFromAttributes"]["MailFromDomainStatus"] == "PENDING", shown
    assert "Status" in shown["DkimAttributes"], shown
    pipe.ses.send_email(**mail(pipe.address))
    assert pipe.event()["eventType"] == "Send", "a mail that names no set has the identity's"
