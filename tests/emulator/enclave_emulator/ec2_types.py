"""Instance types and where they are offered, in pages. The data are moto's, and they are AWS's own."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidInstanceTypeError, InvalidParameterValue
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES, InstanceType
from moto.ec2.responses.instances import InstanceResponse

from . import paging
from .filters import Values, select
from .patching import replace

MOST_TYPES = 100

# Filters of the page that moto lacks, as paths in an answer; the others are in moto's own table.
PATHS: dict[str, list[str]] = {
    **InstanceType._filter_attributes,
    "dedicated-hosts-supported": ["DedicatedHostsSupported"],
    "ebs-info.attachment-limit-type": ["EbsInfo", "AttachmentLimitType"],
    "ebs-info.maximum-ebs-attachments": ["EbsInfo", "MaximumEbsAttachments"],
    "network-info.bandwidth-weightings": ["NetworkInfo", "BandwidthWeightings"],
    "network-info.flexible-ena-queues-support": ["NetworkInfo", "FlexibleEnaQueuesSupport"],
    "nitro-enclaves-support": ["NitroEnclavesSupport"],
    "nitro-tpm-info.supported-versions": ["NitroTpmInfo", "SupportedVersions"],
    "nitro-tpm-support": ["NitroTpmSupport"],
    "processor-info.supported-features": ["ProcessorInfo", "SupportedFeatures"],
    "reboot-migration-support": ["RebootMigrationSupport"],
}


def _values(value: Any, path: list[str]) -> Iterator[str]:
    """What lies at a path, through lists too, as filters spell it."""
    if isinstance(value, list):
        for entry in value:
            yield from _values(entry, path)
    elif value is None:
        return
    elif path:
        yield from _values(value.get(path[0]), path[1:])
    else:
        yield str(value).lower() if isinstance(value, bool) else str(value)


FILTERS: Values = {name: lambda found, path=path: _values(found, path) for name, path in PATHS.items()}
ORDER = {name: index for index, name in enumerate(sorted(INSTANCE_TYPES))}


@cache
def _offered(region: str) -> frozenset[str]:
    """The types of a region; all of them where moto does not know the region."""
    offers = INSTANCE_TYPE_OFFERINGS["region"].get(region)
    return frozenset(INSTANCE_TYPES if offers is None else (offer["InstanceType"] for offer in offers))


@replace(InstanceResponse, "describe_instance_types")
def describe_instance_types(_original: Any, self: Any) -> ActionResult:
    """Types of this region by name, filter and page (5 to 100; 100 where nothing is said, which the page does
    not state). One unknown name fails the call.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
    """
    self.error_on_dryrun()
    params, offered = self.params, _offered(self.region)
    everywhere = str(params.get("IncludeUnsupportedInRegion", False)).lower() == "true"
    names = list(dict.fromkeys(params.get("InstanceTypes", [])))
    if len(names) > MOST_TYPES:
        raise InvalidParameterValue(f"At most {MOST_TYPES} instance types may be given")
    known = [name for name in ORDER if name in offered or everywhere]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise InvalidInstanceTypeError(unknown, error_type="InvalidInstanceType")
    wanted = sorted(names, key=ORDER.__getitem__) if names else known
    found = select([INSTANCE_TYPES[name] for name in wanted], self._filters_from_querystring(), FILTERS, tagged=False)
    limit = MOST_TYPES if params.get("MaxResults") is None else paging.size(params["MaxResults"], 5, MOST_TYPES)
    page, token = paging.page(found, lambda entry: ORDER[entry["InstanceType"]], limit, params.get("NextToken"))
    shown = [{**entry, "SupportedInRegion": entry["InstanceType"] in offered} for entry in page]
    return ActionResult({"InstanceTypes": shown, "NextToken": token})


@cache
def _offers(region: str, kind: str) -> list[tuple[int, dict[str, str]]]:
    offers = INSTANCE_TYPE_OFFERINGS[kind].get(region, [])
    ordered = sorted(offers, key=lambda offer: (offer["InstanceType"], offer["Location"]))
    return list(enumerate(ordered))


@replace(InstanceResponse, "describe_instance_type_offerings")
def describe_instance_type_offerings(_original: Any, self: Any) -> ActionResult:
    """Offers by type and location, in pages (5 to 1000). moto takes the start of a region's name for the region.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypeOfferings.html
    """
    self.error_on_dryrun()
    kind = self.params.get("LocationType") or "region"
    if kind not in INSTANCE_TYPE_OFFERINGS:
        raise InvalidParameterValue(f"The location type '{kind}' is invalid")
    found = select(
        _offers(self.region, kind),
        self._filters_from_querystring(),
        {
            "instance-type": lambda offer: [offer[1]["InstanceType"]],
            "location": lambda offer: [offer[1]["Location"]],
        },
        tagged=False,
    )
    limit = paging.size(self.params.get("MaxResults"), 5, 1000)
    page, token = paging.page(found, lambda offer: offer[0], limit, self.params.get("NextToken"))
    return ActionResult({"InstanceTypeOfferings": [offer for _, offer in page], "NextToken": token})
