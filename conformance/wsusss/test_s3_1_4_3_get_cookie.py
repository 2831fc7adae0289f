"""MS-WSUSSS 3.1.4.3: GetCookie."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest

from conformance.judging import fault_of
from conformance.wire.client import cookie_markup
from conformance.wire.soap import SERVER_SYNC


def refused(server, content: str):
    return fault_of(server.send(SERVER_SYNC, "GetCookie", content))


@pytest.mark.observed("8")
def test_a_cookie_lives_four_hours(child):
    life = (child.cookie.expires - datetime.now(UTC)).total_seconds()
    assert 238 * 60 < life <= 241 * 60, life


@pytest.mark.observed("8")
def test_an_old_cookie_may_be_sent_along(child):
    ticket = child.authorization()
    content = child.cookie_content([ticket])
    at = content.index("<protocolVersion>")
    old = cookie_markup("oldCookie", child.cookie)
    assert child.call(SERVER_SYNC, "GetCookie", content[:at] + old + content[at:]) is not None


@pytest.mark.wsusss("3.1.4.3")
@pytest.mark.parametrize("count", [0, 2])
def test_there_must_be_exactly_one_authorization_cookie(stranger, count):
    fault = refused(stranger, stranger.cookie_content([stranger.authorization()] * count))
    assert fault.error_code == "InvalidParameters" and "authCookies" in fault["Message"]


@pytest.mark.wsusss("3.1.4.3")
@pytest.mark.parametrize("how", ["nonsense", "changed", "cut", "another kind"])
def test_it_must_be_the_one_that_was_given(child, how):
    plug_in, data = child.authorization()
    raw = bytearray(b64decode(data))
    raw[len(raw) // 2] ^= 0x20
    other = {
        "nonsense": "bm9uc2Vuc2U=",
        "changed": b64encode(bytes(raw)).decode(),
        "cut": b64encode(bytes(raw[:20])).decode(),
        "another kind": child.cookie.data,
    }[how]
    assert refused(child, child.cookie_content([(plug_in, other)])).error_code == "InvalidAuthorizationCookie"


@pytest.mark.wsusss("3.1.4.3")
@pytest.mark.parametrize("version", ["one", "1", "1.", "1.2.3"])
def test_the_version_must_be_two_numbers(stranger, version):
    fault = refused(stranger, stranger.cookie_content([stranger.authorization()], version))
    assert fault.error_code == "InvalidParameters" and "protocolVersion" in fault["Message"]


@pytest.mark.wsusss("3.1.4.3")
@pytest.mark.parametrize("version", ["0.9", "2.0"])
def test_the_major_version_must_be_1(stranger, version):
    fault = refused(stranger, stranger.cookie_content([stranger.authorization()], version))
    assert fault.error_code == "IncompatibleProtocolVersion"


@pytest.mark.wsusss("3.1.4.3")
@pytest.mark.parametrize("version", ["1.0", "1.3", "1.8", "1.20"])
def test_every_minor_version_is_served(stranger, version):
    content = stranger.cookie_content([stranger.authorization()], version)
    assert stranger.call(SERVER_SYNC, "GetCookie", content) is not None
