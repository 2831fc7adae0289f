"""MS-WUSP 3.1.5.4: GetCookie."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import Cookie, child_text
from conformance.wire.client import Computer, now
from conformance.wire.soap import CLIENT, Reply


@pytest.fixture()
def ready(stranger):
    """A computer, its authorization cookie, and the configuration time."""
    return stranger, stranger.get_authorization_cookie(), child_text(stranger.get_config(), "LastChange")


def answer_to(computer: Computer, content: str):
    return computer.send(CLIENT, "GetCookie", content)


@pytest.mark.spec("2.2.3.5")
def test_a_cookie_has_an_expiry_and_opaque_data(ready):
    computer, auth, last_change = ready
    cookie = computer.get_cookie(auth, last_change)
    raw = b64decode(cookie.data, validate=True)
    assert len(raw) >= 16
    assert computer.id.encode() not in raw
    assert cookie.expires > datetime.now(UTC)


@pytest.mark.observed("2")
def test_a_cookie_lives_an_hour_and_the_hour_never_moves(ready):
    computer, auth, last_change = ready
    cookie = computer.get_cookie(auth, last_change)
    life = (cookie.expires - datetime.now(UTC)).total_seconds()
    assert 58 * 60 < life <= 61 * 60, life
    computer.register()
    assert computer.sync().cookie.expiration == cookie.expiration
    assert computer.sync().cookie.expiration == cookie.expiration


@pytest.mark.observed("2")
def test_the_native_first_call_sends_an_old_cookie_that_is_only_an_expiry(ready):
    computer, auth, last_change = ready
    assert computer.get_cookie(auth, last_change, old=Cookie(now(), None)).data


@pytest.mark.spec("3.1.5.4")
def test_an_old_cookie_is_renewed(ready):
    computer, auth, last_change = ready
    first = computer.get_cookie(auth, last_change)
    second = computer.get_cookie(auth, last_change, old=first)
    assert second.data
    computer.register()
    assert computer.sync().cookie.data


@pytest.mark.spec("3.1.5.4")
def test_an_old_cookie_nobody_issued_is_refused(ready):
    computer, auth, last_change = ready
    spoiled = Cookie("2030-01-01T00:00:00Z", b64encode(b"not a cookie of this server").decode())
    answer = answer_to(computer, computer.cookie_content(auth, last_change, old=spoiled))
    assert_fault(answer, "InvalidCookie", "ServerChanged")


@pytest.mark.spec("3.1.5.4")
@pytest.mark.parametrize("count", [0, 2])
def test_there_must_be_exactly_one_authorization_cookie(ready, count):
    computer, auth, last_change = ready
    answer = answer_to(computer, computer.cookie_content([auth] * count, last_change))
    assert_fault(answer, "InvalidAuthorizationCookie")


@pytest.mark.spec("3.1.5.4")
def test_without_the_array_there_is_no_authorization_cookie(ready):
    computer, auth, last_change = ready
    content = computer.cookie_content(auth, last_change)
    start, end = content.index("<authCookies>"), content.index("</authCookies>") + len("</authCookies>")
    assert_fault(answer_to(computer, content[:start] + content[end:]), "InvalidAuthorizationCookie")


@pytest.mark.spec("3.1.5.4")
@pytest.mark.parametrize("how", ["nonsense", "changed", "empty", "cut", "client cookie"])
def test_an_authorization_cookie_must_be_the_one_that_was_given(ready, how):
    computer, auth, last_change = ready
    plug_in, data = auth
    raw = bytearray(b64decode(data))
    if how == "client cookie":
        other = computer.get_cookie(auth, last_change).data
    else:
        raw[len(raw) // 2] ^= 0x20
        other = {
            "nonsense": "bm9uc2Vuc2U=",
            "changed": b64encode(bytes(raw)).decode(),
            "empty": "",
            "cut": b64encode(bytes(raw[:20])).decode(),
        }[how]
    answer = answer_to(computer, computer.cookie_content((plug_in, other), last_change))
    assert_fault(answer, "InvalidAuthorizationCookie")


@pytest.mark.spec("3.1.5.4")
def test_an_authorization_cookie_of_another_plug_in(ready):
    computer, auth, last_change = ready
    answer = answer_to(computer, computer.cookie_content(("OtherTargeting", auth[1]), last_change))
    assert_fault(answer, "InvalidAuthorizationCookie")


@pytest.mark.spec("3.1.5.4")
@pytest.mark.parametrize("version", ["", "one", "1", "1.2.3"])
def test_the_version_should_be_two_numbers(ready, version):
    computer, auth, last_change = ready
    reply = Reply(answer_to(computer, computer.cookie_content(auth, last_change, protocol=version)))
    if reply.fault is not None:
        assert reply.fault.error_code == "InvalidParameters"
        assert "protocolversion" in (reply.fault["Message"] or "").lower()


@pytest.mark.spec("3.1.5.4")
@pytest.mark.parametrize("version", ["1.0", "1.6", "1.7", "1.8", "2.90"])
def test_every_known_version_is_served(ready, version):
    computer, auth, last_change = ready
    assert computer.get_cookie(auth, last_change, protocol=version).data


@pytest.mark.spec("3.1.5.4")
def test_two_cookies_are_never_the_same(ready):
    """Sealing uses a fresh nonce each time."""
    computer, auth, last_change = ready
    assert len({computer.get_cookie(auth, last_change).data for _ in range(4)}) == 4
