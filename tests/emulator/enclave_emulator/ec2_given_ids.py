"""EC2 ids that a caller asks for, in the header `x-emulator-ids`: what was signed may name them.

The ledger's fixtures hold envelopes whose signature covers host and image ids; the account they are put into must
have exactly these.
"""

import threading
from typing import Any

from moto.ec2 import utils
from moto.ec2.responses import EC2Response

from .patching import replace

HEADER = "x-emulator-ids"

_given = threading.local()
_random_id = utils.random_id


def _next_id(prefix: str = "", size: int = 17) -> str:
    """The first given id of this kind, else a new one."""
    ids: list[str] = getattr(_given, "ids", [])
    for position, wanted in enumerate(ids):
        if wanted.startswith(f"{prefix}-"):
            return ids.pop(position)
    return _random_id(prefix, size)


utils.random_id = _next_id


@replace(EC2Response, "call_action")
def call_action(original: Any, self: Any) -> Any:
    """Ids otherwise look as EC2's do, and are drawn.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
    """
    _given.ids = [wanted for wanted in self.headers.get(HEADER, "").split(",") if wanted]
    try:
        return original(self)
    finally:
        _given.ids = []
