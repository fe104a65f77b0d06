"""The server process: its port, its silence, its end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from conftest import EMULATOR, start


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_cleanly_when_told(tmp_path: Path, number: signal.Signals) -> None:
    process, url = start(tmp_path, "--log", str(tmp_path / "log"))
    boto3.client(
        "sts", endpoint_url=url, region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s"
    ).get_caller_identity()
    process.send_signal(number)
    assert process.wait(timeout=10) == 0
    assert '"POST / HTTP/1.1" 200' in (tmp_path / "log").read_text()


def test_the_server_says_nothing_unasked(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "enclave_emulator", "--port-file", str(port_file)]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(EMULATOR)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert wait_for(port_file.exists)
    process.terminate()
    assert process.communicate(timeout=10)[0] == b""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="follows its parent on Linux only")
def test_the_server_ends_with_its_parent(tmp_path: Path) -> None:
    """Killed outright, the parent can clean up nothing."""
    port_file = tmp_path / "port"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, time\n"
            "child = subprocess.Popen([sys.executable, '-m', 'enclave_emulator', '--port-file', sys.argv[1]])\n"
            "print(child.pid, flush=True)\n"
            "child.wait()\n",
            str(port_file),
        ],
        env={**os.environ, "PYTHONPATH": str(EMULATOR)},
        stdout=subprocess.PIPE,
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert wait_for(port_file.exists)
    assert not gone(child)
    parent.kill()
    parent.wait()
    assert wait_for(lambda: gone(child), 10)


def test_another_version_of_moto_is_refused(tmp_path: Path) -> None:
    fake = tmp_path / "moto-5.2.4.dist-info"
    fake.mkdir()
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: moto\nVersion: 5.2.4\n")
    answer = subprocess.run(
        [sys.executable, "-c", "import enclave_emulator"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{EMULATOR}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode != 0
    assert "extends moto 5.2.5, found 5.2.4" in answer.stderr
