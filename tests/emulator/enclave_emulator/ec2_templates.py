"""Launch templates: versions as they were stored, and versions made from others."""

import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.launch_templates import LaunchTemplateBackend
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import parse_user_data

from .launch_plan import template_version
from .patching import replace


@replace(LaunchTemplates, "create_launch_template")
def create_launch_template(_original: Any, self: Any) -> ActionResult:
    """The first version holds what was given; moto adds the template's own tags to it.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
    """
    params = self.params
    tags = self._parse_tag_specification()
    data = copy.deepcopy(params.get("LaunchTemplateData", {}))
    parse_user_data(data.get("UserData"))
    self.error_on_dryrun()
    template = self.ec2_backend.create_launch_template(
        params.get("LaunchTemplateName"), params.get("VersionDescription"), data, tags
    )
    return ActionResult(
        {
            "LaunchTemplate": {
                "CreateTime": template.create_time,
                "CreatedBy": f"arn:{self.partition}:iam::{self.current_account}:root",
                "DefaultVersionNumber": template.default_version_number,
                "LatestVersionNumber": template.latest_version_number,
                "LaunchTemplateId": template.id,
                "LaunchTemplateName": template.name,
                "Tags": template.tags,
            }
        }
    )


@replace(LaunchTemplates, "create_launch_template_version")
def create_launch_template_version(original: Any, self: Any) -> ActionResult:
    """A version made from another inherits its parameters; those given overwrite them.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html
    """
    params = self.params
    parse_user_data(params.get("LaunchTemplateData", {}).get("UserData"))
    source = params.get("SourceVersion")
    if source:
        inherited = template_version(self.ec2_backend, {**params, "Version": source}).data
        params["LaunchTemplateData"] = {**copy.deepcopy(inherited), **params.get("LaunchTemplateData", {})}
    return original(self)


@replace(LaunchTemplateBackend, "describe_launch_template_versions")
def describe_launch_template_versions(
    original: Any, self: Any, template_name: str, template_id: str, versions: list[str], *args: Any, **kwargs: Any
) -> Any:
    """A version that does not exist is refused; moto counts 0 and negative numbers from the end.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html
    """
    if versions and (template_name or template_id):
        reference = {"LaunchTemplateId": template_id, "LaunchTemplateName": template_name}
        found = [template_version(self, {**reference, "Version": version}) for version in versions]
        return [(version.template, version) for version in found]
    return original(self, template_name, template_id, versions, *args, **kwargs)


@replace(LaunchTemplateBackend, "describe_launch_templates")
def describe_launch_templates(
    original: Any, self: Any, template_names: Any = None, template_ids: Any = None, filters: Any = None
) -> Any:
    """An unknown id is refused like an unknown name.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplates.html
    """
    for template_id in template_ids or []:
        self.get_launch_template(template_id)
    return original(self, template_names, template_ids, filters)


@replace(LaunchTemplates, "delete_launch_template")
def delete_launch_template(original: Any, self: Any) -> ActionResult:
    """Deleting an unknown template names the kind of reference that was not found.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplate.html
    """
    if self.params.get("LaunchTemplateId"):
        self.ec2_backend.get_launch_template(self.params["LaunchTemplateId"])
    elif self.params.get("LaunchTemplateName"):
        self.ec2_backend.get_launch_template_by_name(self.params["LaunchTemplateName"])
    return original(self)
