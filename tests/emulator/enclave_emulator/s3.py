"""Buckets: a condition and the write that it guards are one step."""

import threading
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.s3.exceptions import S3ClientError
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


# The root elements of answers for which botocore's model has none, so that moto makes one up. boto3 takes any
# root; SDKs that read the name, like Rust's, fail.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html and the pages of the others
ROOTS = {
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketVersioning": "VersioningConfiguration",
    "ListParts": "ListPartsResult",
}
LARGEST_PAGE = 1000

for _operation, _root in ROOTS.items():
    _output = get_service_model("s3")._service_description["operations"][_operation]["output"]
    if "resultWrapper" in _output:
        raise TypeError(f"{_operation} has a root element in this version of moto")
    _output["resultWrapper"] = _root


@replace(S3Response, "list_objects_v2")
def list_objects_v2(original: Any, self: Any) -> Any:
    """At most 1000 keys a page; a token that nobody got is refused.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    """
    token = self.querystring.get("continuation-token", [None])[0]
    if token and token not in self.backend._pagination_tokens:
        raise S3ClientError("InvalidArgument", "The continuation token provided is incorrect")
    asked = self.querystring.get("max-keys", [None])[0]
    if asked is not None and int(asked) > LARGEST_PAGE:
        self.querystring["max-keys"] = [str(LARGEST_PAGE)]
    return original(self)


@replace(S3Response, "serialized")
def serialized(original: Any, self: Any, action_result: ActionResult) -> Any:
    """A page names the token that it was asked for with.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    """
    token = self.querystring.get("continuation-token", [None])[0]
    if token and self.data.get("Action") == "ListObjectsV2" and isinstance(action_result.result, dict):
        action_result.result["ContinuationToken"] = token
    return original(self, action_result)
