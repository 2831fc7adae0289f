"""MS-WUSP 3.1.5.3: GetAuthorizationCookie, and the service's Ping."""

from base64 import b64decode

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import child_text, children
from conformance.wire.client import Computer
from conformance.wire.soap import SIMPLE_AUTH, Service, text


@pytest.mark.spec("2.2.3.4")
def test_the_cookie_names_the_plug_in_and_carries_data(stranger):
    plug_in, data = stranger.get_authorization_cookie()
    assert plug_in == "SimpleTargeting"
    assert len(b64decode(data, validate=True)) >= 16


@pytest.mark.spec("2.2.3.4")
def test_the_children_come_in_order(stranger):
    result = stranger.call(SIMPLE_AUTH, "GetAuthorizationCookie", stranger.authorization_content()).result()
    assert [children(node) for node in result] == [["PlugInId", "CookieData"]]


@pytest.mark.spec("3.1.5.3")
def test_the_cookie_says_nothing_in_the_clear(subject):
    """It is opaque to the client: neither name, nor id, nor group can be read out of it."""
    computer = Computer(subject, group="A readable group")
    _, data = computer.get_authorization_cookie()
    raw = b64decode(data)
    for word in (computer.id, computer.dns_name, computer.group):
        for coding in ("utf-8", "utf-16-le"):
            assert word.encode(coding) not in raw


@pytest.mark.spec("3.1.5.3")
@pytest.mark.parametrize("left_out", ["clientId", "dnsName"])
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_computer_must_say_who_it_is(stranger, left_out, how):
    parts = {"clientId": stranger.id, "dnsName": stranger.dns_name}
    parts[left_out] = None if how == "missing" else ""
    content = "".join(filter(None, (text(name, value) for name, value in parts.items())))
    answer = stranger.send(SIMPLE_AUTH, "GetAuthorizationCookie", content)
    assert_fault(answer, "InvalidParameters", "InternalServerError")


@pytest.mark.spec("3.1.5.3")
@pytest.mark.parametrize("group", ["One", "One;Two", "Ünïcode & <markup>", ""])
def test_any_target_group_may_be_asked_for(subject, group):
    """Whether the group exists is the server's business, not a fault."""
    assert Computer(subject, group=group).sign_on().cookie.data


@pytest.mark.parametrize("level", [0, 1])
def test_the_service_can_be_pinged(stranger, level):
    """No protocol document describes Ping of this service; its types are those of the api-remoting definition."""
    ping = Service("monitor", SIMPLE_AUTH.path, "http://www.microsoft.com/SoftwareDistribution/Server/IMonitorable")
    result = stranger.call(ping, "Ping", text("pingLevel", level)).result()
    assert result.tag == ping.tag("PingResponse")
    (state,) = result
    assert child_text(state, "SuccessFlag") == "true"
    assert child_text(state, "IsHttps") == "false"
