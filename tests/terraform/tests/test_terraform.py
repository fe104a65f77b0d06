"""Terraform itself, with the AWS provider's stand-in: format, types, graph, and the modules' own tests."""

import subprocess

import pytest
import terraform

MODULES = [
    ".",
    "modules/zone",
    "modules/ssh",
    "modules/policies",
    "modules/policies-account",
    "modules/policies-ssh",
    "modules/documents",
    "examples/basic",
    "examples/multi-zone",
    "examples/multi-az",
    "examples/private-link",
]
TESTED = [".", "modules/zone", "modules/ssh", "modules/documents", "examples/multi-az"]


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    return terraform.install_stand_in(tmp_path_factory.mktemp("provider"))


def run(program, stand_in, folder, *arguments):
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=terraform.environment(stand_in),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )


def prepared(program, stand_in, folder):
    done = run(program, stand_in, folder, "init", "-input=false", "-no-color")
    assert done.returncode == 0, done.stdout
    return folder


def test_it_is_formatted(program, repository):
    done = subprocess.run(
        [
            program,
            "fmt",
            "-recursive",
            "-check",
            "-diff",
            repository / "terraform",
        ],
        env=terraform.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", MODULES)
def test_it_is_valid(program, stand_in, copy, module):
    done = run(program, stand_in, prepared(program, stand_in, copy / module), "validate", "-no-color")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", TESTED)
def test_its_own_tests_pass(program, stand_in, copy, module):
    done = run(program, stand_in, prepared(program, stand_in, copy / module), "test", "-no-color")
    assert done.returncode == 0, done.stdout
    assert "Success!" in done.stdout and " 0 passed" not in done.stdout, done.stdout


def test_the_stand_in_refuses_what_the_provider_does_not_know(program, stand_in, copy):
    file = copy / "modules/zone/network.tf"
    file.write_text(file.read_text().replace("enable_dns_support ", "enable_dns ", 1))
    done = run(program, stand_in, prepared(program, stand_in, copy / "modules/zone"), "validate", "-no-color")
    assert done.returncode != 0 and "enable_dns" in done.stdout


def test_a_loop_through_a_module_is_found(program, stand_in, copy):
    """The policies take ARNs of what waits for other policies; a loop would show only here."""
    file = copy / "modules/policies/trust.tf"
    file.write_text(
        file.read_text().replace('service = "ec2.amazonaws.com"', 'service = join("", values(var.role_arns))', 1)
    )
    done = run(program, stand_in, prepared(program, stand_in, copy / "modules/zone"), "validate", "-no-color")
    assert done.returncode != 0 and "Cycle" in done.stdout


def test_every_tested_module_is_here(repository):
    with_tests = {
        str(file.parents[1].relative_to(repository / "terraform"))
        for file in (repository / "terraform").rglob("*.tftest.hcl")
    }
    assert with_tests == set(TESTED)
