"""RunInstances as EC2 does it: the template merged in, MaxCount launched, the client token honoured."""

import json
import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    InvalidAMIIdError,
    InvalidParameterValue,
    InvalidSecurityGroupNotFoundError,
    MalformedAMIIdError,
)
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState
from moto.ec2.responses import EC2Response
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import filter_iam_instance_profiles, parse_user_data

from . import launch_plan
from .ec2_lookups import Launch, compute
from .ec2_spot import make_spot
from .ec2_volumes import attach_volumes
from .patching import add_property, compute_lock, replace, replace_property

# moto answers every RunInstances with "pending"; a replay must show the instances as they are now.
EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER.pop("RunInstances.Reservation.Instances.Instance.State", None)


@replace(EC2Response, "call_action")
def call_action(original: Any, self: Any) -> Any:
    """One EC2 request at a time: of two with one client token the second finds what the first made.

    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
    """
    with compute_lock:
        return original(self)


@replace(InstanceResponse, "run_instances")
def run_instances(_original: Any, self: Any) -> ActionResult:
    """Launch, or answer what the same client token launched before, dead or alive.

    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
    """
    backend, request = self.ec2_backend, self.params
    token = request.get("ClientToken") or str(uuid.uuid4())
    launch_plan.check_token(token)
    parameters = json.dumps(
        {key: value for key, value in request.items() if key not in ("ClientToken", "DryRun")},
        sort_keys=True,
        default=str,
    )
    earlier = compute(backend).launches.get(token)
    if earlier is not None:
        if earlier.parameters != parameters:
            raise launch_plan.mismatch(token)
        self.error_on_dryrun()
        return ActionResult(earlier.reservation)
    plan = launch_plan.plan(backend, request)
    _check_references(backend, plan)
    profile = _profile(self, plan.get("IamInstanceProfile"))
    self.error_on_dryrun()
    reservation = _launch(backend, plan, token, profile, self.region)
    compute(backend).launches[token] = Launch(parameters, reservation)
    return ActionResult(reservation)


def _check_references(backend: Any, plan: dict[str, Any]) -> None:
    image = plan["ImageId"]
    if not image.startswith("ami-"):
        raise MalformedAMIIdError([image])
    if image not in backend.amis:
        raise InvalidAMIIdError(image)
    instance_type = plan.get("InstanceType", "m1.small")
    if instance_type not in INSTANCE_TYPES:
        raise InvalidParameterValue(f"Invalid value '{instance_type}' for InstanceType.")
    groups = list(plan.get("SecurityGroupIds", []))
    for interface in plan["NetworkInterfaces"]:
        groups += interface.get("Groups", [])
        if interface.get("SubnetId"):
            subnet = backend.get_subnet(interface["SubnetId"])
            wants_ipv6 = interface.get("Ipv6AddressCount") or interface.get("Ipv6Addresses")
            if wants_ipv6 and not subnet.ipv6_cidr_block_associations:
                raise InvalidParameterValue(f"The subnet '{subnet.id}' has no IPv6 CIDR block")
    for group in groups:
        if backend.get_security_group_from_id(group) is None:
            raise InvalidSecurityGroupNotFoundError(group)


def _profile(response: Any, wanted: dict[str, Any] | None) -> Any:
    if not wanted:
        return None
    try:
        profile = filter_iam_instance_profiles(
            response.current_account,
            partition=response.partition,
            iam_instance_profile_arn=wanted.get("Arn"),
            iam_instance_profile_name=wanted.get("Name"),
        )
    except Exception:  # moto's IAM raises its own kinds; EC2 has one answer
        profile = None
    if profile is None:
        key, value = next(iter(wanted.items()))
        raise InvalidParameterValue(
            f"Value ({value}) for parameter iamInstanceProfile.{key.lower()} is invalid. Invalid IAM Instance Profile"
        )
    return profile


def _interface(interface: dict[str, Any]) -> dict[str, Any]:
    """An interface as moto wants it: deleted with its instance unless the request says otherwise."""
    return {"DeviceIndex": 0, "DeleteOnTermination": True, **interface}


def _launch(backend: Any, plan: dict[str, Any], token: str, profile: Any, region: str) -> Any:
    interfaces = [_interface(interface) for interface in plan["NetworkInterfaces"]]
    if not interfaces and plan.get("SubnetId"):
        interfaces = [_interface({"SubnetId": plan["SubnetId"]})]
    primary = next((interface for interface in interfaces if interface["DeviceIndex"] == 0), {})
    reservation = backend.run_instances(
        plan["ImageId"],
        int(plan.get("MaxCount") or 1),
        parse_user_data(plan.get("UserData")),
        plan.get("SecurityGroups", []),
        instance_type=plan.get("InstanceType", "m1.small"),
        is_instance_type_default=False,
        placement=plan.get("Placement", {}).get("AvailabilityZone"),
        region_name=region,
        subnet_id=None,
        key_name=plan.get("KeyName"),
        security_group_ids=primary.get("Groups") or plan.get("SecurityGroupIds", []),
        nics=interfaces,
        private_ip=plan.get("PrivateIpAddress"),
        associate_public_ip=None,
        tags={},
        ebs_optimized=plan.get("EbsOptimized", False),
        disable_api_termination=plan.get("DisableApiTermination", False),
        disable_api_stop=plan.get("DisableApiStop", False),
        instance_initiated_shutdown_behavior=plan.get("InstanceInitiatedShutdownBehavior"),
        monitoring_state="enabled" if plan.get("Monitoring", {}).get("Enabled") else "disabled",
        metadata_options=plan["MetadataOptions"],
        client_token=token,
        # The volumes are added below; without this moto would add its own unencrypted /dev/sda1.
        block_device_mappings=[],
    )
    for instance in reservation.instances:
        _dress(backend, instance, plan, interfaces, profile)
    return reservation


def _dress(backend: Any, instance: Any, plan: dict[str, Any], interfaces: list[Any], profile: Any) -> None:
    """Give a new instance what moto leaves out of a launch."""
    for interface in interfaces:
        _give_ipv6(backend, instance.nics[int(interface["DeviceIndex"])], interface)
    if not interfaces and plan.get("Ipv6AddressCount"):
        _give_ipv6(backend, instance.nics[0], plan)
    instance.add_tags(plan["Tags"].get("instance", {}))
    for interface in instance.nics.values():
        interface.add_tags(plan["Tags"].get("network-interface", {}))
    version = plan["TemplateVersion"]
    if version is not None:
        instance.add_tags(
            {
                "aws:ec2launchtemplate:id": version.template.id,
                "aws:ec2launchtemplate:version": str(version.number),
            }
        )
    if profile is not None:
        backend.associate_iam_instance_profile(instance_id=instance.id, iam_instance_profile_arn=profile.arn)
        instance.iam_instance_profile = {"Arn": profile.arn, "Id": profile.id}
    market = plan.get("InstanceMarketOptions") or {}
    if market.get("MarketType") == "spot":
        make_spot(instance, market.get("SpotOptions") or {}, plan["Tags"].get("spot-instances-request", {}))
    attach_volumes(backend, instance, plan["BlockDeviceMappings"], plan["Tags"].get("volume", {}))


def _give_ipv6(backend: Any, interface: Any, wanted: dict[str, Any]) -> None:
    addresses = [entry["Ipv6Address"] for entry in wanted.get("Ipv6Addresses", [])]
    number = int(wanted.get("Ipv6AddressCount") or 0)
    if not addresses and not number and str(interface.subnet.assign_ipv6_address_on_creation).lower() == "true":
        number = 1
    if (addresses or number) and interface.subnet.ipv6_cidr_block_associations:
        backend.assign_ipv6_addresses(interface.id, ipv6_addresses=addresses, ipv6_count=number)
    interface.enclave_primary_ipv6 = bool(
        interface.ipv6_addresses and (wanted.get("PrimaryIpv6") or wanted.get("EnablePrimaryIpv6"))
    )


@replace(InstanceBackend, "run_instances")
def backend_run_instances(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """Every launch, whoever asks: all of it or nothing, and each instance is born pending.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
    """
    before = set(self.reservations)
    try:
        reservation = original(self, *args, **kwargs)
    except BaseException:
        for half_made in set(self.reservations) - before:
            for instance in self.reservations.pop(half_made).instances:
                for interface in instance.nics.values():
                    interface.delete()
                compute(self).instances.pop(instance.id, None)
        raise
    for instance in reservation.instances:
        instance.reservation = reservation
    return reservation


@replace(Instance, "__init__")
def instance_init(original: Any, self: Any, ec2_backend: Any, *args: Any, **kwargs: Any) -> None:
    """A new instance is pending.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
    """
    original(self, ec2_backend, *args, **kwargs)
    memory = compute(ec2_backend)
    self.sequence = next(memory.sequence)
    self.reservation = None
    self.looks = 0
    self._state = InstanceState("pending", 0)
    memory.instances[self.id] = self


@replace_property(NetworkInterface, "instance_ipv6_address_list")
def instance_ipv6_address_list(_original: Any, self: Any) -> list[dict[str, Any]]:
    """The first address is the primary one where a primary address was asked for.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceIpv6Address.html
    """
    primary = getattr(self, "enclave_primary_ipv6", False)
    return [
        {"Ipv6Address": address, "IsPrimaryIpv6": primary and index == 0}
        for index, address in enumerate(self.ipv6_addresses)
    ]


@replace_property(NetworkInterface, "network_interface_ipv6_addresses_list")
def network_interface_ipv6_addresses_list(_original: Any, self: Any) -> list[dict[str, Any]]:
    """As in DescribeInstances.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterfaceIpv6Address.html
    """
    return self.instance_ipv6_address_list


@add_property(Instance, "ipv6_address")
def ipv6_address(self: Any) -> str | None:
    """The first IPv6 address of the primary interface, while there is one.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
    """
    if self.state == "terminated":
        return None
    addresses = self.nics[0].ipv6_addresses if 0 in self.nics else []
    return addresses[0] if addresses else None


@replace_property(NetworkInterface, "association")
def association(original: Any, self: Any) -> dict[str, Any] | None:
    """Absent, not empty, without a public address.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceNetworkInterface.html
    """
    return original(self) or None
