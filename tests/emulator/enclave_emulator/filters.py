"""Filters of EC2's describes: names that are known, values with `*` and `?`, tags.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html
"""

from collections.abc import Callable, Iterable
from fnmatch import translate
from re import compile as compiled
from typing import Any

from moto.ec2.exceptions import InvalidParameterValue

# A filter's values of one thing; it passes when one of them matches one of the request's.
Values = dict[str, Callable[[Any], Iterable[str | None]]]


def tags_of(resource: Any) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in resource.get_tags()}


def shown_tags(resource: Any) -> list[dict[str, str]]:
    """Tags as an answer shows them."""
    return [{"Key": key, "Value": value} for key, value in tags_of(resource).items()]


def select(things: Iterable[Any], filters: dict[str, list[str]], values: Values, tagged: bool = True) -> list[Any]:
    """Those that pass every filter; an unknown filter is refused."""
    chosen = list(things)
    for name, wanted in filters.items():
        if name in values:
            value = values[name]
        elif tagged and name.startswith("tag:"):
            key = name.removeprefix("tag:")
            value = lambda thing, key=key: [tags_of(thing).get(key)]  # noqa: E731
        elif tagged and name == "tag-key":
            value = tags_of
        else:
            raise InvalidParameterValue(f"The filter '{name}' is invalid")
        # fnmatch knows `[...]` too, EC2 does not.
        patterns = [compiled(translate(str(pattern).replace("[", "[[]"))) for pattern in wanted]
        chosen = [
            thing
            for thing in chosen
            if any(text is not None and pattern.match(text) for text in value(thing) for pattern in patterns)
        ]
    return chosen
