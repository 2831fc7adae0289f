"""Proxies from the published definitions of the services between servers call every operation of them."""

import subprocess

import pytest

from conformance.wire.downstream import extracted
from tests.support.bench import Bench
from tests.support.server import ServerUnderTest

from . import building

PROXIES = {"dss-auth": "DssAuthProxy", "server-sync": "SyncProxy", "server-reporting": "RollupProxy"}

# Every check of Downstream.cs, so that one that never ran is seen.
CHECKS = [
    "GetAuthConfig",
    "GetAuthorizationCookie",
    "Ping of DssAuth",
    "GetCookie",
    "GetCookie again",
    "Ping of ServerSync",
    "GetConfigData limits",
    "GetConfigData version",
    "GetConfigData languages",
    "GetConfigData unchanged",
    "GetRevisionIdList categories",
    "GetRevisionIdList updates",
    "GetRevisionIdList apart",
    "GetRevisionIdList with an anchor",
    "GetUpdateData all",
    "GetUpdateData one form",
    "GetUpdateData both forms",
    "GetUpdateData digests",
    "GetUpdateData files",
    "GetUpdateDecryptionData",
    "DownloadFiles",
    "GetRelatedRevisionsForUpdates",
    "GetDeployments groups",
    "GetDeployments approval",
    "GetDeployments no deadline",
    "GetDeployments unchanged",
    "fault",
    "fault code",
    "Ping of Reporting",
    "GetRollupConfiguration",
    "RollupDownstreamServers",
    "RollupComputers",
    "GetOutOfSyncComputers",
    "RollupComputerStatus",
    "GetOutOfSyncComputers afterwards",
    "RollupComputers of a stranger",
]


@pytest.fixture(scope="module")
def conversation(tmp_path_factory):
    """What the program printed against a server with an approved update, the documents it got, the bench."""
    bench = Bench()
    plain = bench["plain"]
    program = building.program("Downstream.cs", PROXIES, tmp_path_factory.mktemp("mono"))
    folder = tmp_path_factory.mktemp("documents")
    with ServerUnderTest() as server:
        server.admin.import_all(bench.files())
        server.admin.create_group("Pilots")
        server.admin.approve(plain.id, "Pilots")
        arguments = [server.base, plain.id, str(plain.revision), "Pilots", plain.files[0].digest, str(folder)]
        done = subprocess.run(["mono", str(program), *arguments], capture_output=True, text=True, timeout=120)
    return done.stdout.splitlines(), folder, bench


@pytest.mark.parametrize("check", CHECKS)
def test_downstream(conversation, check):
    lines, _, _ = conversation
    said = building.said_of(lines, check)
    assert said == [f"PASS {check}"], "\n".join(said or lines)


def test_nothing_else_failed(conversation):
    lines, _, _ = conversation
    assert building.other_failures(lines, CHECKS) == []


def test_every_document_that_came_is_the_one_that_was_imported(conversation):
    """Cabinets as .NET got them, read by cabextract."""
    _, folder, bench = conversation
    got = {}
    for path in folder.iterdir():
        text = extracted(path.read_bytes()).decode("utf-16-le") if path.suffix == ".cab" else path.read_text("utf-8")
        got[path.stem] = text.lstrip("\ufeff")
    assert got == {f"{one.id}-{one.revision}": one.xml() for one in bench.all}
