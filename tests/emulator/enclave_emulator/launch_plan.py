"""What a RunInstances request asks for once its launch template is laid under it.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
"""

from typing import Any

from moto.ec2.exceptions import (
    EC2ClientError,
    InvalidLaunchTemplateVersionNotFound,
    InvalidParameterCombination,
    InvalidParameterValue,
    MissingParameter,
)

USER_DATA_LIMIT = 16384
TOKEN_LIMIT = 64


def template_version(backend: Any, reference: dict[str, Any]) -> Any:
    """The version that a request names: a number, $Latest, or $Default, which also stands when none is named."""
    template_id, name = reference.get("LaunchTemplateId"), reference.get("LaunchTemplateName")
    if template_id and name:
        raise InvalidParameterCombination("Specify either the ID or the name of a launch template, not both.")
    if template_id:
        template = backend.get_launch_template(template_id)
    elif name:
        template = backend.get_launch_template_by_name(name)
    else:
        raise MissingParameter("The request must contain the ID or the name of a launch template.")
    wanted = str(reference.get("Version") or "$Default")
    if wanted == "$Latest":
        return template.latest_version()
    if wanted == "$Default":
        return template.default_version()
    for version in template.versions:
        if str(version.number) == wanted:
            return version
    raise InvalidLaunchTemplateVersionNotFound(template_id=template.id, version=wanted)


def _by_key(lower: list[Any], upper: list[Any], key: str, default: Any = None) -> list[dict[str, Any]]:
    """Two lists joined by a key; an entry above takes the place of the one below."""
    joined = {entry.get(key, default): entry for entry in lower}
    joined.update({entry.get(key, default): entry for entry in upper})
    return list(joined.values())


def _tags(*layers: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    tags: dict[str, dict[str, str]] = {}
    for layer in layers:
        for specification in layer:
            of_type = tags.setdefault(specification.get("ResourceType", ""), {})
            of_type.update({tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags", [])})
    return tags


def plan(backend: Any, request: dict[str, Any]) -> dict[str, Any]:
    """The template's parameters with the request's laid over them, checked like EC2 checks them.

    "Any additional parameters that you specify for the new instance overwrite the corresponding parameters
    included in the launch template." Tags of both are kept.
    """
    version = None
    below: dict[str, Any] = {}
    if request.get("LaunchTemplate"):
        version = template_version(backend, request["LaunchTemplate"])
        below = {key: value for key, value in version.data.items() if value is not None}
    merged = {**below, **request}
    merged["BlockDeviceMappings"] = _by_key(
        below.get("BlockDeviceMappings", []), request.get("BlockDeviceMappings", []), "DeviceName"
    )
    merged["NetworkInterfaces"] = _by_key(
        below.get("NetworkInterfaces", []), request.get("NetworkInterfaces", []), "DeviceIndex", 0
    )
    merged["MetadataOptions"] = {**below.get("MetadataOptions", {}), **request.get("MetadataOptions", {})}
    merged["Tags"] = _tags(below.get("TagSpecifications", []), request.get("TagSpecifications", []))
    merged["TemplateVersion"] = version
    _check(merged)
    return merged


def _check(merged: dict[str, Any]) -> None:
    smallest, largest = int(merged.get("MinCount") or 1), int(merged.get("MaxCount") or 1)
    if smallest < 1:
        raise InvalidParameterValue(f"Value ({smallest}) for parameter minCount is invalid. Must be at least 1.")
    if smallest > largest:
        raise InvalidParameterCombination(
            f"Value ({smallest}) for parameter minCount may not exceed maxCount ({largest})."
        )
    if not merged.get("ImageId"):
        raise MissingParameter("The request must contain the parameter ImageId")
    if merged["NetworkInterfaces"]:
        for parameter, words in (
            ("SubnetId", "an instance-level subnet ID"),
            ("SecurityGroupIds", "instance-level security groups"),
            ("SecurityGroups", "instance-level security groups"),
            ("PrivateIpAddress", "an instance-level private address"),
            ("Ipv6AddressCount", "an instance-level IPv6 address count"),
        ):
            if merged.get(parameter):
                raise InvalidParameterCombination(
                    f"Network interfaces and {words} may not be specified on the same request"
                )
    user_data = merged.get("UserData")
    if user_data and len(user_data) * 3 // 4 > USER_DATA_LIMIT + 2:
        raise InvalidParameterValue(f"User data is limited to {USER_DATA_LIMIT} bytes")


def check_token(token: str) -> None:
    if len(token) > TOKEN_LIMIT or not token.isascii():
        raise InvalidParameterValue(f"The client token must have at most {TOKEN_LIMIT} ASCII characters")


def mismatch(token: str) -> EC2ClientError:
    return EC2ClientError(
        "IdempotentParameterMismatch",
        f"The client token '{token}' was used by an earlier request with other parameters.",
    )
