"""Proxies that Debian's Mono `wsdl` tool writes from the published definitions hold a whole conversation."""

import shutil
import subprocess

import pytest

from tests.support.bench import Bench
from tests.support.places import TOP, shared
from tests.support.server import ServerUnderTest

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


def run(*command: str, cwd=None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Agent.exe, compiled with fresh proxies."""
    missing = [tool for tool in ("wsdl", "mcs", "mono") if not shutil.which(tool)]
    if missing:
        pytest.fail(f"{', '.join(missing)} not found: apt-get install mono-devel")
    if not shared("wsdl").is_dir():
        pytest.skip("the published definitions (SLUICEGATE_SHARED/wsdl) are not here")
    folder = tmp_path_factory.mktemp("mono")
    for name, space in PROXIES.items():
        definition = str(shared("wsdl", f"{name}.wsdl"))
        run("wsdl", "-language:CS", f"-namespace:{space}", f"-out:{space}.cs", definition, cwd=folder)
    sources = [str(TOP / "tests/mono/Agent.cs")] + [f"{space}.cs" for space in PROXIES.values()]
    run("mcs", "-nologo", "-out:agent.exe", "-r:System,System.Xml,System.Web.Services", *sources, cwd=folder)
    return folder / "agent.exe"


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
    said = [line for line in lines if line == f"PASS {check}" or line.startswith(f"FAIL {check}:")]
    assert said == [f"PASS {check}"], "\n".join(said or lines)


def test_nothing_else_failed(lines):
    assert [line for line in lines if line.startswith("FAIL") and line[5:].split(":")[0] not in CHECKS] == []
