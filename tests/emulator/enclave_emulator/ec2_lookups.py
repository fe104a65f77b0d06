"""Lookups by id in constant time: moto scans, which makes thousands of instances take minutes.

The answers are moto's own; only their cost changes. `Compute` is what the extension remembers of one
account and region.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from moto.ec2.exceptions import InvalidInstanceIdError, InvalidNetworkInterfaceIdError
from moto.ec2.models.amis import AmiBackend
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from .client_tokens import Tokens
from .patching import replace


@dataclass
class Launch:
    """A RunInstances call that succeeded, kept for its client token."""

    parameters: str
    reservation: Any


@dataclass
class Compute:
    instances: dict[str, Instance] = field(default_factory=dict)
    launches: dict[str, Launch] = field(default_factory=dict)
    # What a test has scripted: by resource id, then by key. See ec2_scripts.
    scripts: dict[str, dict[str, str]] = field(default_factory=dict)
    spot_requests: dict[str, Any] = field(default_factory=dict)
    replacements: dict[str, Any] = field(default_factory=dict)
    replacement_tokens: Tokens = field(default_factory=Tokens)
    service_tokens: Tokens = field(default_factory=Tokens)
    sequence: Iterator[int] = field(default_factory=count)


def compute(backend: Any) -> Compute:
    """The extension's memory for an EC2 backend; moto's reset clears it with the backend."""
    return backend.__dict__.setdefault("enclave_compute", Compute())


@replace(InstanceBackend, "get_instance")
def get_instance(_original: Any, self: Any, instance_id: str) -> Instance:
    """One instance. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html"""
    instance = compute(self).instances.get(instance_id)
    if instance is None:
        raise InvalidInstanceIdError(instance_id)
    return instance


@replace(InstanceBackend, "get_instance_by_id")
def get_instance_by_id(_original: Any, self: Any, instance_id: str) -> Instance | None:
    """One instance, or none. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html"""
    return compute(self).instances.get(instance_id)


@replace(NetworkInterfaceBackend, "get_network_interface")
def get_network_interface(_original: Any, self: Any, eni_id: str) -> Any:
    """One network interface. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html"""
    interface = self.enis.get(eni_id)
    if interface is None:
        raise InvalidNetworkInterfaceIdError(eni_id)
    return interface


@replace(TaggedEC2Resource, "get_tags")
def get_tags(_original: Any, self: Any) -> list[dict[str, str]]:
    """A resource's tags. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html"""
    if not self.id:
        return []
    resource_type = EC2_PREFIX_TO_RESOURCE.get(get_prefix(self.id), "")
    return [
        {"resource_id": self.id, "key": key, "value": value, "resource_type": resource_type}
        for key, value in self.ec2_backend.tags.get(self.id, {}).items()
    ]


@replace(AmiBackend, "describe_images")
def describe_images(original: Any, self: Any, *args: Any, **kwargs: Any) -> list[Any]:
    """Images, at once for the lookup that each launch makes.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
    """
    filters: dict[str, Any] = kwargs.get("filters") or {}
    if not args and set(kwargs) == {"filters"} and set(filters) == {"image-id"}:
        wanted = filters["image-id"]
        ids = [wanted] if isinstance(wanted, str) else wanted
        return [self.amis[ami] for ami in ids if ami in self.amis]
    return original(self, *args, **kwargs)
