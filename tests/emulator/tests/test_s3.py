"""Conditional writes, on which the ledger stands."""

import hashlib
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
