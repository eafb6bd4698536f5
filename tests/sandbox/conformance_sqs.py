"""Checks of the sandbox's SQS and of the frame around all services; `conformance.py` runs them."""

import hashlib
import json
import struct
import threading
import time

from conformance import check, refused


def md5_of_attributes(attributes):
    """The MD5 of message attributes, written down once more from AWS's description."""

    def part(data):
        return struct.pack(">I", len(data)) + data

    digest = hashlib.md5()
    for name in sorted(attributes):
        value = attributes[name]
        digest.update(part(name.encode()) + part(value["DataType"].encode()))
        if "BinaryValue" in value:
            digest.update(b"\x02" + part(value["BinaryValue"]))
        else:
            digest.update(b"\x01" + part(value["StringValue"].encode()))
    return digest.hexdigest()


@check
def a_queue_is_created_found_listed_and_deleted(context):
    url = context.queue(VisibilityTimeout="7")
    name = url.rsplit("/", 1)[1]
    assert url == f"{context.endpoint}/000000000000/{name}"
    assert context.sqs.create_queue(QueueName=name)["QueueUrl"] == url
    assert context.sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    assert context.sqs.list_queues(QueueNamePrefix=name)["QueueUrls"] == [url]
    context.sqs.delete_queue(QueueUrl=url)
    gone = context.sqs.exceptions.QueueDoesNotExist
    try:
        context.sqs.get_queue_url(QueueName=name)
    except gone as error:
        code = error.response["Error"]["Code"]
        assert code == "AWS.SimpleQueueService.NonExistentQueue", code
    else:
        raise AssertionError("still there")


@check
def creating_with_other_attributes_is_refused(context):
    name = context.queue(VisibilityTimeout="7").rsplit("/", 1)[1]
    create = lambda: context.sqs.create_queue(
        QueueName=name, Attributes={"VisibilityTimeout": "8"}
    )
    refused(create, "QueueAlreadyExists")


@check
def bad_names_and_fifo_queues_are_refused(context):
    refused(lambda: context.sqs.create_queue(QueueName="a b"), "InvalidParameterValue")
    refused(lambda: context.sqs.create_queue(QueueName="a" * 81), "InvalidParameterValue")
    fifo = {"QueueName": "a.fifo", "Attributes": {"FifoQueue": "true"}}
    refused(
        lambda: context.sqs.create_queue(**fifo), "AWS.SimpleQueueService.UnsupportedOperation"
    )


@check
def attributes_have_defaults_and_ranges(context):
    url = context.queue()
    answer = context.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    expected = {
        "VisibilityTimeout": "30",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
        "MaximumMessageSize": "1048576",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
    }
    assert expected.items() <= answer.items(), answer
    assert answer["QueueArn"] == f"arn:aws:sqs:us-east-1:000000000000:{url.rsplit('/', 1)[1]}"
    assert abs(int(answer["CreatedTimestamp"]) - time.time()) < 60

    def put(name, value):
        return lambda: context.sqs.set_queue_attributes(QueueUrl=url, Attributes={name: value})

    refused(put("VisibilityTimeout", "43201"), "InvalidAttributeValue")
    refused(put("MessageRetentionPeriod", "59"), "InvalidAttributeValue")
    refused(put("DelaySeconds", "901"), "InvalidAttributeValue")
    refused(put("ReceiveMessageWaitTimeSeconds", "21"), "InvalidAttributeValue")
    refused(put("MaximumMessageSize", "1023"), "InvalidAttributeValue")
    refused(put("Colour", "red"), "InvalidAttributeName")
    put("VisibilityTimeout", "43200")()


@check
def a_redrive_policy_needs_its_target_and_a_sane_count(context):
    dead = context.queue()
    url = context.queue()
    policy = {"deadLetterTargetArn": context.arn(dead), "maxReceiveCount": "2"}

    def put(**changes):
        value = json.dumps({**policy, **changes})
        return lambda: context.sqs.set_queue_attributes(
            QueueUrl=url, Attributes={"RedrivePolicy": value}
        )

    put()()
    put(maxReceiveCount=1000)()
    bad = "InvalidParameterValue"
    refused(put(maxReceiveCount=0), bad, text="maxReceiveCount")
    refused(put(maxReceiveCount=1001), bad, text="maxReceiveCount")
    refused(put(deadLetterTargetArn=context.arn(dead) + "x"), bad, text="does not exist")
    sources = context.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"]
    assert sources == [url], sources


@check
def tags_are_kept(context):
    url = context.queue()
    context.sqs.tag_queue(QueueUrl=url, Tags={"team": "events", "stage": "test"})
    context.sqs.untag_queue(QueueUrl=url, TagKeys=["stage"])
    assert context.sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "events"}


@check
def digests_are_those_that_aws_computes(context):
    url = context.queue()
    attributes = {
        "zeta": {"DataType": "String", "StringValue": "ü"},
        "alpha": {"DataType": "Number.int", "StringValue": "7"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}}
    sent = context.sqs.send_message(
        QueueUrl=url,
        MessageBody="grüße",
        MessageAttributes=attributes,
        MessageSystemAttributes=trace,
    )
    assert sent["MD5OfMessageBody"] == hashlib.md5("grüße".encode()).hexdigest()
    assert sent["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
    assert sent["MD5OfMessageSystemAttributes"] == md5_of_attributes(trace)
    [message] = context.receive(
        url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    )
    assert message["Body"] == "grüße"
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MessageAttributes"] == attributes
    assert message["Attributes"]["AWSTraceHeader"] == "Root=1-2-3"


@check
def only_the_attributes_asked_for_are_returned(context):
    url = context.queue(VisibilityTimeout="0")
    attributes = {
        name: {"DataType": "String", "StringValue": name} for name in ["foo.a", "foo.b", "bar"]
    }
    context.sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)
    [bare] = context.receive(url)
    assert "Attributes" not in bare and "MessageAttributes" not in bare, bare
    assert "MD5OfMessageAttributes" not in bare, bare
    for names, expected in [
        (["foo.*"], {"foo.a", "foo.b"}),
        ([".*"], {"foo.a", "foo.b", "bar"}),
        (["bar", "other"], {"bar"}),
    ]:
        [message] = context.receive(url, MessageAttributeNames=names)
        assert set(message["MessageAttributes"]) == expected, (names, message)
        chosen = {name: attributes[name] for name in expected}
        assert message["MD5OfMessageAttributes"] == md5_of_attributes(chosen)
    for parameter in ["AttributeNames", "MessageSystemAttributeNames"]:
        [message] = context.receive(url, **{parameter: ["ApproximateReceiveCount", "SenderId"]})
        assert set(message["Attributes"]) == {"ApproximateReceiveCount", "SenderId"}
    assert message["Attributes"]["ApproximateReceiveCount"] == "6"


@check
def bad_messages_are_refused(context):
    url = context.queue(MaximumMessageSize="1024")

    def send(body="x", **parameters):
        return lambda: context.sqs.send_message(QueueUrl=url, MessageBody=body, **parameters)

    refused(send(""), "MissingParameter")
    refused(send("\x0b"), "InvalidMessageContents")
    refused(send("x" * 1025), "InvalidParameterValue", text="shorter than 1024")
    send("x" * 1024)()
    filler = {"a": {"DataType": "String", "StringValue": "y" * 10}}
    refused(send("x" * 1010, MessageAttributes=filler), "InvalidParameterValue")
    many = {f"a{n}": {"DataType": "String", "StringValue": "y"} for n in range(11)}
    refused(send(MessageAttributes=many), "InvalidParameterValue")
    for name in ["AWS.x", "amazon.x", ".x", "x.", "x..y", "x y"]:
        one = {name: {"DataType": "String", "StringValue": "y"}}
        refused(send(MessageAttributes=one), "InvalidParameterValue")
    for value in [
        {"DataType": "Colour", "StringValue": "y"},
        {"DataType": "String", "StringValue": ""},
        {"DataType": "Number", "StringValue": "y"},
        {"DataType": "Binary", "StringValue": "y"},
    ]:
        refused(send(MessageAttributes={"a": value}), "InvalidParameterValue")
    refused(send(DelaySeconds=901), "InvalidParameterValue")


@check
def the_ranges_of_a_receive_are_checked(context):
    url = context.queue()
    for bad in [
        {"MaxNumberOfMessages": 0},
        {"MaxNumberOfMessages": 11},
        {"WaitTimeSeconds": 21},
        {"WaitTimeSeconds": -1},
        {"VisibilityTimeout": 43201},
    ]:
        refused(lambda: context.receive(url, **bad), "InvalidParameterValue")
    refused(lambda: context.receive(url, AttributeNames=["Colour"]), "InvalidAttributeName")
    assert "Messages" not in context.sqs.receive_message(QueueUrl=url)


@check
def batches_as_a_whole_are_checked(context):
    url = context.queue()
    prefix = "AWS.SimpleQueueService."

    def send(*entries):
        entries = [{"Id": name, "MessageBody": body} for name, body in entries]
        return lambda: context.sqs.send_message_batch(QueueUrl=url, Entries=entries)

    refused(send(), prefix + "EmptyBatchRequest")
    eleven = [(f"e{n}", "x") for n in range(11)]
    refused(send(*eleven), prefix + "TooManyEntriesInBatchRequest")
    refused(send(("a", "x"), ("a", "y")), prefix + "BatchEntryIdsNotDistinct")
    refused(send(("a b", "x")), prefix + "InvalidBatchEntryId")
    refused(send(("a" * 81, "x")), prefix + "InvalidBatchEntryId")
    half = "x" * 600_000
    refused(send(("a", half), ("b", half)), prefix + "BatchRequestTooLong")
    answer = send(("a", "x"), ("b", "\x0b"))()
    assert [entry["Id"] for entry in answer["Successful"]] == ["a"]
    [failed] = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == (
        "b",
        "InvalidMessageContents",
        True,
    )


@check
def a_batch_fails_entry_by_entry(context):
    url = context.queue()
    context.sqs.send_message(QueueUrl=url, MessageBody="x")
    [message] = context.receive(url)
    entries = [
        {"Id": "good", "ReceiptHandle": message["ReceiptHandle"]},
        {"Id": "bad", "ReceiptHandle": "made-up"},
    ]
    timed = [{**entry, "VisibilityTimeout": 60} for entry in entries]
    for answer in [
        context.sqs.change_message_visibility_batch(QueueUrl=url, Entries=timed),
        context.sqs.delete_message_batch(QueueUrl=url, Entries=entries),
    ]:
        assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
        [failed] = answer["Failed"]
        assert failed["Id"] == "bad" and failed["SenderFault"] is True
        assert failed["Code"] == "ReceiptHandleIsInvalid" and failed["Message"]


@check
def a_made_up_receipt_handle_is_refused(context):
    url = context.queue()
    handle = {"QueueUrl": url, "ReceiptHandle": "made-up"}
    refused(lambda: context.sqs.delete_message(**handle), "ReceiptHandleIsInvalid")
    change = lambda: context.sqs.change_message_visibility(**handle, VisibilityTimeout=1)
    refused(change, "ReceiptHandleIsInvalid")


@check
def an_expired_handle_deletes_but_a_superseded_one_does_not(context):
    url = context.queue(VisibilityTimeout="0")
    context.sqs.send_message(QueueUrl=url, MessageBody="x")
    [first] = context.receive(url)
    [second] = context.receive(url)
    assert first["ReceiptHandle"] != second["ReceiptHandle"]
    context.sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    [third] = context.receive(url)
    context.sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])
    assert context.receive(url) == []
    context.sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])


@check
def visibility_changes_only_what_is_in_flight(context):
    url = context.queue(VisibilityTimeout="0")
    context.sqs.send_message(QueueUrl=url, MessageBody="x")

    def change(message, seconds):
        return lambda: context.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )

    [first] = context.receive(url)
    refused(change(first, 5), "AWS.SimpleQueueService.MessageNotInflight")
    [second] = context.receive(url, VisibilityTimeout=30)
    unavailable = "not available for visibility timeout change"
    refused(change(first, 5), "InvalidParameterValue", text=unavailable)
    refused(change(second, 43201), "InvalidParameterValue")
    time.sleep(1.1)
    refused(change(second, 43200), "InvalidParameterValue", text="Total VisibilityTimeout")
    change(second, 43190)()
    change(second, 0)()
    [third] = context.receive(url, VisibilityTimeout=30)
    context.sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])
    refused(change(third, 5), "InvalidParameterValue", text=unavailable)


@check
def a_message_is_dead_lettered_after_its_last_receive(context):
    dead = context.queue()
    policy = {"deadLetterTargetArn": context.arn(dead), "maxReceiveCount": 2}
    url = context.queue(VisibilityTimeout="0", RedrivePolicy=json.dumps(policy))
    sent = context.sqs.send_message(QueueUrl=url, MessageBody="x")
    assert len(context.receive(url)) == 1
    assert len(context.receive(url)) == 1
    assert context.receive(dead) == []
    assert context.receive(url) == []
    [message] = context.receive(dead, AttributeNames=["All"])
    assert message["MessageId"] == sent["MessageId"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == context.arn(url)


@check
def a_long_poll_returns_at_once_on_arrival_and_on_expiry(context):
    url = context.queue()
    other = context.client("sqs")
    send = lambda: other.send_message(QueueUrl=url, MessageBody="x")
    threading.Timer(0.5, send).start()
    start = time.monotonic()
    assert len(context.receive(url, WaitTimeSeconds=10, VisibilityTimeout=1)) == 1
    assert 0.4 < time.monotonic() - start < 0.9, time.monotonic() - start
    start = time.monotonic()
    assert len(context.receive(url, WaitTimeSeconds=10)) == 1
    assert 0.7 < time.monotonic() - start < 1.3, time.monotonic() - start
    start = time.monotonic()
    assert context.receive(url, WaitTimeSeconds=1) == []
    assert 0.9 < time.monotonic() - start < 1.5, time.monotonic() - start


@check
def a_delayed_message_comes_when_its_delay_is_over(context):
    url = context.queue(DelaySeconds="900")
    context.sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=1)
    assert context.receive(url) == []
    counts = context.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesDelayed"] == "1"
    assert len(context.receive(url, WaitTimeSeconds=3)) == 1


@check
def a_purge_empties_the_queue_once_a_minute(context):
    url = context.queue()
    context.sqs.send_message(QueueUrl=url, MessageBody="x")
    context.sqs.purge_queue(QueueUrl=url)
    assert context.receive(url) == []
    again = lambda: context.sqs.purge_queue(QueueUrl=url)
    refused(again, "AWS.SimpleQueueService.PurgeQueueInProgress")


@check
def a_fault_strikes_as_often_as_it_should(context):
    url = context.queue()
    context.sqs.send_message(QueueUrl=url, MessageBody="x")
    fault = {"error": {"code": "RequestThrottled", "status": 400}}
    context.http("PUT", "/faults", [{"operation": "sqs:ReceiveMessage", "fault": fault, "count": 2}])
    try:
        refused(lambda: context.receive(url), "RequestThrottled")
        refused(lambda: context.receive(url), "RequestThrottled")
        assert len(context.receive(url)) == 1
        assert json.loads(context.http("GET", "/faults"))["rules"][0]["struck"] == 2
    finally:
        context.http("DELETE", "/faults")


@check
def calls_are_counted(context):
    before = json.loads(context.http("GET", "/calls")).get("sqs:ListQueues", 0)
    context.sqs.list_queues()
    assert json.loads(context.http("GET", "/calls"))["sqs:ListQueues"] == before + 1
