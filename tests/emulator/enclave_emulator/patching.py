"""The one way in which moto is changed, and the locks that hold its parts together."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

AWS_DOCS = "https://docs.aws.amazon.com/"

# EC2 and ELBv2 look at each other's objects, so they share a lock. Each request holds it from its first
# look to its last byte: a check and the write that follows are one step.
compute_lock = threading.RLock()


def _checked(owner: type, name: str, function: Callable[..., Any], new: bool) -> None:
    if AWS_DOCS not in (function.__doc__ or ""):
        raise TypeError(f"the patch of {owner.__name__}.{name} names no AWS page")
    if new == hasattr(owner, name):
        state = "exists already" if new else "does not exist"
        raise TypeError(f"{owner.__name__}.{name} {state} in this version of moto")


def replace(owner: type, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replace a method of moto; the new one gets the old one as its first argument."""

    def apply(function: Callable[..., Any]) -> Callable[..., Any]:
        _checked(owner, name, function, new=False)
        original = getattr(owner, name)

        @wraps(function)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return function(original, self, *args, **kwargs)

        setattr(owner, name, method)
        return function

    return apply


def add(owner: type, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a method, often a whole action, that moto lacks."""

    def apply(function: Callable[..., Any]) -> Callable[..., Any]:
        _checked(owner, name, function, new=True)
        setattr(owner, name, function)
        return function

    return apply


def replace_property(owner: type, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replace a read-only property of moto; the new one gets the old one's getter as its first argument."""

    def apply(function: Callable[..., Any]) -> Callable[..., Any]:
        _checked(owner, name, function, new=False)
        original = getattr(owner, name).fget
        setattr(owner, name, property(lambda self: function(original, self)))
        return function

    return apply


def add_property(owner: type, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a property that a response shape asks for and moto lacks."""

    def apply(function: Callable[..., Any]) -> Callable[..., Any]:
        _checked(owner, name, function, new=True)
        setattr(owner, name, property(function))
        return function

    return apply
