"""MS-WUSP 2.2.2.4: ConfigChanged, RegistrationRequired, RegistrationNotRequired, FileLocationChanged."""

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import Cookie, child, child_text
from conformance.wire.client import Computer
from conformance.wire.soap import CLIENT


def sync_answer(computer: Computer):
    return computer.send(CLIENT, "SyncUpdates", computer.sync_content())


@pytest.mark.spec("3.1.5.4")
def test_a_stale_configuration_time(stranger):
    """ConfigChanged comes from GetCookie, or at the latest from SyncUpdates."""
    auth = stranger.get_authorization_cookie()
    content = stranger.cookie_content(auth, "2001-01-01T00:00:00Z")
    reply = stranger.call(CLIENT, "GetCookie", content)
    if reply.fault is None:
        stranger.get_cookie(auth, "2001-01-01T00:00:00Z")
        assert_fault(sync_answer(stranger), "ConfigChanged")
    else:
        assert reply.fault.error_code == "ConfigChanged", str(reply.fault)


@pytest.mark.setup
@pytest.mark.spec("3.1.5.7")
def test_a_changed_configuration(setup, subject):
    """A cookie from before the change is refused; the handshake it asks for cures it."""
    computer = Computer(subject).handshake()
    before = child_text(computer.get_config(), "LastChange")
    assert computer.sync() is not None
    with setup.changed(targeting="client"):
        assert_fault(sync_answer(computer), "ConfigChanged")
        assert_fault(computer.send(CLIENT, "SyncPrinterCatalog", computer.sync_content()), "ConfigChanged")
        assert child_text(computer.get_config(), "LastChange") != before
        computer.sign_on(old=computer.cookie)
        assert computer.sync() is not None
    assert_fault(sync_answer(computer), "ConfigChanged")


@pytest.mark.spec("3.1.5.7")
def test_a_scan_without_registration(stranger):
    """Asked only of servers that say IsRegistrationRequired."""
    if child_text(stranger.get_config(), "IsRegistrationRequired") != "true":
        pytest.skip("the subject does not require registration")
    stranger.sign_on()
    assert_fault(sync_answer(stranger), "RegistrationRequired")
    stranger.register()
    assert stranger.sync() is not None


@pytest.mark.setup
@pytest.mark.spec("2.2.2.4")
def test_a_registration_nobody_asked_for(setup, subject):
    with setup.changed(registration_required=False):
        computer = Computer(subject).sign_on()
        assert child_text(computer.get_config(), "IsRegistrationRequired") == "false"
        answer = computer.send(CLIENT, "RegisterComputer", computer.register_content())
        assert_fault(answer, "RegistrationNotRequired")
        assert computer.sync() is not None, "no registration is needed then"


@pytest.mark.setup
@pytest.mark.spec("2.2.2.4")
def test_file_locations_that_changed(setup, subject, bench):
    """Some call after the change answers FileLocationChanged; GetFileLocations brings the new ones and a
    cookie that is good again."""
    file = bench["plain"].files[0]
    computer = Computer(subject).handshake()
    computer.sync()
    with setup.changed(content_base="http://files.example.test:8530/Content"):
        assert_fault(sync_answer(computer), "FileLocationChanged")
        result = computer.file_locations([file.digest])
        (location,) = result.find(CLIENT.tag("FileLocations"))
        assert child_text(location, "Url") == "http://files.example.test:8530" + file.path
        computer.cookie = Cookie.read(child(result, "NewCookie"))
        assert computer.sync() is not None
