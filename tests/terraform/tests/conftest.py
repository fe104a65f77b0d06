import shutil
from pathlib import Path

import pytest
import terraform
from hcl import Configuration

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def repository():
    return REPOSITORY


@pytest.fixture(scope="session")
def configuration():
    return Configuration.read_tree(REPOSITORY / "terraform")


@pytest.fixture(scope="session")
def zone(configuration):
    """modules/zone."""
    return configuration.modules[(REPOSITORY / "terraform/modules/zone").resolve()]


@pytest.fixture(scope="session")
def ssh(configuration):
    """modules/ssh."""
    return configuration.modules[(REPOSITORY / "terraform/modules/ssh").resolve()]


@pytest.fixture(scope="session")
def program():
    """Terraform or OpenTofu; without one the test is skipped, and the summary says so."""
    found = terraform.find()
    if not found:
        pytest.skip("neither terraform nor tofu is on the path")
    return found


@pytest.fixture
def copy(tmp_path):
    """A copy of terraform/ that a test may break."""
    return Path(
        shutil.copytree(REPOSITORY / "terraform", tmp_path / "terraform", ignore=shutil.ignore_patterns(".terraform*"))
    )


@pytest.fixture(scope="session")
def rendered():
    import rendering

    return rendering.load()
