"""One emulator for all tests; each test takes a region of its own, so none sees another's things."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from foundation import Foundation

TESTS = Path(__file__).resolve().parent
EMULATOR = TESTS.parent
REGIONS = itertools.cycle(
    ["eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "us-east-2", "us-west-1", "us-west-2"]
    + [
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "sa-east-1",
    ]
)
_accounts = itertools.count(200000000000)


def start(directory: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start an emulator and wait until it has said its port."""
    port_file = directory / "port"
    # ENCLAVE_EMULATOR_MODULE=plain_moto shows what plain moto would do: many tests must then fail.
    module = os.environ.get("ENCLAVE_EMULATOR_MODULE", "enclave_emulator")
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--port-file", str(port_file), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (EMULATOR, TESTS, TESTS / "eager")))},
    )
    deadline = time.monotonic() + 60
    while not port_file.exists():
        assert process.poll() is None, "the emulator ended at once"
        assert time.monotonic() < deadline, "the emulator did not start"
        time.sleep(0.02)
    return process, f"http://127.0.0.1:{port_file.read_text().strip()}"


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, url = start(tmp_path_factory.mktemp("emulator"))
    yield url
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


def _clients(endpoint: str, account: str, region: str) -> Callable[[str], Any]:
    def make(service: str) -> Any:
        made = boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=32, read_timeout=120),
        )
        made.meta.events.register(
            "before-call", lambda params, **_: params["headers"].update({"x-moto-account-id": account})
        )
        return made

    return make


@pytest.fixture
def region() -> str:
    return next(REGIONS)


@pytest.fixture
def client(endpoint: str, region: str) -> Callable[[str], Any]:
    """Makes clients of one account and region that belong to this test alone."""
    return _clients(endpoint, str(next(_accounts)), region)


@pytest.fixture
def elsewhere(endpoint: str, region: str) -> Callable[[str], Any]:
    """Makes clients of another account in the same region."""
    return _clients(endpoint, str(next(_accounts)), region)


@pytest.fixture
def zone(client: Callable[..., Any]) -> Foundation:
    """A VPC with IPv6, host subnets, keys and a launch template, as a zone has them."""
    return Foundation(client)
