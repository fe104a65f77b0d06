"""What a test asks of the emulator, in AWS's own words: tags whose keys begin with `emulator:`.

CreateTags with such a key scripts a resource and DeleteTags takes the script back, so any AWS client can do
it. They are never kept as tags and no describe shows them. A key or value that means nothing is refused,
so that no test waits for something that cannot come.
"""

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidInstanceIdError, InvalidParameterValue
from moto.ec2.responses.tags import TagResponse

from .ec2_lookups import compute
from .patching import replace

PREFIX = "emulator:"

# By key: does what a value asks for, or raises ValueError with what is wrong with it.
Handler = Callable[[Any, Any, str], None]
_set: dict[str, Handler] = {}
_cleared: dict[str, Callable[[Any, Any], None]] = {}


def script(key: str, cleared: Callable[[Any, Any], None] | None = None) -> Callable[[Handler], Handler]:
    """Register what a key of an instance does: `handler(backend, instance, value)` when it is set."""

    def register(handler: Handler) -> Handler:
        _set[key] = handler
        if cleared is not None:
            _cleared[key] = cleared
        return handler

    return register


def scripted(instance: Any, key: str) -> str | None:
    """The value that a test gave to a key of an instance."""
    return compute(instance.ec2_backend).scripts.get(instance.id, {}).get(key)


def store(instance: Any, key: str, value: str | None) -> None:
    """Keep a script's value, or forget it."""
    of_instance = compute(instance.ec2_backend).scripts.setdefault(instance.id, {})
    if value:
        of_instance[key] = value
    else:
        of_instance.pop(key, None)


def _instances(backend: Any, resource_ids: list[str]) -> list[Any]:
    known = compute(backend).instances
    unknown = [resource_id for resource_id in resource_ids if resource_id not in known]
    if unknown:
        raise InvalidInstanceIdError(unknown)
    return [known[resource_id] for resource_id in resource_ids]


def _split(tags: list[dict[str, str]]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    ours = [tag for tag in tags if tag["Key"].startswith(PREFIX)]
    return ours, [tag for tag in tags if tag not in ours]


@replace(TagResponse, "create_tags")
def create_tags(original: Any, self: Any) -> ActionResult | None:
    """Script instances; other tags are moto's.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html
    """
    ours, others = _split(self.params.get("Tags", []))
    if ours:
        if others:
            raise InvalidParameterValue(f"Tags and scripts ({PREFIX}...) cannot be given in one call")
        for instance in _instances(self.ec2_backend, self.params.get("Resources", [])):
            for tag in ours:
                key, value = tag["Key"].removeprefix(PREFIX), tag.get("Value", "")
                if key not in _set:
                    raise InvalidParameterValue(f"There is no script '{key}'; there are {', '.join(sorted(_set))}")
                try:
                    _set[key](self.ec2_backend, instance, value)
                except ValueError as error:
                    raise InvalidParameterValue(f"Script '{key}': {error}") from None
        return ActionResult(None)
    return original(self)


@replace(TagResponse, "delete_tags")
def delete_tags(original: Any, self: Any) -> ActionResult | None:
    """Take scripts back; other tags are moto's.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html
    """
    ours, _others = _split(self.params.get("Tags", []))
    if ours:
        for instance in _instances(self.ec2_backend, self.params.get("Resources", [])):
            for tag in ours:
                key = tag["Key"].removeprefix(PREFIX)
                store(instance, key, None)
                if key in _cleared:
                    _cleared[key](self.ec2_backend, instance)
        return ActionResult(None)
    return original(self)
