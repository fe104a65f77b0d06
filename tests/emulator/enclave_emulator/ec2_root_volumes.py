"""Replacing the root volume of a running instance: CreateReplaceRootVolumeTask and its description.

A task is pending, then in progress, then succeeded, each seen twice in DescribeReplaceRootVolumeTasks. Tests
script other ends with the key `emulator:replace-root-volume` on the instance (see ec2_scripts): a list
separated by commas, one entry per task to come, `succeeded` after the last. The entries:

- `succeeded`
- `failed`: in-progress, failing, failed; the original volume stays
- `failed-detached`: in-progress, failing-detached, failed-detached; no root volume is attached
- `unencrypted`: succeeds, with a volume that is not encrypted
- `key:ARN`: succeeds, with a volume under another key
"""

from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import iso_8601_datetime_without_milliseconds, utcnow
from moto.ec2.exceptions import (
    EC2ClientError,
    InvalidAMIIdError,
    InvalidParameter,
    InvalidParameterCombination,
    InvalidParameterValue,
)
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.responses import EC2Response
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, EC2_RESOURCE_TO_PREFIX, random_id

from . import paging
from .ec2_lookups import compute
from .ec2_scripts import script, scripted, store
from .filters import select, shown_tags
from .patching import add

LOOKS = 2
KIND, PREFIX = "replace-root-volume-task", "replacevol"
SCRIPT = "replace-root-volume"
ENDS = ("succeeded", "failed", "failed-detached", "unencrypted")
PATHS = {
    "failed": ("pending", "in-progress", "failing", "failed"),
    "failed-detached": ("pending", "in-progress", "failing-detached", "failed-detached"),
}
SUCCESS = ("pending", "in-progress", "succeeded")

EC2_RESOURCE_TO_PREFIX[KIND] = PREFIX
EC2_PREFIX_TO_RESOURCE[PREFIX] = KIND


@script(SCRIPT)
def _script_ends(_backend: Any, instance: Any, value: str) -> None:
    for end in value.split(","):
        if end not in ENDS and not end.startswith("key:arn:"):
            raise ValueError(f"'{end}' is none of {', '.join(ENDS)}, key:ARN")
    store(instance, SCRIPT, value)


@dataclass(eq=False)
class Task(TaggedEC2Resource):
    """One replacement. The names of its fields are those of the answer, in moto's spelling."""

    ec2_backend: Any
    instance: Any
    image_id: str | None
    snapshot_id: str | None
    delete_replaced_root_volume: bool
    end: str
    sequence: int
    id: str = field(default_factory=lambda: random_id(PREFIX))
    stage: int = 0
    looks: int = 0
    start_time: str = field(default_factory=lambda: iso_8601_datetime_without_milliseconds(utcnow()))
    complete_time: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        return PATHS.get(self.end, SUCCESS)

    @property
    def state(self) -> str:
        return self.path[self.stage]

    @property
    def ended(self) -> bool:
        return self.complete_time is not None

    def shown(self) -> dict[str, Any]:
        return {
            "ReplaceRootVolumeTaskId": self.id,
            "InstanceId": self.instance.id,
            "TaskState": self.state,
            "StartTime": self.start_time,
            "CompleteTime": self.complete_time,
            "Tags": shown_tags(self),
            "ImageId": self.image_id,
            "SnapshotId": self.snapshot_id,
            "DeleteReplacedRootVolume": self.delete_replaced_root_volume,
        }

    def look(self) -> None:
        """Count a look and go on when the state has been seen."""
        if self.ended:
            return
        if self.instance.state != "running" and self.path[-1] == "succeeded":
            # Not documented: an instance that is stopped or terminated meanwhile lets the task fail.
            self.end, self.stage = "failed", min(self.stage, 1)
        self.looks += 1
        if self.looks <= LOOKS:
            return
        # This look is the first to see the next state.
        self.looks, self.stage = 1, self.stage + 1
        if self.state == "in-progress":
            _mark(self.instance, "detaching")
        if self.stage == len(self.path) - 1:
            self.complete_time = iso_8601_datetime_without_milliseconds(utcnow())
            _finish(self)


def root_volume(instance: Any) -> Any:
    """The volume at the instance's root device, or none."""
    mapping = instance.block_device_mapping.get(instance.root_device_name)
    return instance.ec2_backend.volumes.get(mapping.volume_id) if mapping else None


def _mark(instance: Any, status: str) -> None:
    volume = root_volume(instance)
    if volume is not None and volume.attachment is not None:
        volume.attachment.status = status


def _finish(task: Task) -> None:
    backend, instance = task.ec2_backend, task.instance
    old = root_volume(instance)
    if task.state == "failed" or old is None:
        _mark(instance, "attached")
        return
    device = instance.root_device_name
    delete_on_termination = instance.block_device_mapping[device].delete_on_termination
    backend.detach_volume(old.id, instance.id, device)
    if task.state == "failed-detached":
        return
    snapshot, size = task.snapshot_id or old.snapshot_id, old.size
    encrypted, key = old.encrypted, old.kms_key_id
    if task.image_id:
        snapshot, size = _root_of(backend, backend.amis[task.image_id])
    if task.end == "unencrypted":
        encrypted, key = False, None
    elif task.end.startswith("key:"):
        encrypted, key = True, task.end.removeprefix("key:")
    new = backend.create_volume(
        size=size,
        zone_name=instance.availability_zone,
        snapshot_id=None,  # moto would look for a snapshot that may have been deleted since
        encrypted=encrypted,
        kms_key_id=key,
        volume_type=old.volume_type,
        iops=old.iops,
        throughput=old.throughput,
    )
    new.snapshot_id = snapshot
    instance.enclave_root_volumes = [*_lineage(instance), new.id]
    backend.attach_volume(new.id, instance.id, device, delete_on_termination)
    if task.image_id:
        instance.image_id = task.image_id
    if task.delete_replaced_root_volume:
        backend.delete_volume(old.id)


def _lineage(instance: Any) -> list[str]:
    """Every root volume that the instance has had."""
    volume = root_volume(instance)
    return getattr(instance, "enclave_root_volumes", []) or ([volume.id] if volume else [])


def _root_of(backend: Any, image: Any) -> tuple[str | None, int]:
    """An image's root snapshot and the size of its root device."""
    for device in image.block_device_mappings:
        if device["DeviceName"] == image.root_device_name:
            ebs = device.get("Ebs", {})
            snapshot = backend.snapshots.get(ebs.get("SnapshotId"))
            return ebs.get("SnapshotId"), int(ebs.get("VolumeSize") or (snapshot.volume.size if snapshot else 8))
    return None, 8


@add(EC2Response, "create_replace_root_volume_task")
def create_replace_root_volume_task(self: Any) -> ActionResult:
    """Start a replacement, or answer the task that the same client token started.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateReplaceRootVolumeTask.html
    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html

    What the volume and the instance become: same type and DeleteOnTermination, the size of the image's root
    device, which must not be smaller, and the instance shows the new image:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/replace-root.html
    """
    backend, params = self.ec2_backend, self.params
    memory = compute(backend)
    earlier = memory.replacement_tokens.earlier(params)
    if earlier is not None:
        self.error_on_dryrun()
        return ActionResult({"ReplaceRootVolumeTask": earlier.shown()})
    instance = backend.get_instance(params["InstanceId"])
    image, snapshot = params.get("ImageId"), params.get("SnapshotId")
    _check(backend, instance, params)
    tags: dict[str, str] = {}
    for specification in params.get("TagSpecifications", []):
        if specification.get("ResourceType") != KIND:
            # The parameter's documentation: "The tags to apply to the root volume replacement task."
            kind = specification.get("ResourceType")
            raise InvalidParameter(f"'{kind}' is not a valid taggable resource type for this operation.")
        tags.update({tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags", [])})
    self.error_on_dryrun()
    end, _, following = (scripted(instance, SCRIPT) or "succeeded").partition(",")
    store(instance, SCRIPT, following)
    instance.enclave_root_volumes = _lineage(instance)
    delete = str(params.get("DeleteReplacedRootVolume", False)).lower() == "true"
    task = Task(backend, instance, image, snapshot, delete, end, next(memory.sequence))
    memory.replacements[task.id] = task
    memory.replacement_tokens.keep(params, task)
    task.add_tags(tags)
    return ActionResult({"ReplaceRootVolumeTask": task.shown()})


def _check(backend: Any, instance: Any, params: dict[str, Any]) -> None:
    """The documented rules. Where the page names no code the code is ours, except for the instance's state."""
    image_id, snapshot_id = params.get("ImageId"), params.get("SnapshotId")
    if image_id and snapshot_id:
        raise InvalidParameterCombination("Specify either an image or a snapshot, not both")
    if params.get("VolumeId"):
        raise EC2ClientError("UnsupportedOperation", "This emulator does not replace a root volume by a given one")
    if instance.state != "running":
        raise EC2ClientError("IncorrectInstanceState", f"The instance '{instance.id}' is not in the state 'running'")
    for task in compute(backend).replacements.values():
        if task.instance is instance and not task.ended:
            raise EC2ClientError(
                "IncorrectState", f"The root volume of '{instance.id}' is being replaced by task '{task.id}'"
            )
    old = root_volume(instance)
    if image_id:
        image = backend.amis.get(image_id)
        if image is None:
            raise InvalidAMIIdError(image_id)
        for name in ("architecture", "virtualization_type"):
            if getattr(image, name) != getattr(instance, name):
                raise InvalidParameterValue(f"The {name} of '{image_id}' is not that of '{instance.id}'")
        size = _root_of(backend, image)[1]
        if old is not None and size < old.size:
            raise InvalidParameterValue(
                f"The root device of '{image_id}' ({size} GiB) is smaller than '{old.id}' ({old.size} GiB)"
            )
    if snapshot_id:
        snapshot = backend.get_snapshot(snapshot_id)
        if snapshot.volume.id not in _lineage(instance):
            raise InvalidParameterValue(f"'{snapshot_id}' was not taken from a root volume of '{instance.id}'")


@add(EC2Response, "describe_replace_root_volume_tasks")
def describe_replace_root_volume_tasks(self: Any) -> ActionResult:
    """Tasks by id or instance, in pages of at most 50. `instance-id` is the only filter.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeReplaceRootVolumeTasks.html
    The code for an unknown id is not documented.
    """
    self.error_on_dryrun()
    known, params = compute(self.ec2_backend).replacements, self.params
    ids = params.get("ReplaceRootVolumeTaskIds", [])
    for task_id in ids:
        if task_id not in known:
            raise EC2ClientError("InvalidReplaceRootVolumeTaskId.NotFound", f"The task ID '{task_id}' does not exist")
    found = [known[task_id] for task_id in dict.fromkeys(ids)] if ids else list(known.values())
    of_instance = {"instance-id": lambda task: [task.instance.id]}
    found = select(found, self._filters_from_querystring(), of_instance, tagged=False)
    found.sort(key=lambda task: task.sequence)
    limit = paging.size(params.get("MaxResults"), 1, 50)
    tasks, token = paging.page(found, lambda task: task.sequence, limit, params.get("NextToken"))
    for task in tasks:
        task.look()
    return ActionResult({"ReplaceRootVolumeTasks": [task.shown() for task in tasks], "NextToken": token})
