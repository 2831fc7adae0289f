"""What the whole suite shares: the subject under test, optional setup, computers to talk as.

SUBJECT  base URL of the server to judge, for example http://host:8530
ADMIN    data folder of a Sluicegate that is the subject, so that tests marked `setup` can run
PEER     base URL of a second server of the same make, for cookies from elsewhere
PAST     base URL of the subject's twin with its clock two hours behind, for cookies that are over
REBORN   base URL of a server with the subject's key and another identity
"""

import os

import pytest

from conformance.hooks import Setup
from conformance.wire.client import Computer
from conformance.wire.http import exchange
from conformance.wire.soap import CLIENT, Version, envelope, text

pytest_plugins = ["tests.support.counting"]


def pytest_addoption(parser):
    parser.addoption("--start-server", action="store_true", help="start a Sluicegate (SLUICEGATE_BIN) as the subject")


def pytest_configure(config):
    config.started = []
    if config.option.collectonly:
        return
    if config.getoption("--start-server"):
        from conformance.family import start_family

        os.environ |= start_family(config.started)
    if not os.environ.get("SUBJECT"):
        only = [str(argument) for argument in config.args]
        if not only or any("wire" not in argument for argument in only):
            pytest.exit("set SUBJECT=http://host:8530, or use --start-server", 4)


def pytest_unconfigure(config):
    for server in reversed(getattr(config, "started", [])):
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def subject() -> str:
    """Base URL of the server under test."""
    return os.environ["SUBJECT"].rstrip("/")


@pytest.fixture(scope="session")
def is_wsus(subject) -> bool:
    """Whether the subject is a real one: ASP.NET signs its answers."""
    body = envelope(CLIENT, "GetConfig", text("protocolVersion", "1.8"))
    headers = Version.V11.content_headers(CLIENT.action("GetConfig"))
    return exchange(subject, "POST", CLIENT.path, headers, body).header("X-AspNet-Version") is not None


@pytest.fixture(autouse=True)
def _known_differences(request):
    mark = request.node.get_closest_marker("differs")
    if mark and request.getfixturevalue("is_wsus"):
        pytest.skip(f"known to differ: {mark.args[0]}")


@pytest.fixture(scope="session")
def _setup(subject):
    where = os.environ.get("ADMIN")
    return Setup(where) if where else None


@pytest.fixture()
def setup(_setup) -> Setup:
    """The subject's administrator, with the bench catalog imported."""
    if _setup is None:
        pytest.skip("needs ADMIN, to put a catalog into the subject")
    return _setup.ready()


@pytest.fixture()
def bench(setup):
    return setup.bench


@pytest.fixture()
def computer(subject) -> Computer:
    """A new computer that has signed on and registered."""
    return Computer(subject).handshake()


@pytest.fixture()
def stranger(subject) -> Computer:
    """A new computer that has not called anything yet."""
    return Computer(subject)


@pytest.fixture(scope="module")
def _scanned(subject, _setup):
    # Of this module: other modules change catalog and decisions.
    if _setup is not None:
        _setup.ready()
    computer = Computer(subject).handshake()
    return computer, computer.scan()


@pytest.fixture()
def scanned(_scanned):
    """A computer with a fresh cookie, and what it held after a full software scan."""
    computer, scan = _scanned
    return computer.sign_on(), scan
