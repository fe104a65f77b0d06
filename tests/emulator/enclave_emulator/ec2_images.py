"""Images as they were registered: moto drops everything but name and description."""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidParameterValue
from moto.ec2.models.amis import Ami
from moto.ec2.responses.amis import AmisResponse

from .patching import replace, replace_property


@replace(AmisResponse, "register_image")
def register_image(_original: Any, self: Any) -> ActionResult:
    """Keep architecture, root device and block devices.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html
    """
    params = self.params
    self.error_on_dryrun()
    name = params.get("Name")
    if any(image.name == name for image in self.ec2_backend.amis.values()):
        raise InvalidParameterValue(f"AMI name {name} is already in use")
    image = self.ec2_backend.register_image(name, params.get("Description", ""))
    image.architecture = params.get("Architecture", "i386")
    image.virtualization_type = params.get("VirtualizationType", "paravirtual")
    image.root_device_name = params.get("RootDeviceName", "/dev/sda1")
    image.root_device_type = "ebs"
    image.hypervisor = "xen"
    image.enclave_devices = params.get("BlockDeviceMappings", [])
    image.add_tags(self._parse_tag_specification().get("image", {}))
    return ActionResult({"ImageId": image.id})


@replace_property(Ami, "block_device_mappings")
def block_device_mappings(original: Any, self: Any) -> list[dict[str, Any]]:
    """The registered devices, else moto's one root device, which a launch deletes with its instance.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html
    """
    devices = getattr(self, "enclave_devices", [])
    if devices:
        return devices
    root = original(self)[0]
    root["Ebs"].update({"DeleteOnTermination": True, "VolumeType": "gp3", "VolumeSize": 8})
    return [root]
