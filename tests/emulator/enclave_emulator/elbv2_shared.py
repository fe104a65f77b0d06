"""What balancers, listeners and target groups share: memory, equal settings, pages, links."""

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.elbv2.exceptions import ValidationError

from . import paging

LARGEST_PAGE = 400


@dataclass
class Balancing:
    """What the extension remembers of one account and region; settings are by ARN."""

    settings: dict[str, str] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)
    sequence: Any = field(default_factory=count)

    def remember(self, arn: str, settings: str) -> None:
        self.settings[arn] = settings
        self.order[arn] = next(self.sequence)


def balancing(backend: Any) -> Balancing:
    return backend.__dict__.setdefault("enclave_balancing", Balancing())


def settings_of(**settings: Any) -> str:
    """Settings in a form that is equal for equal requests, whatever the order of their lists."""

    def normal(value: Any) -> Any:
        if isinstance(value, list):
            return sorted((normal(entry) for entry in value), key=lambda entry: json.dumps(entry, sort_keys=True))
        if isinstance(value, dict):
            return {key: normal(entry) for key, entry in value.items()}
        return value

    return json.dumps(normal(settings), sort_keys=True, default=str)


def elb_page(items: list[Any], memory: Balancing, params: dict[str, Any]) -> tuple[list[Any], str | None]:
    """A page by PageSize and Marker, in order of creation."""
    limit = params.get("PageSize") or LARGEST_PAGE
    if not 1 <= limit <= LARGEST_PAGE:
        raise ValidationError(f"PageSize must be between 1 and {LARGEST_PAGE}")
    ordered = sorted(items, key=lambda item: memory.order[item.arn])
    try:
        return paging.page(ordered, lambda item: memory.order[item.arn], limit, params.get("Marker"))
    except EC2ClientError:
        raise ValidationError("The marker is not valid") from None


def relink(backend: Any) -> None:
    """Say anew which balancers each target group serves; moto never takes a link back."""
    for group in backend.target_groups.values():
        group.load_balancer_arns = []
    for balancer in backend.load_balancers.values():
        for listener in balancer.listeners.values():
            for action in listener.default_actions:
                for arn in backend._get_target_group_arns_from(action_data=action.data):
                    group = backend.target_groups.get(arn)
                    if group is not None and balancer.arn not in group.load_balancer_arns:
                        group.load_balancer_arns.append(balancer.arn)
