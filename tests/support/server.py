"""Starts and stops one `sluicegate serve` on a free port with a data folder of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from glob import glob
from pathlib import Path

from conformance.wire.http import exchange

from .admin import Admin
from .places import binary

FAKETIME = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")
START_SECONDS = 60
STOP_SECONDS = 20


def faketime_library() -> str | None:
    """The library that sets a program's clock (Debian: faketime), or None."""
    found = [path for pattern in FAKETIME for path in sorted(glob(pattern))]
    return found[0] if found else None


class ServerUnderTest:
    """A running server. Use as a context manager; the data folder goes with it unless it was given.

    `behind` sets the server's clock back by so many hours (needs libfaketime, see `faketime_library`).
    """

    def __init__(self, data: Path | None = None, arguments: list[str] = (), keep: bool = False, behind: int = 0):
        self.program = binary()
        self.own_folder = data is None
        self.data = Path(data or tempfile.mkdtemp(prefix="sluicegate-check-"))
        self.arguments = list(arguments)
        self.behind = behind
        self.keep = keep or bool(os.environ.get("SLUICEGATE_KEEP_DATA"))
        self.process: subprocess.Popen | None = None
        self.base = ""
        # For a server in another network namespace: a command that runs others there, where it listens, and the
        # base URL to reach it from here.
        self.within: list[str] = []
        self.listen = "127.0.0.1:0"
        self.address: str | None = None

    @property
    def log(self) -> Path:
        """Standard output and error of the server, beside its data folder."""
        return self.data.with_name(self.data.name + ".log")

    def start(self) -> "ServerUnderTest":
        if not self.program.exists():
            raise FileNotFoundError(
                f"{self.program} is not there: build it (cargo build --bin sluicegate) or set SLUICEGATE_BIN"
            )
        (self.data / "listen").unlink(missing_ok=True)
        serve = [str(self.program), "serve", "--data", str(self.data), "--listen", self.listen]
        command = [*self.within, *serve, *self.arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment()
            )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with code {self.process.returncode} at start:\n{self.tail()}")
            if self.ready():
                return self
            time.sleep(0.05)
        self.stop()
        raise TimeoutError(f"the server was not ready after {START_SECONDS} s:\n{self.tail()}")

    def environment(self) -> dict[str, str]:
        if not self.behind:
            return dict(os.environ)
        clock = {"LD_PRELOAD": faketime_library(), "FAKETIME": f"-{self.behind}h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        return dict(os.environ) | clock

    def ready(self) -> bool:
        try:
            self.base = self.address or (self.data / "listen").read_text().strip().rstrip("/")
            return self.base != "" and exchange(self.base, "GET", "/healthz", timeout=5).status == 200
        except OSError:
            return False

    @property
    def admin(self) -> Admin:
        return Admin(self.base, (self.data / "admin-token").read_text().strip())

    def stop(self) -> int | None:
        """Asks the server to end and waits; kills it when it does not. Returns its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def tail(self, lines: int = 40) -> str:
        """The end of the log, for messages."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def __enter__(self) -> "ServerUnderTest":
        return self.start()

    def __exit__(self, *_exception) -> None:
        self.stop()
        if self.own_folder and not self.keep:
            shutil.rmtree(self.data, ignore_errors=True)
            self.log.unlink(missing_ok=True)
