"""Checks the sandbox's DynamoDB through boto3; `conformance.py` runs them."""

import datetime
import email.utils
import json
import time
import uuid

from conformance import check, refused

CONDITION_FAILED = "ConditionalCheckFailedException"
INVALID = "ValidationException"
NOT_FOUND = "ResourceNotFoundException"


class Table:
    """A table of the check's own, with a text as its key."""

    def __init__(self, context, **settings):
        self.client = context.client("dynamodb")
        self.name = f"check-{uuid.uuid4()}"
        request = {
            "TableName": self.name,
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        self.client.create_table(**request | settings)
        self.client.get_waiter("table_exists").wait(TableName=self.name)

    def put(self, item, condition=None, **parameters):
        if condition is not None:
            parameters["ConditionExpression"] = condition
        return self.client.put_item(TableName=self.name, Item=item, **parameters)

    def get(self, id, **parameters):
        answer = self.client.get_item(
            TableName=self.name, Key=key(id), ConsistentRead=True, **parameters
        )
        return answer.get("Item")

    def delete(self, id, condition=None, **parameters):
        if condition is not None:
            parameters["ConditionExpression"] = condition
        return self.client.delete_item(TableName=self.name, Key=key(id), **parameters)

    def write(self, *requests):
        return self.client.batch_write_item(RequestItems={self.name: list(requests)})

    def read(self, *ids, **parameters):
        wanted = {"Keys": [key(id) for id in ids]} | parameters
        return self.client.batch_get_item(RequestItems={self.name: wanted})

    def meets(self, id, condition, values=None, names=None):
        """Whether an item meets a condition; what is put back in its place is the item itself."""
        parameters = {}
        if values:
            parameters["ExpressionAttributeValues"] = values
        if names:
            parameters["ExpressionAttributeNames"] = names
        try:
            self.put(self.get(id), condition, **parameters)
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def key(id):
    return {"id": {"S": id}}


def put_request(id, **attributes):
    return {"PutRequest": {"Item": key(id) | attributes}}


def delete_request(id):
    return {"DeleteRequest": {"Key": key(id)}}


@check
def a_table_is_created_described_listed_and_deleted(context):
    table = Table(context, SSESpecification={"Enabled": True}, Tags=[{"Key": "a", "Value": "b"}])
    described = table.client.describe_table(TableName=table.name)["Table"]
    assert described["TableStatus"] == "ACTIVE" and described["ItemCount"] == 0
    assert described["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert described["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
    assert described["SSEDescription"]["Status"] == "ENABLED"
    assert described["TableArn"].endswith(f":table/{table.name}")
    age = datetime.datetime.now(datetime.timezone.utc) - described["CreationDateTime"]
    assert abs(age) < datetime.timedelta(minutes=1), age
    tags = table.client.list_tags_of_resource(ResourceArn=described["TableArn"])["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    pages = table.client.get_paginator("list_tables").paginate()
    assert table.name in [name for page in pages for name in page["TableNames"]]
    again = lambda: Table(context, TableName=table.name)
    refused(again, "ResourceInUseException")
    table.client.delete_table(TableName=table.name)
    gone = lambda: table.client.describe_table(TableName=table.name)
    refused(gone, NOT_FOUND, text="not found")


@check
def a_protected_table_stays(context):
    table = Table(context, DeletionProtectionEnabled=True)
    assert table.client.describe_table(TableName=table.name)["Table"]["DeletionProtectionEnabled"]
    refused(lambda: table.client.delete_table(TableName=table.name), INVALID)


@check
def a_table_that_is_not_there_is_told(context):
    table = Table(context)
    table.name = "check-none"
    refused(lambda: table.put(key("a")), NOT_FOUND, text="Requested resource not found")
    refused(lambda: table.get("a"), NOT_FOUND)
    refused(lambda: table.delete("a"), NOT_FOUND)
    refused(lambda: table.write(put_request("a")), NOT_FOUND)
    refused(lambda: table.read("a"), NOT_FOUND)


@check
def an_item_of_all_types_comes_back(context):
    table = Table(context)
    item = key("a") | {
        "n": {"N": "-12.5"},
        "b": {"B": b"\x00\xff"},
        "yes": {"BOOL": True},
        "nil": {"NULL": True},
        "l": {"L": [{"S": "x"}, {"M": {"y": {"N": "1"}}}]},
        "empty": {"S": ""},
    }
    assert "Attributes" not in table.put(item, ReturnValues="ALL_OLD")
    assert table.get("a") == item
    assert table.put(key("a"), ReturnValues="ALL_OLD")["Attributes"] == item
    assert table.get("a") == key("a")
    assert table.delete("a", ReturnValues="ALL_OLD")["Attributes"] == key("a")
    assert table.get("a") is None
    table.delete("a")


@check
def of_two_claims_one_wins_and_the_loser_sees_the_item(context):
    table = Table(context)
    claim = "attribute_not_exists(#i) OR #e < :now OR #o = :me OR (#s = :sending AND #u < :ms)"
    names = {"#i": "id", "#e": "expires", "#o": "owner", "#s": "state", "#u": "until"}

    def attempt(owner, now):
        item = key("mail") | {
            "state": {"S": "sending"},
            "owner": {"S": owner},
            "until": {"N": str((now + 60) * 1000)},
            "expires": {"N": str(now + 1000)},
        }
        values = {
            ":now": {"N": str(now)},
            ":me": {"S": owner},
            ":sending": {"S": "sending"},
            ":ms": {"N": str(now * 1000)},
        }
        table.put(
            item,
            claim,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    attempt("one", 1000)
    attempt("one", 1001)
    try:
        attempt("two", 1002)
    except table.client.exceptions.ConditionalCheckFailedException as error:
        assert error.response["Item"]["owner"] == {"S": "one"}
        assert error.response["Error"]["Message"] == "The conditional request failed"
    else:
        raise AssertionError("the second claim won too")
    attempt("two", 1062)
    names = {"#o": "owner"}
    drop = lambda owner: table.delete(
        "mail",
        "#o = :me",
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={":me": {"S": owner}},
    )
    refused(lambda: drop("one"), CONDITION_FAILED)
    drop("two")
    assert table.get("mail") is None


@check
def conditions_mean_what_they_say(context):
    table = Table(context)
    table.put(
        key("a")
        | {
            "n": {"N": "10"},
            "s": {"S": "abcd"},
            "ss": {"SS": ["x", "y"]},
            "l": {"L": [{"N": "1"}, {"M": {"x": {"S": "deep"}}}]},
            "yes": {"BOOL": True},
        }
    )
    n = lambda value: {":v": {"N": value}}
    s = lambda value: {":v": {"S": value}}
    met = [
        ("n > :v", n("9")),
        ("n < :v", n("100")),
        ("n = :v", n("10.0")),
        ("n <> :v", s("10")),
        ("s >= :v", s("abc")),
        ("yes = :v", {":v": {"BOOL": True}}),
        ("ss = :v", {":v": {"SS": ["y", "x"]}}),
        ("gone <> :v", s("x")),
        ("NOT gone = :v", s("x")),
        ("n BETWEEN :v AND :w", n("9") | {":w": {"N": "11"}}),
        ("s IN (:v, :w)", s("x") | {":w": {"S": "abcd"}}),
        ("attribute_exists(l[1].x)", None),
        ("attribute_not_exists(l[2])", None),
        ("attribute_type(yes, :v)", s("BOOL")),
        ("begins_with(s, :v)", s("ab")),
        ("contains(s, :v)", s("bc")),
        ("contains(ss, :v)", s("x")),
        ("size(s) = :v", n("4")),
        ("l[1].x = :v", s("deep")),
        ("n = :v OR n = :w AND s = :w", n("10") | {":w": {"S": "x"}}),
        ("NOT n = :w AND n = :v", n("10") | {":w": {"S": "x"}}),
    ]
    for condition, values in met:
        assert table.meets("a", condition, values), condition
    failed = [
        ("n = :v", s("10")),
        ("n < :v", n("9")),
        ("gone < :v", n("9")),
        ("gone = :v", n("9")),
        ("attribute_exists(gone)", None),
        ("attribute_not_exists(n)", None),
        ("attribute_type(n, :v)", s("S")),
        ("begins_with(s, :v)", s("b")),
        ("contains(ss, :v)", s("z")),
        ("(n = :v OR n = :w) AND s = :w", n("10") | {":w": {"S": "x"}}),
        ("NOT (n = :v OR s = :w)", n("10") | {":w": {"S": "x"}}),
    ]
    if context.is_sandbox:
        # moto 5.2 fails on these with status 500; in AWS values of different types have no order.
        failed += [("s < :v", n("9")), ("yes < :v", n("9"))]
    for condition, values in failed:
        assert not table.meets("a", condition, values), condition


@check
def bad_expressions_are_refused(context):
    table = Table(context)
    value = {":v": {"N": "1"}}
    put = lambda *condition, **parameters: lambda: table.put(key("a"), *condition, **parameters)
    refused(put("status = :v", ExpressionAttributeValues=value), INVALID, text="reserved keyword")
    refused(put("((id = :v))", ExpressionAttributeValues=value), INVALID, text="redundant")
    unused = put("attribute_not_exists(id)", ExpressionAttributeNames={"#x": "y"})
    refused(unused, INVALID, text="unused in expressions: keys: {#x}")
    if not context.is_sandbox:
        # moto 5.2 takes the others or fails on them with status 500; AWS refuses them with these words.
        return
    unused = put("attribute_not_exists(id)", ExpressionAttributeValues=value)
    refused(unused, INVALID, text="unused in expressions: keys: {:v}")
    refused(put(ExpressionAttributeValues=value), INVALID, text="can only be specified when")
    refused(put("n = "), INVALID, text="Syntax error")
    refused(put("n = :v"), INVALID, text="not defined; attribute value: :v")
    refused(put("attribute_exists(#x)"), INVALID, text="not defined; attribute name: #x")
    refused(put("attribute_exist(id)"), INVALID, text="Invalid function name")
    refused(put("begins_with(id, :v)", ExpressionAttributeValues=value), INVALID, text="type: N")
    refused(put("id = id"), INVALID, text="must be distinct")
    refused(put("size(id)"), INVALID, text="not allowed to be used this way")
    refused(put(""), INVALID, text="The expression can not be empty")


@check
def a_projection_gives_parts(context):
    table = Table(context)
    table.put(key("a") | {"m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}, "state": {"S": "sent"}})
    got = table.get(
        "a", ProjectionExpression="m.y, #s", ExpressionAttributeNames={"#s": "state"}
    )
    assert got == {"m": {"M": {"y": {"N": "2"}}}, "state": {"S": "sent"}}
    refused(lambda: table.get("a", ProjectionExpression="state"), INVALID, text="reserved")


@check
def keys_and_values_are_looked_at(context):
    table = Table(context)
    for item in ({"x": {"S": "a"}}, {"id": {"N": "1"}}, {"id": {"S": ""}}):
        refused(lambda: table.put(item), INVALID)
    numbers = ["x", "1" * 39, "1e126"]
    if not context.is_sandbox:
        # moto 5.2 looks at no more than whether it is a number.
        numbers = ["x"]
    for number in numbers:
        refused(lambda: table.put(key("a") | {"n": {"N": number}}), INVALID)
    refused(lambda: table.put(key("a") | {"s": {"SS": []}}), INVALID)
    refused(lambda: table.put(key("a") | {"s": {"S": "x" * 409600}}), INVALID, text="Item size")
    get = lambda wanted: table.client.get_item(TableName=table.name, Key=wanted)
    for wanted in ({"x": {"S": "a"}}, key("a") | {"x": {"S": "a"}}):
        refused(lambda: get(wanted), INVALID, text="does not match the schema")


@check
def a_batch_writes_and_reads(context):
    table = Table(context)
    table.put(key("old"))
    puts = [put_request(str(n), n={"N": str(n)}) for n in range(23)]
    assert table.write(*puts, delete_request("old"), delete_request("none"))["UnprocessedItems"] == {}
    answer = table.read("3", "old", "7", ConsistentRead=True)
    assert answer["UnprocessedKeys"] == {}
    found = sorted(item["n"]["N"] for item in answer["Responses"][table.name])
    assert found == ["3", "7"]
    assert table.read("none")["Responses"][table.name] == []


@check
def a_batch_has_limits(context):
    table = Table(context)
    twice = "Provided list of item keys contains duplicates"
    refused(lambda: table.write(put_request("a"), put_request("a")), INVALID, text=twice)
    if context.is_sandbox:
        # moto 5.2 compares puts with puts alone, and takes more than 25 requests; AWS documents both limits.
        refused(lambda: table.write(put_request("a"), delete_request("a")), INVALID, text=twice)
        refused(lambda: table.write(*[put_request(str(n)) for n in range(26)]), INVALID)
    refused(lambda: table.read("a", "b", "a"), INVALID, text=twice)
    refused(lambda: table.read(*[str(n) for n in range(101)]), INVALID)
    refused(lambda: table.write(put_request("")), INVALID)
    assert table.client.scan(TableName=table.name)["Items"] == []


@check
def a_scan_pages(context):
    table = Table(context)
    table.write(*[put_request(str(n)) for n in range(5)])
    pages = table.client.get_paginator("scan").paginate(
        TableName=table.name, PaginationConfig={"PageSize": 2}
    )
    ids = sorted(item["id"]["S"] for page in pages for item in page["Items"])
    assert ids == ["0", "1", "2", "3", "4"]


@check
def calls_tell_what_they_cost(context):
    table = Table(context)
    cost = lambda answer: answer["ConsumedCapacity"]["CapacityUnits"]
    assert cost(table.put(key("a"), ReturnConsumedCapacity="TOTAL")) == 1
    if not context.is_sandbox:
        # moto 5.2 says that everything costs half a unit or one.
        return
    item = key("a") | {"x": {"S": "x" * 5000}}
    assert cost(table.put(item, ReturnConsumedCapacity="TOTAL")) == 5
    get = lambda **parameters: table.client.get_item(
        TableName=table.name, Key=key("a"), ReturnConsumedCapacity="TOTAL", **parameters
    )
    assert cost(get()) == 1 and cost(get(ConsistentRead=True)) == 2
    assert cost(table.delete("a", ReturnConsumedCapacity="TOTAL")) == 5
    assert cost(get()) == 0.5 and cost(get(ConsistentRead=True)) == 1


@check
def time_to_live_is_switched_on(context):
    table = Table(context)
    describe = lambda: table.client.describe_time_to_live(TableName=table.name)
    status = lambda: describe()["TimeToLiveDescription"]["TimeToLiveStatus"]
    assert status() == "DISABLED"
    wanted = {"Enabled": True, "AttributeName": "expires"}
    update = lambda: table.client.update_time_to_live(
        TableName=table.name, TimeToLiveSpecification=wanted
    )
    assert update()["TimeToLiveSpecification"] == wanted
    assert status() == "ENABLED" and describe()["TimeToLiveDescription"]["AttributeName"] == "expires"
    # The item is still there: AWS deletes within days.
    table.put(key("a") | {"expires": {"N": str(int(time.time()) - 60)}})
    assert table.get("a") is not None
    refused(lambda: table.put(key("a"), "attribute_not_exists(id)"), CONDITION_FAILED)
    if not context.is_sandbox:
        # moto 5.2 enables what is enabled.
        return
    refused(update, INVALID, text="already enabled")
    context.http("POST", "/dynamodb/sweep")
    assert table.get("a") is None


@check
def an_answer_has_a_checksum_and_a_date(context):
    # boto3 itself compares the checksum.
    table = Table(context)
    headers = table.put(key("a"))["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-crc32"] and headers["x-amzn-requestid"]
    date = email.utils.parsedate_to_datetime(headers["date"])
    age = datetime.datetime.now(datetime.timezone.utc) - date
    assert abs(age) < datetime.timedelta(minutes=1), age


@check
def faults_strike_tables_as_aws_reports_them(context):
    if not context.is_sandbox:
        # Faults are ours.
        return
    table = Table(context)
    throttled = "ProvisionedThroughputExceededException"
    rules = [
        {"operation": "dynamodb:PutItem", "fault": {"error": {"code": throttled}}},
        {"operation": "dynamodb:BatchWriteItem", "fault": "unprocessed", "body_contains": "bad"},
    ]
    context.http("PUT", "/faults", rules)
    try:
        refused(lambda: table.put(key("a")), throttled)
        answer = table.write(put_request("good"), put_request("bad"))
    finally:
        context.http("DELETE", "/faults")
    assert answer["UnprocessedItems"] == {table.name: [put_request("bad")]}
    shown = json.loads(context.http("GET", "/dynamodb"))["tables"][table.name]
    assert shown["items"] == [key("good")]
