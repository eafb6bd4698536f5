"""Checks the sandbox's DynamoDB through boto3; `conformance.py` runs them.

They need nothing of the sandbox's own, so that this file alone runs against moto, too, which checks
the checks:

    python3 tests/sandbox/conformance_dynamodb.py http://127.0.0.1:5000

Moto 5.2 is laxer than AWS's documentation in two of them, which are left out there: see `STRICTER`.
"""

import sys
import time
import uuid

import botocore.exceptions

from conformance import CHECKS, Context, check, refused


def table(context, **changes):
    """A table of the check's own, with the key `id`, and a client."""
    dynamodb = context.client("dynamodb")
    name = f"table-{uuid.uuid4()}"
    request = {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    dynamodb.create_table(**(request | changes))
    return dynamodb, name


def claim(name, owner, now, until, earlier=()):
    """A claim as the daemon writes it."""
    owners = {f":owner{place}": {"S": one} for place, one in enumerate((owner, *earlier))}
    return {
        "TableName": name,
        "Item": {
            "id": {"S": "mail"},
            "state": {"S": "sending"},
            "owner": {"S": owner},
            "until": {"N": str(until)},
            "expires": {"N": "4000000000"},
        },
        "ConditionExpression": "attribute_not_exists(#id) OR #expires < :now_s OR "
        f"(#state = :sending AND (#until < :now_ms OR #owner IN ({', '.join(owners)})))",
        "ExpressionAttributeNames": {
            f"#{name}": name for name in ("id", "state", "owner", "until", "expires")
        },
        "ExpressionAttributeValues": owners
        | {
            ":sending": {"S": "sending"},
            ":now_ms": {"N": str(now)},
            ":now_s": {"N": str(now // 1000)},
        },
        "ReturnValues": "ALL_OLD",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


@check
def a_table_is_made_and_tells_its_key_and_its_expiry(context):
    dynamodb, name = table(context)
    described = dynamodb.describe_table(TableName=name)["Table"]
    assert described["TableStatus"] == "ACTIVE"
    assert described["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    live = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert live["TimeToLiveStatus"] == "DISABLED"
    dynamodb.update_time_to_live(
        TableName=name,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
    )
    live = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    refused(lambda: dynamodb.describe_table(TableName="none-of-that"), "ResourceNotFoundException")
    refused(
        lambda: dynamodb.get_item(TableName="none-of-that", Key={"id": {"S": "a"}}),
        "ResourceNotFoundException",
    )


@check
def a_claim_is_for_one_and_the_loser_sees_it(context):
    dynamodb, name = table(context)
    assert "Attributes" not in dynamodb.put_item(**claim(name, "one", 1000, 5000))
    try:
        dynamodb.put_item(**claim(name, "other", 2000, 6000))
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"
        assert error.response["Item"]["owner"] == {"S": "one"}
        assert error.response["Item"]["until"] == {"N": "5000"}
    else:
        raise AssertionError("two have it")
    # Its own earlier claim is no hindrance, nor is one that has ended.
    old = dynamodb.put_item(**claim(name, "again", 2000, 6000, earlier=("one",)))
    assert old["Attributes"]["owner"] == {"S": "one"}
    dynamodb.put_item(**claim(name, "other", 7000, 9000))


@check
def what_was_sent_is_never_claimed(context):
    dynamodb, name = table(context)
    sent = {"id": {"S": "mail"}, "state": {"S": "sent"}, "expires": {"N": "4000000000"}}
    dynamodb.put_item(TableName=name, Item=sent)
    put = lambda: dynamodb.put_item(**claim(name, "one", 1000, 5000))
    refused(put, "ConditionalCheckFailedException")
    # Until it has expired, whether it was deleted by then or not.
    dynamodb.put_item(TableName=name, Item=sent | {"expires": {"N": "0"}})
    put()


@check
def a_claim_is_taken_back_by_its_owner_alone(context):
    dynamodb, name = table(context)
    dynamodb.put_item(**claim(name, "one", 1000, 5000))
    delete = lambda owner: dynamodb.delete_item(
        TableName=name,
        Key={"id": {"S": "mail"}},
        ConditionExpression="#state = :sending AND #owner IN (:owner)",
        ExpressionAttributeNames={"#state": "state", "#owner": "owner"},
        ExpressionAttributeValues={":sending": {"S": "sending"}, ":owner": {"S": owner}},
    )
    refused(lambda: delete("other"), "ConditionalCheckFailedException")
    delete("one")
    assert "Item" not in dynamodb.get_item(
        TableName=name, Key={"id": {"S": "mail"}}, ConsistentRead=True
    )
    # What is not there does not meet a condition on what it holds.
    refused(lambda: delete("one"), "ConditionalCheckFailedException")


def batches(context):
    """A table, and what writes and reads several of its items by their keys."""
    dynamodb, name = table(context)
    put = lambda id: {"PutRequest": {"Item": {"id": {"S": id}, "state": {"S": "sent"}}}}
    write = lambda *ids: dynamodb.batch_write_item(RequestItems={name: [put(id) for id in ids]})
    read = lambda *ids: dynamodb.batch_get_item(
        RequestItems={name: {"Keys": [{"id": {"S": id}} for id in ids]}}
    )
    return dynamodb, name, write, read


@check
def batches_write_and_find_what_is_there(context):
    dynamodb, name, write, read = batches(context)
    assert write(*map(str, range(25)))["UnprocessedItems"] == {}
    found = read("1", "24", "99")
    assert sorted(item["id"]["S"] for item in found["Responses"][name]) == ["1", "24"]
    assert found["UnprocessedKeys"] == {}
    dynamodb.batch_write_item(
        RequestItems={name: [{"DeleteRequest": {"Key": {"id": {"S": "1"}}}}]}
    )
    assert len(dynamodb.scan(TableName=name)["Items"]) == 24


@check
def batches_refuse_what_they_may_not_hold(context):
    _, _, write, read = batches(context)
    refused(lambda: write("a", "a"), "ValidationException")
    refused(lambda: write(*map(str, range(26))), "ValidationException")
    refused(lambda: read("1", "1"), "ValidationException")


@check
def expressions_are_read_strictly(context):
    dynamodb, name = table(context)

    def put(condition, values=None, names=None):
        request = {
            "TableName": name,
            "Item": {"id": {"S": "a"}},
            "ConditionExpression": condition,
        }
        if values:
            request["ExpressionAttributeValues"] = values
        if names:
            request["ExpressionAttributeNames"] = names
        return lambda: dynamodb.put_item(**request)

    one = {":one": {"N": "1"}}
    for condition, values, names in [
        ("state = :one", one, None),
        ("n = :other", one, None),
        ("#n = :one", one, None),
        ("n = :one AND", one, None),
        ("attribute_exist(n)", None, None),
        ("n = :one", one | {":unused": {"N": "1"}}, None),
        ("n = :one", one, {"#unused": "n"}),
    ]:
        refused(put(condition, values, names), "ValidationException")
    refused(put("n = :one", one), "ConditionalCheckFailedException")
    put("attribute_not_exists(n) OR n BETWEEN :one AND :one", one)()


@check
def an_item_needs_its_key(context):
    dynamodb, name = table(context)
    for item in [{}, {"id": {"N": "1"}}, {"id": {"S": ""}}, {"other": {"S": "a"}}]:
        refused(lambda: dynamodb.put_item(TableName=name, Item=item), "ValidationException")


@check
def answers_tell_the_time(context):
    dynamodb, name = table(context)
    answer = dynamodb.get_item(TableName=name, Key={"id": {"S": "a"}})
    date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
    told = time.mktime(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")) - time.timezone
    assert abs(told - time.time()) < 10, date


# Moto takes more than 25 writes in one BatchWriteItem, and answers some expressions that are none with a 500.
STRICTER = {batches_refuse_what_they_may_not_hold, expressions_are_read_strictly}


if __name__ == "__main__":
    failures = 0
    CHECKS[:] = [one for one in CHECKS if one not in STRICTER]
    for one in CHECKS:
        try:
            one(Context(sys.argv[1]))
        except Exception as error:
            failures += 1
            print(f"{one.__name__}: {error!r}")
    print(f"{len(CHECKS) - failures} passed, {failures} failed")
    sys.exit(failures > 0)
