"""Conditional writes, on which the ledger stands."""

import hashlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ClientError

from foundation import refused


class Bucket:
    def __init__(self, s3: Any, name: str) -> None:
        self.s3, self.name = s3, name
        region = s3.meta.region_name
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})

    def put(self, key: str, body: bytes, **conditions: str) -> str:
        return self.s3.put_object(Bucket=self.name, Key=key, Body=body, **conditions)["ETag"]

    def get(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()

    def race(self, writers: int, key: str, conditions: dict[str, str]) -> tuple[list[int], set[str]]:
        """Which writers won, and the codes that the others got."""
        line = Barrier(writers)

        def write(number: int) -> str:
            line.wait()
            try:
                self.put(key, f"writer {number}".encode() * 1000, **conditions)
            except ClientError as error:
                return str(error.response["Error"]["Code"])
            return ""

        with ThreadPoolExecutor(writers) as pool:
            outcomes = list(pool.map(write, range(writers)))
        return [number for number, code in enumerate(outcomes) if not code], {code for code in outcomes if code}


@pytest.fixture
def bucket(client: Callable[..., Any], request: pytest.FixtureRequest) -> Bucket:
    name = f"b-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]}"
    return Bucket(client("s3"), name)


def test_an_object_is_created_once(bucket: Bucket) -> None:
    bucket.put("key", b"first", IfNoneMatch="*")
    answer = refused("PreconditionFailed", bucket.put, key="key", body=b"second", IfNoneMatch="*")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert bucket.get("key") == b"first"


def test_an_object_is_replaced_only_where_it_is_as_it_was_read(bucket: Bucket) -> None:
    old = bucket.put("key", b"first")
    new = bucket.put("key", b"second", IfMatch=old)
    answer = refused("PreconditionFailed", bucket.put, key="key", body=b"third", IfMatch=old)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert bucket.put("key", b"third", IfMatch=new)
    assert bucket.get("key") == b"third"


def test_replacing_a_missing_object_finds_no_key(bucket: Bucket) -> None:
    answer = refused("NoSuchKey", bucket.put, key="key", body=b"body", IfMatch='"0123456789abcdef0123456789abcdef"')
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_of_concurrent_creators_exactly_one_wins(bucket: Bucket) -> None:
    for key in "abcdefgh":
        winners, codes = bucket.race(12, key, {"IfNoneMatch": "*"})
        assert (len(winners), codes) == (1, {"PreconditionFailed"})
        assert bucket.get(key) == f"writer {winners[0]}".encode() * 1000


def test_of_concurrent_replacers_exactly_one_wins(bucket: Bucket) -> None:
    for key in "abcdefgh":
        winners, codes = bucket.race(12, key, {"IfMatch": bucket.put(key, b"old")})
        assert (len(winners), codes) == (1, {"PreconditionFailed"})
        assert bucket.get(key) == f"writer {winners[0]}".encode() * 1000


def test_an_etag_is_the_bodys_md5(bucket: Bucket) -> None:
    assert bucket.put("key", b"body") == f'"{hashlib.md5(b"body").hexdigest()}"'


def test_a_deleted_object_of_a_versioned_bucket_can_be_created_again(bucket: Bucket) -> None:
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    bucket.put("key", b"first", IfNoneMatch="*")
    bucket.s3.delete_object(Bucket=bucket.name, Key="key")
    bucket.put("key", b"second", IfNoneMatch="*")
    versions = bucket.s3.list_object_versions(Bucket=bucket.name)
    assert (len(versions["Versions"]), len(versions["DeleteMarkers"])) == (2, 1)


def test_an_object_keeps_its_key_and_metadata(bucket: Bucket) -> None:
    settings = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:eu-west-1:123456789012:key/abc"}
    bucket.put("key", b"body", Metadata={"revision": "7"}, **settings)  # type: ignore[arg-type]
    head = bucket.s3.head_object(Bucket=bucket.name, Key="key")
    assert head["Metadata"] == {"revision": "7"}
    assert {name: head[name] for name in settings} == settings


def test_lists_come_in_pages_in_order(bucket: Bucket) -> None:
    for number in range(5):
        bucket.put(f"log/{number}", b"")
    paginator = bucket.s3.get_paginator("list_objects_v2")
    answers = paginator.paginate(Bucket=bucket.name, Prefix="log/", PaginationConfig={"PageSize": 2})
    assert [[entry["Key"][-1] for entry in answer["Contents"]] for answer in answers] == [["0", "1"], ["2", "3"], ["4"]]


def test_pages_go_on_after_the_last_key_whatever_became_of_it(bucket: Bucket) -> None:
    for number in range(5):
        bucket.put(f"log/{number}", b"")
    first = bucket.s3.list_objects_v2(Bucket=bucket.name, MaxKeys=2)
    bucket.s3.delete_object(Bucket=bucket.name, Key="log/1")
    bucket.put("log/1a", b"")
    token = first["NextContinuationToken"]
    second = bucket.s3.list_objects_v2(Bucket=bucket.name, ContinuationToken=token)
    assert [entry["Key"] for entry in second["Contents"]] == ["log/1a", "log/2", "log/3", "log/4"]
    assert (second["ContinuationToken"], second["IsTruncated"], second["KeyCount"]) == (token, False, 4)
    answer = refused("InvalidArgument", bucket.s3.list_objects_v2, Bucket=bucket.name, ContinuationToken="nonsense")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_page_has_at_most_a_thousand_keys(bucket: Bucket) -> None:
    assert bucket.s3.list_objects_v2(Bucket=bucket.name, MaxKeys=5000)["MaxKeys"] == 1000


def test_a_list_and_a_head_agree_on_the_time_of_a_change(bucket: Bucket) -> None:
    """Both are whole seconds: no answer is more precise than `Last-Modified` can be."""
    bucket.put("key", b"body")
    [listed] = bucket.s3.list_objects_v2(Bucket=bucket.name)["Contents"]
    assert listed["LastModified"] == bucket.s3.head_object(Bucket=bucket.name, Key="key")["LastModified"]
    assert listed["LastModified"].microsecond == 0


def test_answers_have_the_root_elements_that_other_sdks_read(bucket: Bucket) -> None:
    """boto3 takes any root element; Rust's SDK fails on another than the documented one."""
    bodies: list[bytes] = []
    bucket.s3.meta.events.register("before-parse.s3", lambda response_dict, **_: bodies.append(response_dict["body"]))

    def root() -> str:
        return ElementTree.fromstring(bodies[-1]).tag.removeprefix("{http://s3.amazonaws.com/doc/2006-03-01/}")

    assert "Status" not in bucket.s3.get_bucket_versioning(Bucket=bucket.name)
    assert root() == "VersioningConfiguration"
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    assert bucket.s3.get_bucket_versioning(Bucket=bucket.name)["Status"] == "Enabled"
    assert root() == "VersioningConfiguration"
    upload = bucket.s3.create_multipart_upload(Bucket=bucket.name, Key="key")["UploadId"]
    bucket.s3.list_parts(Bucket=bucket.name, Key="key", UploadId=upload)
    assert root() == "ListPartsResult"
