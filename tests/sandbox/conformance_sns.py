"""Checks the sandbox's SNS through boto3; `conformance.py` runs them."""

import json
import uuid

from conformance import check, refused


def topic(context):
    sns = context.client("sns")
    return sns, sns.create_topic(Name=f"check-{uuid.uuid4()}")["TopicArn"]


def subscribed(context, **attributes):
    """SNS's client, a topic of its own, and the URL of the queue subscribed to it."""
    sns, arn = topic(context)
    url = context.queue()
    sns.subscribe(
        TopicArn=arn,
        Protocol="sqs",
        Endpoint=context.arn(url),
        Attributes=attributes,
        ReturnSubscriptionArn=True,
    )
    return sns, arn, url


@check
def a_topic_is_created_once_listed_and_deleted(context):
    sns, arn = topic(context)
    assert sns.create_topic(Name=arn.rsplit(":", 1)[1])["TopicArn"] == arn
    assert {"TopicArn": arn} in sns.list_topics()["Topics"]
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["TopicArn"] == arn
    sns.delete_topic(TopicArn=arn)
    sns.delete_topic(TopicArn=arn)
    refused(lambda: sns.publish(TopicArn=arn, Message="x"), "NotFound", text="Topic does not")
    refused(lambda: sns.create_topic(Name="a b"), "InvalidParameter")
    refused(lambda: sns.create_topic(Name="a.fifo"), "InvalidParameter")


@check
def a_publication_arrives_in_its_envelope(context):
    sns, arn, url = subscribed(context)
    sent = sns.publish(
        TopicArn=arn,
        Message='{"a": "ü <&>"}',
        Subject="Hello",
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "created"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )
    (message,) = context.receive(url, MessageAttributeNames=["All"])
    body = json.loads(message["Body"])
    assert body["Type"] == "Notification" and body["MessageId"] == sent["MessageId"]
    assert body["TopicArn"] == arn and body["Message"] == '{"a": "ü <&>"}'
    assert body["Subject"] == "Hello" and body["SignatureVersion"] == "1"
    assert body["MessageAttributes"]["kind"] == {"Type": "String", "Value": "created"}
    assert body["MessageAttributes"]["blob"] == {"Type": "Binary", "Value": "AAE="}
    assert "MessageAttributes" not in message
    for name in ("Timestamp", "Signature", "SigningCertURL", "UnsubscribeURL"):
        assert body[name]


@check
def raw_delivery_passes_body_and_attributes_through(context):
    sns, arn, url = subscribed(context, RawMessageDelivery="true")
    attribute = {"DataType": "Number", "StringValue": "7"}
    sns.publish(TopicArn=arn, Message="plain", MessageAttributes={"n": attribute})
    # boto3 itself checks the MD5 of body and attributes.
    (message,) = context.receive(url, MessageAttributeNames=["All"])
    assert message["Body"] == "plain"
    assert message["MessageAttributes"] == {"n": attribute}


@check
def a_subscription_is_idempotent_settable_and_removable(context):
    sns, arn, url = subscribed(context)
    again = sns.subscribe(
        TopicArn=arn, Protocol="sqs", Endpoint=context.arn(url), ReturnSubscriptionArn=True
    )["SubscriptionArn"]
    listed = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert [entry["SubscriptionArn"] for entry in listed] == [again]
    sns.set_subscription_attributes(
        SubscriptionArn=again, AttributeName="RawMessageDelivery", AttributeValue="true"
    )
    attributes = sns.get_subscription_attributes(SubscriptionArn=again)["Attributes"]
    assert attributes["RawMessageDelivery"] == "true"
    sns.unsubscribe(SubscriptionArn=again)
    sns.publish(TopicArn=arn, Message="x")
    assert context.receive(url) == []
    gone = lambda: sns.get_subscription_attributes(SubscriptionArn=again)
    refused(gone, "NotFound")


@check
def bad_publications_are_refused(context):
    sns, arn = topic(context)
    for parameters in (
        {"Message": ""},
        {"Message": "x" * (256 * 1024 + 1)},
        {"Message": "x", "Subject": "x" * 101},
        {"Message": "x", "Subject": "a\nb"},
        {"Message": "x", "MessageStructure": "json"},
        {"Message": '{"sqs": "x"}', "MessageStructure": "json"},
    ):
        refused(lambda: sns.publish(TopicArn=arn, **parameters), "InvalidParameter")
    bad = {"a": {"DataType": "Text", "StringValue": "x"}}
    publish = lambda: sns.publish(TopicArn=arn, Message="x", MessageAttributes=bad)
    refused(publish, "ParameterValueInvalid")


@check
def a_batch_of_publications_arrives(context):
    sns, arn, url = subscribed(context, RawMessageDelivery="true")
    entries = [{"Id": str(n), "Message": f"m{n}"} for n in range(10)]
    answer = sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == [str(n) for n in range(10)]
    messages = context.receive(url, MaxNumberOfMessages=10)
    assert sorted(message["Body"] for message in messages) == [f"m{n}" for n in range(10)]
    many = entries + [{"Id": "10", "Message": "x"}]
    too_many = lambda: sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=many)
    refused(too_many, "TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequestException")
    twice = [entries[0], entries[0]]
    same = lambda: sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=twice)
    refused(same, "BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinctException")
