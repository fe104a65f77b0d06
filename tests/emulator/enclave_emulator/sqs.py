"""Queues: group order under concurrency, deduplication that outlives deletion, receipt handles that expire."""

import hashlib
from copy import deepcopy
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import unix_time_millis
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid, SQSException
from moto.sqs.models import Message, Queue, SQSBackend, _filter_message_attributes
from moto.sqs.responses import SQSResponse

from .patching import replace

DEDUPLICATION_MS = 5 * 60 * 1000
# A long poll looks again at least this often, for retention and delays.
LONGEST_NAP_SECONDS = 1.0


@replace(Queue, "__init__")
def queue_init(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """A FIFO queue numbers its messages and remembers what it has accepted.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html
    """
    self.accepted = {}
    self.last_sequence = 18_850_000_000_000_000_000
    original(self, *args, **kwargs)


@replace(Queue, "_set_attributes")
def set_attributes(original: Any, self: Any, attributes: dict[str, Any], now: float | None = None) -> None:
    """Attributes that are not named stay (moto drops the policy); a KMS key takes the place of SQS's own encryption.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
    """
    policy = getattr(self, "_policy_json", None)
    original(self, attributes, now)
    if policy is not None and "Policy" not in attributes:
        self._policy_json = policy
    if attributes.get("KmsMasterKeyId"):
        self.sqs_managed_sse_enabled = False


@replace(Queue, "add_message")
def add_message(_original: Any, self: Any, message: Message) -> None:
    """A duplicate within five minutes is accepted and not delivered, also when the first was deleted already.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html
    """
    with self._messages_lock:
        if self.fifo_queue:
            sent: int = message.sent_timestamp  # type: ignore[assignment]
            self.accepted = {
                key: first for key, first in self.accepted.items() if sent - first.sent_timestamp < DEDUPLICATION_MS
            }
            identifier = message.deduplication_id or hashlib.sha256(message.body.encode()).hexdigest()
            in_group = str(self.deduplication_scope) == "messageGroup"
            key = (message.group_id if in_group else None, identifier)
            first = self.accepted.get(key)
            if first is not None:
                message.id, message.sequence_number = first.id, first.sequence_number
                return
            self.last_sequence += 1
            message.sequence_number = str(self.last_sequence)
            self.accepted[key] = message
        self._messages.append(message)
        self._messages_lock.notify_all()


def _bury(queue: Queue, message: Message) -> None:
    """Move a message to the dead-letter queue; a FIFO one gets a new enqueue time there.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    """
    queue._messages.remove(message)
    grave = queue.dead_letter_queue
    assert grave is not None
    message.dead_letter_source = queue.queue_arn  # type: ignore[attr-defined]
    message.visible_at = 0.0
    with grave._messages_lock:
        if grave.fifo_queue:
            message.sent_timestamp = int(unix_time_millis())  # type: ignore[assignment]
        grave._messages.append(message)
        grave._messages_lock.notify_all()


def _take(queue: Queue, count: int, visibility: int, attributes: list[str]) -> list[Message]:
    """The messages that may be delivered now, in order, marked as in flight."""
    now = unix_time_millis()
    # A group with a message in flight, or one that waits, delivers nothing behind it.
    closed = {
        message.group_id
        for message in queue._messages
        if queue.fifo_queue and (message.visible_at > now or message.delayed_until > now)
    }
    taken: list[Message] = []
    for message in list(queue._messages):
        if len(taken) == count:
            break
        if message.visible_at > now or message.delayed_until > now:
            continue
        if queue.fifo_queue and message.group_id in closed:
            continue
        if now - message.sent_timestamp > queue.message_retention_period * 1000:  # type: ignore
            queue._messages.remove(message)
            continue
        policy = queue.redrive_policy  # type: ignore[attr-defined]
        if queue.dead_letter_queue and policy and message.approximate_receive_count >= policy["maxReceiveCount"]:
            _bury(queue, message)
            continue
        message.mark_received(visibility_timeout=visibility)
        copy = deepcopy(message)
        _filter_message_attributes(copy, attributes)
        taken.append(copy)
    return taken


def _nap(queue: Queue, left: float) -> float:
    """How long to wait at most: until a message may become visible, and never beyond the poll's end."""
    now = unix_time_millis()
    times = [max(message.visible_at, message.delayed_until) for message in queue._messages]
    soonest = min((time - now for time in times if time > now), default=LONGEST_NAP_SECONDS * 1000)
    return max(0.001, min(soonest / 1000, left, LONGEST_NAP_SECONDS))


@replace(SQSBackend, "receive_message")
def receive_message(
    _original: Any,
    self: Any,
    queue_name: str,
    count: int,
    wait_seconds_timeout: int,
    visibility_timeout: int,
    message_attribute_names: list[str] | None = None,
) -> list[Message]:
    """A message goes to one receiver at a time; a long poll ends as soon as there is something.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    """
    queue = self.get_queue(queue_name)
    end = unix_time_millis() + wait_seconds_timeout * 1000
    with queue._messages_lock:
        while True:
            taken = _take(queue, count, int(visibility_timeout or 0), message_attribute_names or [])
            left = (end - unix_time_millis()) / 1000
            if taken or left <= 0:
                return taken
            # Waiting gives the lock back, so nobody else waits for this poll.
            queue._messages_lock.wait(_nap(queue, left))


@replace(Queue, "delete_message")
def delete_message(original: Any, self: Any, receipt_handle: str) -> None:
    """A FIFO message can be deleted only with the handle of its last receipt, while it is in flight.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
    """
    with self._messages_lock:
        known = [message for message in self._messages if message.had_receipt_handle(receipt_handle)]
        if self.fifo_queue and any(message.receipt_handle != receipt_handle or message.visible for message in known):
            raise InvalidParameterValue(
                f"Value {receipt_handle} for parameter ReceiptHandle is invalid. "
                "Reason: The receipt handle has expired."
            )
        original(self, receipt_handle)
        # The message's group may deliver again.
        self._messages_lock.notify_all()


@replace(SQSBackend, "change_message_visibility")
def change_message_visibility(
    original: Any, self: Any, queue_name: str, receipt_handle: str, visibility_timeout: int
) -> None:
    """Only a message in flight has a visibility to change.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
    """
    queue = self.get_queue(queue_name)
    with queue._messages_lock:
        for message in queue._messages:
            if message.had_receipt_handle(receipt_handle):
                if message.visible or message.receipt_handle != receipt_handle:
                    raise SQSException(
                        "AWS.SimpleQueueService.MessageNotInflight", "The specified message isn't in flight."
                    )
                break
        else:
            raise ReceiptHandleIsInvalid()
        original(self, queue_name, receipt_handle, visibility_timeout)
        if int(visibility_timeout) == 0:
            message.visible_at = 0.0
        queue._messages_lock.notify_all()


@replace(SQSResponse, "receive_message")
def receive_message_action(original: Any, self: Any) -> ActionResult:
    """A dead letter says from which queue it came.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    """
    answer = original(self)
    wanted = set(self.params.get("AttributeNames", [])) | set(self.params.get("MessageSystemAttributeNames", []))
    if answer.result and wanted & {"All", "DeadLetterQueueSourceArn"}:
        queue = self.sqs_backend.get_queue(self._get_queue_name())
        sources = {
            message.receipt_handle: getattr(message, "dead_letter_source", None) for message in list(queue._messages)
        }
        for message in answer.result["Messages"]:
            source = sources.get(message["ReceiptHandle"])
            if source:
                message.setdefault("Attributes", {})["DeadLetterQueueSourceArn"] = source
    return answer
