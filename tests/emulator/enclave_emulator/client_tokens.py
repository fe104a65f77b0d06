"""Client tokens: one token, one effect.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from . import launch_plan


@dataclass
class Tokens:
    """The tokens of one action in one account and region, with what was asked for and what was made."""

    made: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def earlier(self, params: dict[str, Any]) -> Any | None:
        """What the request's token made before; refused if it was used with other parameters."""
        token = params.get("ClientToken")
        if not token:
            return None
        launch_plan.check_token(token)
        if token not in self.made:
            return None
        parameters, made = self.made[token]
        if parameters != _parameters(params):
            raise launch_plan.mismatch(token)
        return made

    def keep(self, params: dict[str, Any], made: Any) -> None:
        """Remember what a request made."""
        self.made[params.get("ClientToken") or str(uuid.uuid4())] = (_parameters(params), made)


def _parameters(params: dict[str, Any]) -> str:
    asked = {key: value for key, value in params.items() if key not in ("ClientToken", "DryRun")}
    return json.dumps(asked, sort_keys=True, default=str)
