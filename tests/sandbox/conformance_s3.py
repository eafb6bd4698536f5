"""Checks the sandbox's S3 through boto3; `conformance.py` runs them."""

import hashlib
import uuid

import botocore.exceptions

from conformance import check, refused

KEY = "mails/new event+ü.html"


class Bucket:
    """A bucket of the check's own."""

    def __init__(self, context, versions=False):
        self.client = context.client("s3")
        self.name = f"check-{uuid.uuid4()}"
        self.client.create_bucket(Bucket=self.name)
        if versions:
            self.keep_versions("Enabled")

    def keep_versions(self, status):
        self.client.put_bucket_versioning(
            Bucket=self.name, VersioningConfiguration={"Status": status}
        )

    def put(self, content, key=KEY, **parameters):
        return self.client.put_object(Bucket=self.name, Key=key, Body=content, **parameters)

    def get(self, key=KEY, **parameters):
        return self.client.get_object(Bucket=self.name, Key=key, **parameters)

    def read(self, **parameters):
        return self.get(**parameters)["Body"].read()

    def delete(self, key=KEY, **parameters):
        return self.client.delete_object(Bucket=self.name, Key=key, **parameters)


def status(call):
    """The HTTP status with which a call fails."""
    try:
        call()
    except botocore.exceptions.ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError("not refused")


@check
def an_object_comes_back_byte_for_byte(context):
    bucket = Bucket(context)
    content = "<p>{summary} ü</p>\r\n".encode() + bytes(range(256))
    etag = f'"{hashlib.md5(content).hexdigest()}"'
    assert bucket.put(content)["ETag"] == etag
    got = bucket.get()
    assert got["Body"].read() == content
    assert got["ETag"] == etag and got["ContentLength"] == len(content)
    assert got["LastModified"].year >= 2024
    assert got["ContentType"] == "binary/octet-stream"
    assert "VersionId" not in got
    if context.is_sandbox:
        # moto 5.2 gives no ids of requests here.
        assert got["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"]
    bucket.put(b"")
    assert bucket.read() == b""


@check
def type_and_metadata_of_an_object_come_back(context):
    bucket = Bucket(context)
    bucket.put(b"<p>", ContentType="text/html; charset=utf-8", Metadata={"author": "dana"})
    for got in (bucket.get(), bucket.client.head_object(Bucket=bucket.name, Key=KEY)):
        assert got["ContentType"] == "text/html; charset=utf-8"
        assert got["Metadata"] == {"author": "dana"}
        assert got["ContentLength"] == 3


@check
def an_unchanged_object_has_no_body(context):
    bucket = Bucket(context)
    etag = bucket.put(b"one")["ETag"]
    # moto 5.2 knows no other way to name it.
    others = [etag.strip('"'), f'"other", {etag}', "*"] if context.is_sandbox else []
    for known in [etag, *others]:
        assert status(lambda: bucket.get(IfNoneMatch=known)) == 304, known
    head = lambda: bucket.client.head_object(Bucket=bucket.name, Key=KEY, IfNoneMatch=etag)
    assert status(head) == 304
    assert bucket.read(IfNoneMatch='"other"') == b"one"
    bucket.put(b"two")
    assert bucket.read(IfNoneMatch=etag) == b"two"


@check
def a_changed_object_fails_a_condition(context):
    bucket = Bucket(context)
    etag = bucket.put(b"one")["ETag"]
    assert bucket.read(IfMatch=etag) == b"one"
    bucket.put(b"two")
    refused(lambda: bucket.get(IfMatch=etag), "PreconditionFailed")
    assert status(lambda: bucket.get(IfMatch=etag)) == 412


@check
def an_object_is_created_once(context):
    bucket = Bucket(context)
    bucket.put(b"one", IfNoneMatch="*")
    refused(lambda: bucket.put(b"two", IfNoneMatch="*"), "PreconditionFailed")
    assert bucket.read() == b"one"


@check
def what_is_not_there_is_told_apart(context):
    bucket = Bucket(context)
    text = refused(lambda: bucket.get("nothing"), "NoSuchKey")
    assert text == "The specified key does not exist."
    assert status(lambda: bucket.get("nothing")) == 404
    head = lambda: bucket.client.head_object(Bucket=bucket.name, Key="nothing")
    refused(head, "404")
    other = lambda: bucket.client.get_object(Bucket=f"none-{uuid.uuid4()}", Key=KEY)
    refused(other, "NoSuchBucket")
    assert status(other) == 404
    put = lambda: bucket.client.put_object(Bucket=f"none-{uuid.uuid4()}", Key=KEY, Body=b"")
    refused(put, "NoSuchBucket")


@check
def a_deleted_object_is_gone(context):
    bucket = Bucket(context)
    bucket.put(b"one")
    gone = bucket.delete()
    assert "DeleteMarker" not in gone and "VersionId" not in gone
    refused(bucket.get, "NoSuchKey")
    assert bucket.delete()["ResponseMetadata"]["HTTPStatusCode"] == 204


@check
def versions_are_kept_and_can_be_read(context):
    bucket = Bucket(context, versions=True)
    kept = bucket.client.get_bucket_versioning(Bucket=bucket.name)
    assert kept["Status"] == "Enabled"
    one, two = bucket.put(b"one")["VersionId"], bucket.put(b"two")["VersionId"]
    assert one != two
    got = bucket.get()
    assert got["VersionId"] == two and got["Body"].read() == b"two"
    assert bucket.read(VersionId=one) == b"one"
    same = bucket.put(b"two")
    assert same["VersionId"] != two and same["ETag"] == got["ETag"]


@check
def a_deletion_hides_the_versions_until_its_mark_is_deleted(context):
    bucket = Bucket(context, versions=True)
    one = bucket.put(b"one")["VersionId"]
    gone = bucket.delete()
    assert gone["DeleteMarker"] is True
    refused(bucket.get, "NoSuchKey")
    assert bucket.read(VersionId=one) == b"one"
    if context.is_sandbox:
        # moto 5.2 says 404; AWS documents 405.
        assert status(lambda: bucket.get(VersionId=gone["VersionId"])) == 405
    again = bucket.delete(VersionId=gone["VersionId"])
    assert again["VersionId"] == gone["VersionId"]
    if context.is_sandbox:
        # moto 5.2 does not say what was deleted.
        assert again["DeleteMarker"] is True
    assert bucket.read() == b"one"
    bucket.delete(VersionId=one)
    refused(bucket.get, "NoSuchKey")


@check
def without_versions_in_force_the_version_null_is_replaced(context):
    bucket = Bucket(context)
    assert "Status" not in bucket.client.get_bucket_versioning(Bucket=bucket.name)
    bucket.put(b"before")
    bucket.keep_versions("Enabled")
    kept = bucket.put(b"kept")["VersionId"]
    assert bucket.read(VersionId="null") == b"before"
    bucket.keep_versions("Suspended")
    bucket.put(b"after")
    assert bucket.read(VersionId="null") == b"after"
    if context.is_sandbox:
        # moto 5.2 forgets the versions that were kept; AWS documents that they stay.
        assert bucket.read(VersionId=kept) == b"kept"


@check
def a_version_that_is_not_there_is_refused(context):
    bucket = Bucket(context, versions=True)
    bucket.put(b"one")
    # moto 5.2 looks for it; AWS sees that it cannot be one.
    others = [] if context.is_sandbox else ["NoSuchVersion"]
    refused(lambda: bucket.get(VersionId="x"), "InvalidArgument", *others)


@check
def a_bucket_has_a_name_that_can_be_one(context):
    s3 = context.client("s3")
    # moto 5.2 looks at the length alone.
    others = ["UPPER-case", "a..b", "-a-b", "192.168.5.4"] if context.is_sandbox else []
    for name in ["ab", *others]:
        refused(lambda: s3.create_bucket(Bucket=name), "InvalidBucketName")


@check
def a_bucket_is_made_in_the_region_of_the_call(context):
    s3 = context.client("s3")
    name = f"check-{uuid.uuid4()}"
    s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    again = lambda: s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    refused(again, "BucketAlreadyOwnedByYou")


@check
def a_content_that_is_not_the_one_meant_is_refused(context):
    if not context.is_sandbox:
        # moto 5.2 does not compare.
        return
    bucket = Bucket(context)
    refused(lambda: bucket.put(b"one", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg=="), "BadDigest")


@check
def what_the_sandbox_does_not_have_it_refuses(context):
    if not context.is_sandbox:
        return
    bucket = Bucket(context)
    bucket.put(b"one")
    refused(lambda: bucket.get(Range="bytes=0-1"), "NotImplemented")
    refused(lambda: bucket.client.list_objects_v2(Bucket=bucket.name), "NotImplemented")


@check
def a_bucket_may_have_the_name_of_a_page_of_the_sandbox(context):
    if not context.is_sandbox:
        return
    s3 = context.client("s3")
    for name in ("outbox", "faults", "calls"):
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="x", Body=name.encode())
        assert s3.get_object(Bucket=name, Key="x")["Body"].read() == name.encode()
    assert "s3:PutObject" in context.http("GET", "/calls")


@check
def another_owner_is_refused(context):
    bucket = Bucket(context)
    bucket.put(b"one")
    if not context.is_sandbox:
        return
    refused(lambda: bucket.get(ExpectedBucketOwner="111111111111"), "AccessDenied")
    assert bucket.read(ExpectedBucketOwner="000000000000") == b"one"


@check
def faults_strike_objects(context):
    if not context.is_sandbox:
        return
    bucket = Bucket(context)
    bucket.put(b"one")
    fault = {"error": {"code": "SlowDown", "status": 503}}
    context.http("PUT", "/faults", [{"operation": "s3:GetObject", "fault": fault}])
    try:
        refused(bucket.get, "SlowDown")
    finally:
        context.http("DELETE", "/faults")
    assert bucket.read() == b"one"
