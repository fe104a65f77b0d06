"""Queues as the functions meet them: order, duplicates, visibility, dead letters."""

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from foundation import refused


class Queues:
    def __init__(self, client: Callable[..., Any]) -> None:
        self.make, self.sqs = client, client("sqs")

    def fifo(self, name: str = "requests", **attributes: str) -> str:
        given = {"FifoQueue": "true", "ContentBasedDeduplication": "true", **attributes}
        return self.sqs.create_queue(QueueName=f"{name}.fifo", Attributes=given)["QueueUrl"]

    def arn(self, url: str) -> str:
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def send(self, url: str, body: str, group: str = "zone", **more: Any) -> dict[str, Any]:
        grouped = {"MessageGroupId": group} if url.endswith(".fifo") else {}
        return self.sqs.send_message(QueueUrl=url, MessageBody=body, **grouped, **more)

    def take(self, url: str, number: int = 10, **more: Any) -> list[dict[str, Any]]:
        settings = {"MaxNumberOfMessages": number, "VisibilityTimeout": 60, "AttributeNames": ["All"], **more}
        return self.sqs.receive_message(QueueUrl=url, **settings).get("Messages", [])

    def bodies(self, url: str, number: int = 10, **more: Any) -> list[str]:
        return [message["Body"] for message in self.take(url, number, **more)]

    def delete(self, url: str, message: dict[str, Any]) -> None:
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def give_back(self, url: str, message: dict[str, Any]) -> None:
        self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)


@pytest.fixture
def queues(client: Callable[..., Any]) -> Queues:
    return Queues(client)


def test_a_group_is_delivered_in_order(queues: Queues) -> None:
    url = queues.fifo()
    for number in range(12):
        queues.send(url, f"m{number}")
    first = queues.take(url)
    assert [message["Body"] for message in first] == [f"m{number}" for number in range(10)]
    for message in first:
        queues.delete(url, message)
    assert queues.bodies(url) == ["m10", "m11"]


def test_a_group_in_flight_delivers_nothing_and_others_do(queues: Queues) -> None:
    url = queues.fifo()
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        queues.send(url, body, group)
    [first] = queues.take(url, 1)
    assert first["Body"] == "a1"
    assert queues.bodies(url) == ["b1"]
    queues.delete(url, first)
    assert queues.bodies(url) == ["a2"]


def test_a_message_given_back_comes_again_before_its_followers(queues: Queues) -> None:
    url = queues.fifo()
    for body in ("m1", "m2"):
        queues.send(url, body)
    [first] = queues.take(url, 1)
    queues.give_back(url, first)
    again = queues.take(url)
    assert [message["Body"] for message in again] == ["m1", "m2"]
    assert [message["Attributes"]["ApproximateReceiveCount"] for message in again] == ["2", "1"]


def test_a_message_comes_again_when_its_visibility_ends(queues: Queues) -> None:
    url = queues.fifo()
    queues.send(url, "m1")
    assert queues.bodies(url, VisibilityTimeout=1) == ["m1"]
    assert queues.bodies(url, WaitTimeSeconds=5) == ["m1"]


@pytest.mark.parametrize("explicit", [False, True])
def test_a_duplicate_is_accepted_and_not_delivered_even_after_deletion(queues: Queues, explicit: bool) -> None:
    url = queues.fifo()
    identity = {"MessageDeduplicationId": "d1"} if explicit else {}
    first = queues.send(url, "same", **identity)
    again = queues.send(url, "same", **identity)
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    [message] = queues.take(url)
    queues.delete(url, message)
    queues.send(url, "same", **identity)
    assert queues.bodies(url) == []


def test_sequence_numbers_rise(queues: Queues) -> None:
    url = queues.fifo()
    numbers = [int(queues.send(url, f"m{number}")["SequenceNumber"]) for number in range(3)]
    assert numbers == sorted(set(numbers))


def test_a_message_carries_its_attributes(queues: Queues) -> None:
    url = queues.fifo()
    sent = time.time() * 1000
    queues.send(
        url,
        "m1",
        "zone",
        MessageDeduplicationId="d1",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "request"}},
    )
    names = ["SentTimestamp", "ApproximateReceiveCount", "MessageGroupId", "MessageDeduplicationId", "SequenceNumber"]
    [message] = queues.sqs.receive_message(
        QueueUrl=url, MessageSystemAttributeNames=names, MessageAttributeNames=["All"]
    )["Messages"]
    attributes = message["Attributes"]
    assert set(attributes) == set(names)
    assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == ("zone", "d1")
    assert attributes["ApproximateReceiveCount"] == "1"
    assert abs(int(attributes["SentTimestamp"]) - sent) < 60_000
    assert message["MessageAttributes"]["kind"]["StringValue"] == "request"


def test_after_its_receives_a_message_goes_to_the_dead_letters(queues: Queues) -> None:
    dead = queues.fifo("dead")
    policy = json.dumps({"deadLetterTargetArn": queues.arn(dead), "maxReceiveCount": 2})
    url = queues.fifo(RedrivePolicy=policy)
    queues.send(url, "bad")
    queues.send(url, "good")
    for _ in range(2):
        [message] = queues.take(url, 1)
        assert message["Body"] == "bad"
        queues.give_back(url, message)
    assert queues.bodies(url) == ["good"]
    [buried] = queues.take(dead)
    assert (buried["Body"], buried["Attributes"]["MessageGroupId"]) == ("bad", "zone")
    assert buried["Attributes"]["DeadLetterQueueSourceArn"] == queues.arn(url)


def test_concurrent_receivers_never_share_a_message(queues: Queues) -> None:
    url = queues.sqs.create_queue(QueueName="results")["QueueUrl"]
    line = Barrier(12)

    def receive(_: int) -> list[str]:
        line.wait()
        return queues.bodies(url)

    for _ in range(10):
        entries = [{"Id": str(number), "MessageBody": f"m{number}"} for number in range(10)]
        queues.sqs.send_message_batch(QueueUrl=url, Entries=entries)
        with ThreadPoolExecutor(12) as pool:
            received = sum(pool.map(receive, range(12)), [])
        assert Counter(received) == Counter(f"m{number}" for number in range(10))


def test_concurrent_receivers_never_share_a_group(queues: Queues) -> None:
    url = queues.fifo()
    for number in range(8):
        queues.send(url, f"m{number}")
    with ThreadPoolExecutor(8) as pool:
        received = [bodies for bodies in pool.map(lambda _: queues.bodies(url, 1), range(8)) if bodies]
    assert received == [["m0"]]


def test_a_long_poll_ends_with_a_message_and_holds_up_nobody(queues: Queues) -> None:
    url = queues.fifo()
    with ThreadPoolExecutor(1) as pool:
        begin = time.monotonic()
        poll = pool.submit(queues.bodies, url, WaitTimeSeconds=20)
        for _ in range(20):
            queues.sqs.list_queues()
        assert not poll.done()
        queues.send(url, "m1")
        assert poll.result(timeout=10) == ["m1"]
        assert time.monotonic() - begin < 10


def test_an_expired_receipt_deletes_nothing_from_a_fifo_queue(queues: Queues) -> None:
    url = queues.fifo()
    queues.send(url, "m1")
    [first] = queues.take(url)
    queues.give_back(url, first)
    refused("InvalidParameterValue", queues.delete, url=url, message=first)
    assert queues.bodies(url) == ["m1"]


def test_only_a_message_in_flight_has_a_visibility(queues: Queues) -> None:
    url = queues.fifo()
    queues.send(url, "m1")
    [first] = queues.take(url)
    queues.give_back(url, first)
    refused("AWS.SimpleQueueService.MessageNotInflight", queues.give_back, url=url, message=first)


def test_a_fifo_message_needs_a_group(queues: Queues) -> None:
    refused("MissingParameter", queues.sqs.send_message, QueueUrl=queues.fifo(), MessageBody="m1")


def test_a_queue_keeps_its_key_policy_and_redrive(queues: Queues) -> None:
    url = queues.fifo(KmsMasterKeyId="alias/tenant", VisibilityTimeout="120")
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "s",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sqs:*",
                    "Resource": "*",
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }
    )
    queues.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    redrive = json.dumps({"deadLetterTargetArn": queues.arn(queues.fifo("dead")), "maxReceiveCount": 5})
    queues.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": redrive})
    attributes = queues.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (attributes["KmsMasterKeyId"], attributes["VisibilityTimeout"]) == ("alias/tenant", "120")
    assert attributes["SqsManagedSseEnabled"] == "false"
    assert json.loads(attributes["Policy"])["Statement"][0]["Sid"] == "s"
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 5
    assert attributes["FifoQueue"] == "true"
