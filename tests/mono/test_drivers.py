"""Proxies from the definitions that the server gives of itself call the driver operations, which the published
definitions leave out."""

import subprocess

import pytest

from conformance.wire.http import exchange
from tests.support.bench import Bench
from tests.support.server import ServerUnderTest

from . import building

# Every check of Drivers.cs, so that one that never ran is seen.
CHECKS = [
    "GetDriverIdList hit",
    "GetDriverIdList anchor",
    "GetDriverIdList sets",
    "GetDriverIdList delta",
    "GetDriverSetData",
    "GetDriverSetData of too many",
]
DEFINITIONS = {"ServerSyncWebService/ServerSyncWebService.asmx": "OwnSync", "DssAuthWebService/DssAuthWebService.asmx": "OwnDssAuth"}


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """What the program printed against a server with drivers."""
    bench = Bench()
    folder = tmp_path_factory.mktemp("mono")
    with ServerUnderTest() as server:
        server.admin.import_all(bench.files())
        proxies = {}
        for path, space in DEFINITIONS.items():
            answer = exchange(server.base, "GET", f"/{path}?wsdl")
            assert answer.status == 200, answer
            definition = folder / f"{space}.wsdl"
            definition.write_bytes(answer.raw)
            proxies[definition] = space
        program = building.program("Drivers.cs", proxies, folder)
        driver = bench["driver new"]
        arguments = [server.base, bench.adapter, driver.id, str(driver.revision), bench["product"].id]
        done = subprocess.run(["mono", str(program), *arguments], capture_output=True, text=True, timeout=120)
    return done.stdout.splitlines() + done.stderr.splitlines()


@pytest.mark.parametrize("check", CHECKS)
def test_drivers(lines, check):
    said = building.said_of(lines, check)
    assert said == [f"PASS {check}"], "\n".join(said or lines)


def test_nothing_else_failed(lines):
    assert building.other_failures(lines, CHECKS) == []
