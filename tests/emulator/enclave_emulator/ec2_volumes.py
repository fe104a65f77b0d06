"""Volumes of a launch, and DescribeVolumes with pages and keys."""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidParameterCombination, InvalidVolumeIdError
from moto.ec2.models.elastic_block_store import EBSBackend, Volume
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.ec2.utils import generic_filter
from moto.kms.models import KmsBackend, kms_backends

from . import paging
from .ec2_lookups import compute
from .patching import replace

GP3_THROUGHPUT = 125


def key_arn(backend: Any, key: str) -> str:
    """The ARN of a key named by id, ARN, alias or alias ARN; EC2 always shows the ARN.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html
    """
    kms: KmsBackend = kms_backends[backend.account_id][backend.region_name]
    name = key
    if ":alias/" in key:
        name = "alias/" + key.split(":alias/", 1)[1]
    if name.startswith("alias/"):
        name = kms.get_key_id_from_alias(name) or ""
    found = kms.keys.get(name.rsplit("/", 1)[-1])
    return found.arn if found else key


def attach_volumes(backend: Any, instance: Any, mappings: list[dict[str, Any]], tags: dict[str, str]) -> None:
    """Make the volumes of a launch: the image's devices, with the request's settings laid over each.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html
    Without a word about it a volume of a launch is deleted with its instance:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/preserving-volumes-on-termination.html
    """
    image = backend.amis[instance.image_id]
    devices: dict[str, dict[str, Any]] = {
        device["DeviceName"]: dict(device.get("Ebs", {})) for device in image.block_device_mappings
    }
    for mapping in mappings:
        if "NoDevice" in mapping:
            devices.pop(mapping["DeviceName"], None)
        elif mapping.get("Ebs"):
            devices[mapping["DeviceName"]] = {**devices.get(mapping["DeviceName"], {}), **mapping["Ebs"]}
    for name, ebs in devices.items():
        key = ebs.get("KmsKeyId")
        volume = backend.create_volume(
            size=ebs.get("VolumeSize") or (None if ebs.get("SnapshotId") else 8),
            zone_name=instance.availability_zone,
            snapshot_id=ebs.get("SnapshotId"),
            encrypted=bool(ebs.get("Encrypted", False)),
            kms_key_id=key_arn(backend, key) if key else None,
            volume_type=ebs.get("VolumeType"),
            iops=ebs.get("Iops"),
            throughput=ebs.get("Throughput"),
        )
        if volume.volume_type == "gp3" and not volume.throughput:
            volume.throughput = GP3_THROUGHPUT
        backend.attach_volume(volume.id, instance.id, name, ebs.get("DeleteOnTermination", True))
        volume.add_tags(tags)


@replace(EBSBackend, "attach_volume")
def attach_volume(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """The attachment says whether the volume goes with its instance.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VolumeAttachment.html
    """
    attachment = original(self, *args, **kwargs)
    mapping = attachment.instance.block_device_mapping[attachment.device]
    attachment.delete_on_termination = mapping.delete_on_termination
    return attachment


@replace(Volume, "__init__")
def volume_init(original: Any, self: Any, ec2_backend: Any, *args: Any, **kwargs: Any) -> None:
    """Volumes have an order, for pages. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html"""
    original(self, ec2_backend, *args, **kwargs)
    self.sequence = next(compute(ec2_backend).sequence)


@replace(EBSBackend, "describe_volumes")
def describe_volumes(
    _original: Any, self: Any, volume_ids: list[str] | None = None, filters: Any = None
) -> list[Volume]:
    """Volumes by id without a scan; one unknown id fails the call.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html
    """
    if not volume_ids:
        return generic_filter(filters, list(self.volumes.values()))
    for volume_id in volume_ids:
        if volume_id not in self.volumes:
            raise InvalidVolumeIdError(volume_id)
    wanted = {volume_id: self.volumes[volume_id] for volume_id in volume_ids}
    return generic_filter(filters, list(wanted.values()))


@replace(ElasticBlockStore, "describe_volumes")
def describe_volumes_action(_original: Any, self: Any) -> ActionResult:
    """Volumes in pages.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html
    """
    self.error_on_dryrun()
    volume_ids, limit = self.params.get("VolumeIds", []), self.params.get("MaxResults")
    if volume_ids and limit is not None:
        raise InvalidParameterCombination("The parameter volumeSet cannot be used with the parameter maxResults")
    found = self.ec2_backend.describe_volumes(volume_ids=volume_ids, filters=self._filters_from_querystring())
    if volume_ids:
        return ActionResult({"Volumes": found})
    volumes, token = paging.page(
        found, lambda volume: volume.sequence, paging.size(limit, 5, 1000), self.params.get("NextToken")
    )
    return ActionResult({"Volumes": volumes, "NextToken": token})
