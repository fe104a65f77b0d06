"""Pages that stay whole while things come and go: a token names the last item seen, not a position."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

from moto.ec2.exceptions import EC2ClientError

DEFAULT_SIZE = 1000


def size(requested: int | None, smallest: int, largest: int) -> int:
    """The page size to use, refused outside the documented limits."""
    if requested is None:
        return DEFAULT_SIZE
    if not smallest <= requested <= largest:
        bound = f"greater than {smallest}" if requested < smallest else f"less than {largest}"
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Value ( {requested} ) for parameter maxResults is invalid. Expecting a value {bound}.",
        )
    return requested


def encode(sequence: int) -> str:
    return base64.urlsafe_b64encode(f"after:{sequence}".encode()).decode()


def decode(token: str | None) -> int:
    if not token:
        return -1
    try:
        kind, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if kind == "after":
            return int(number)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    raise EC2ClientError("InvalidNextToken", "The specified NextToken is not valid.")


def page(
    items: Sequence[Any], sequence_of: Callable[[Any], int], limit: int, token: str | None
) -> tuple[list[Any], str | None]:
    """The page after `token` of items that ascend by sequence, and the token of the next page."""
    after = decode(token)
    rest = [item for item in items if sequence_of(item) > after]
    if len(rest) <= limit:
        return rest, None
    return rest[:limit], encode(sequence_of(rest[limit - 1]))
