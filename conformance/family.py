"""Starts a Sluicegate as the subject, and its relatives: a stranger, a twin in the past, one with the same key."""

import shutil
import tempfile
from pathlib import Path

from tests.support.server import ServerUnderTest, faketime_library

HOURS_BEHIND = 2


def start_family(started: list[ServerUnderTest]) -> dict[str, str]:
    """Starts the servers, adding each to `started`; answers the variables the suite reads."""

    def start(server: ServerUnderTest) -> ServerUnderTest:
        started.append(server)
        return server.start()

    def folder() -> ServerUnderTest:
        server = ServerUnderTest(Path(tempfile.mkdtemp(prefix="sluicegate-check-")), behind=0)
        server.own_folder = True
        return server

    # A first start makes key and identity; the twin takes a copy of them while nothing runs.
    subject = folder()
    subject.start()
    subject.stop()
    past = folder()
    shutil.copytree(subject.data, past.data, dirs_exist_ok=True)
    past.behind = HOURS_BEHIND
    reborn = folder()
    shutil.copy2(subject.data / "cookie.key", reborn.data / "cookie.key")

    start(subject)
    found = {"SUBJECT": subject.base, "ADMIN": str(subject.data), "PEER": start(ServerUnderTest()).base}
    found["REBORN"] = start(reborn).base
    if faketime_library():
        found["PAST"] = start(past).base
    else:
        print("libfaketime is not here (Debian: faketime): tests with expired cookies are skipped")
        shutil.rmtree(past.data, ignore_errors=True)
    return found
