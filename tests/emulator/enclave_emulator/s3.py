"""Buckets: a condition and the write that it guards are one step."""

import threading
from typing import Any

from moto.s3.responses import S3Response

from .patching import replace

_lock = threading.RLock()


@replace(S3Response, "_key_response")
def key_response(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """Of concurrent writers with a condition exactly one wins.

    The body has been read before this point, so a slow sender holds up nobody.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    with _lock:
        return original(self, *args, **kwargs)


@replace(S3Response, "_bucket_response")
def bucket_response(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """Lists see a write whole or not at all.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html
    """
    with _lock:
        return original(self, *args, **kwargs)
