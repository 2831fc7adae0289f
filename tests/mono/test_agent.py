"""Proxies that Debian's Mono `wsdl` tool writes from the published definitions hold a whole conversation."""

import subprocess

import pytest

from tests.support.bench import Bench
from tests.support.server import ServerUnderTest

from . import building

PROXIES = {"simple-auth": "SimpleAuthProxy", "client": "ClientProxy", "client-reporting": "ReportingProxy"}

# Every check of Agent.cs, so that one that never ran is seen.
CHECKS = [
    "GetConfig plug-in",
    "GetConfig service",
    "GetConfig registration",
    "GetConfig limit",
    "GetConfig version",
    "GetAuthorizationCookie",
    "GetCookie data",
    "GetCookie life",
    "RegisterComputer",
    "SyncUpdates ends",
    "SyncUpdates delivers",
    "SyncUpdates action",
    "SyncUpdates assigned",
    "SyncUpdates change date",
    "GetExtendedUpdateInfo parts",
    "GetExtendedUpdateInfo title",
    "GetExtendedUpdateInfo location",
    "ReportEventBatch",
    "fault",
    "fault code",
]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Agent.cs, compiled with fresh proxies."""
    return building.program("Agent.cs", PROXIES, tmp_path_factory.mktemp("mono"))


def test_the_proxies_and_the_agent_compile(program):
    assert program.stat().st_size > 0


@pytest.fixture(scope="module")
def lines(program):
    """What the agent printed against a server with an approved update."""
    bench = Bench()
    plain = bench["plain"]
    with ServerUnderTest() as server:
        server.admin.import_all(bench.files())
        server.admin.approve(plain.id, "All Computers")
        file = plain.files[0]
        done = subprocess.run(
            ["mono", str(program), server.base, plain.id, plain.title, file.digest, file.path],
            capture_output=True,
            text=True,
            timeout=120,
        )
    return done.stdout.splitlines()


@pytest.mark.parametrize("check", CHECKS)
def test_agent(lines, check):
    said = building.said_of(lines, check)
    assert said == [f"PASS {check}"], "\n".join(said or lines)


def test_nothing_else_failed(lines):
    assert building.other_failures(lines, CHECKS) == []
