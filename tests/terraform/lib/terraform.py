"""Terraform, where it is installed, with the stand-in of the AWS provider."""

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
VERSION = "6.25.0"


def find():
    """Terraform or OpenTofu on the path; None where neither is."""
    return shutil.which("terraform") or shutil.which("tofu")


def environment(configuration=None):
    env = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
    env["CHECKPOINT_DISABLE"] = "1"
    # The stand-in speaks to nobody but its parent on the loopback.
    env["TF_DISABLE_PLUGIN_TLS"] = "1"
    env["TF_CLI_CONFIG_FILE"] = str(configuration or os.devnull)
    return env


def install_stand_in(folder):
    """A mirror that holds the stand-in as the AWS provider; returns the configuration file that names it."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    for registry in ("registry.terraform.io", "registry.opentofu.org"):
        place = folder / f"mirror/{registry}/hashicorp/aws/{VERSION}/{os.uname().sysname.lower()}_{machine}"
        place.mkdir(parents=True)
        program = place / f"terraform-provider-aws_v{VERSION}"
        program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{HERE / 'provider/stand_in.py'}'\n")
        program.chmod(0o755)
    configuration = folder / "terraform.rc"
    configuration.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder / "mirror"}"\n  }}\n}}\n'
    )
    return configuration
