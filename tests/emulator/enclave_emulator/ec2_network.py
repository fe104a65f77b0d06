"""Networks: mostly moto's own."""

from typing import Any

from moto.ec2.models.subnets import Subnet

from .patching import replace_property


@replace_property(Subnet, "ipv6_cidr_block_association_set")
def ipv6_cidr_block_association_set(_original: Any, self: Any) -> list[dict[str, Any]]:
    """The state is a word; moto writes the text of a Python dictionary.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SubnetIpv6CidrBlockAssociation.html
    """
    return [
        {
            "AssociationId": association["associationId"],
            "Ipv6CidrBlock": association["ipv6CidrBlock"],
            "Ipv6CidrBlockState": association["ipv6CidrBlockState"],
        }
        for association in self.ipv6_cidr_block_associations.values()
        if association["ipv6CidrBlockState"]["State"] == "associated"
    ]
