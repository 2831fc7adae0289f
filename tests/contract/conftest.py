"""Fixtures: a server with the bench catalog, and callers for each definition and SOAP version."""

import pytest

from conformance.wire.client import Computer
from conformance.wire.soap import Version
from tests.support.bench import Bench
from tests.support.server import ServerUnderTest

from . import wsdls
from .caller import Caller


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def stocked(bench):
    """A server with the bench catalog, one approval, and one file present."""
    with ServerUnderTest() as running:
        admin = running.admin
        admin.import_all(bench.files())
        admin.create_group("Pilots")
        admin.approve(bench["plain"].id, "Pilots")
        for file in bench["plain"].files:
            admin.add_content(file.name, file.data)
        yield running


@pytest.fixture(scope="session")
def computer(stocked) -> Computer:
    """A signed-on, registered computer, for cookies and ids."""
    return Computer(stocked.base).handshake()


@pytest.fixture(scope="session", params=["published", "own"])
def definitions(request, stocked):
    """Every service's definition: the published ones, then the server's own."""
    if request.param == "own":
        return {name: wsdls.own(stocked.base, name) for name in wsdls.SERVICES}
    found = {name: wsdls.published(name) for name in wsdls.SERVICES}
    if None in found.values():
        pytest.skip("the published definitions (SLUICEGATE_SHARED/wsdl) are not here")
    return found


@pytest.fixture(scope="session", params=[Version.V11, Version.V12], ids=["soap11", "soap12"])
def callers(request, definitions, stocked, tmp_path_factory):
    """One caller per service."""
    return {
        name: Caller(definition, name, stocked.base, request.param, tmp_path_factory.mktemp(name))
        for name, definition in definitions.items()
    }
