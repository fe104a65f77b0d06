"""Serve the emulator: `python -m enclave_emulator --host 127.0.0.1 --port 0 --port-file PATH [--log PATH]`."""

import argparse
import logging
import os
import select
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


def follow_parent(stop: Callable[[], None]) -> None:
    """Stop when the parent process ends, so that no emulator outlives its enclave (Linux).

    PR_SET_PDEATHSIG would fire when the *thread* that started this process ends; a process descriptor does not.
    """
    if not hasattr(os, "pidfd_open"):
        return
    try:
        parent = os.pidfd_open(os.getppid())
    except ProcessLookupError:
        sys.exit(1)

    def watch() -> None:
        select.select([parent], [], [])
        stop()

    threading.Thread(target=watch, daemon=True).start()


def write_port(path: Path, port: int) -> None:
    """Write the port so that a reader sees all of it or no file."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(f"{port}\n")
    os.replace(file.name, path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="enclave_emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--port-file", type=Path, required=True, help="file that gets the port number once it listens")
    parser.add_argument("--log", type=Path, help="file for one line per request (default: none)")
    args = parser.parse_args()
    args.port_file.unlink(missing_ok=True)

    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    import enclave_emulator  # noqa: F401  applies the extension

    log = logging.getLogger("werkzeug")
    log.propagate = False
    if args.log:
        log.addHandler(logging.FileHandler(args.log))
        log.setLevel(logging.INFO)
    else:
        log.addHandler(logging.NullHandler())
        log.setLevel(logging.ERROR)

    server: Any = make_server(
        args.host,
        args.port,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    # Requests under way must not hold up the end.
    server.daemon_threads = True
    server.block_on_close = False

    def stop() -> None:
        # shutdown() waits for the serving loop, so it must not run in the loop's own thread.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, lambda _number, _frame: stop())
    signal.signal(signal.SIGINT, lambda _number, _frame: stop())
    follow_parent(stop)

    write_port(args.port_file, server.server_address[1])
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    logging.shutdown()
    # All state is in memory; taking thousands of objects apart would only cost seconds.
    os._exit(0)


if __name__ == "__main__":
    main()
