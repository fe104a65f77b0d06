"""Policies and documents as JSON: rendered by Terraform from ../sample, kept in ../rendered.

Kept, so that they can be read and checked where Terraform is not installed. `python3 tests/terraform/run --render`
writes them anew.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from terraform import environment

HERE = Path(__file__).resolve().parents[1]
REPOSITORY = HERE.parents[1]
RENDERED = HERE / "rendered"
PURE = ["policies", "policies-account", "policies-ssh", "documents"]


def sources():
    folders = [REPOSITORY / "terraform/modules" / name for name in PURE]
    return sorted(HERE.glob("sample/*.tf")) + sorted(file for folder in folders for file in folder.glob("*.tf"))


def sources_sha256():
    digest = hashlib.sha256()
    for file in sources():
        digest.update(str(file.relative_to(REPOSITORY)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def load():
    """What is kept: file without its ending -> JSON."""
    return {
        str(file.relative_to(RENDERED).with_suffix("")): json.loads(file.read_text())
        for file in sorted(RENDERED.rglob("*.json"))
    }


def render(terraform):
    """What Terraform makes of the sources now."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "repository"
        for file in sources():
            target = copy / file.relative_to(REPOSITORY)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        here = copy / "tests/terraform/sample"

        def run(*arguments):
            done = subprocess.run(
                [terraform, *arguments],
                cwd=here,
                env=environment(),
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode:
                raise RuntimeError(f"terraform {arguments[0]} failed:\n{done.stdout}{done.stderr}")
            return done.stdout

        run("init", "-input=false", "-no-color")
        run("apply", "-auto-approve", "-input=false", "-no-color")
        return {name: json.loads(text) for name, text in json.loads(run("output", "-json", "rendered")).items()}


def keep(rendered):
    shutil.rmtree(RENDERED, ignore_errors=True)
    for name, value in rendered.items():
        file = RENDERED / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value, indent=2) + "\n")
    (RENDERED / "sources.sha256").write_text(sources_sha256() + "\n")
