"""An AWS emulator for the local enclave: moto with the gaps closed that the enclave meets.

Importing this package changes moto in place; `python -m enclave_emulator` serves it.
"""

from importlib.metadata import version

MOTO_VERSION = "5.2.5"

# The patched names are private to this version; another one could ignore a patch in silence.
if version("moto") != MOTO_VERSION:
    raise ImportError(
        f"enclave_emulator extends moto {MOTO_VERSION}, found {version('moto')}; "
        "install requirements.txt, or go through every patch and raise MOTO_VERSION"
    )

from . import (  # noqa: E402,F401  importing is the effect
    ec2_describe,
    ec2_endpoint_connections,
    ec2_endpoint_services,
    ec2_given_ids,
    ec2_images,
    ec2_launch,
    ec2_lookups,
    ec2_network,
    ec2_root_volumes,
    ec2_scripts,
    ec2_spot,
    ec2_states,
    ec2_status,
    ec2_templates,
    ec2_types,
    ec2_volumes,
    elbv2_attributes,
    elbv2_balancers,
    elbv2_groups,
    elbv2_health_checks,
    elbv2_listeners,
    elbv2_targets,
    s3,
    sqs,
)
