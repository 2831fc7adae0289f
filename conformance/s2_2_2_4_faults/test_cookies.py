"""MS-WUSP 2.2.2.4: InvalidCookie, ServerChanged, CookieExpired, in every operation that takes a cookie."""

import os
import uuid
from base64 import b64decode, b64encode

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import Cookie, child, child_text
from conformance.wire.client import Computer, cookie_markup, now
from conformance.wire.soap import CLIENT, REPORTING, array, element, text

GUID = str(uuid.uuid4())

# Operation, and everything of its request but the cookie.
OPERATIONS = {
    "RegisterComputer": (CLIENT, lambda c: c.register_content(cookie=SOME).replace(cookie_markup("cookie", SOME), "")),
    "SyncUpdates": (
        CLIENT,
        lambda c: element("parameters", text("ExpressQuery", False), text("SkipSoftwareSync", False)),
    ),
    "RefreshCache": (
        CLIENT,
        lambda c: element("globalIDs", element("UpdateIdentity", text("UpdateID", GUID), text("RevisionNumber", 1))),
    ),
    "GetExtendedUpdateInfo": (
        CLIENT,
        lambda c: array("revisionIDs", "int", [1]) + array("infoTypes", "XmlUpdateFragmentType", ["Extended"]),
    ),
    "GetExtendedUpdateInfo2": (
        CLIENT,
        lambda c: (
            element("updateIDs", element("UpdateIdentity", text("UpdateID", GUID), text("RevisionNumber", 1)))
            + array("infoTypes", "XmlUpdateFragmentType", ["Extended"])
        ),
    ),
    "GetFileLocations": (CLIENT, lambda c: array("fileDigests", "base64Binary", [b64encode(bytes(20)).decode()])),
    "SyncPrinterCatalog": (CLIENT, lambda c: ""),
    "ReportEventBatch": (REPORTING, lambda c: text("clientTime", now()) + element("eventBatch", c.event(147))),
}
SOME = Cookie("2030-01-01T00:00:00Z", "AAAA")


@pytest.fixture(params=list(OPERATIONS))
def operation(request):
    service, rest = OPERATIONS[request.param]
    return service, request.param, rest


def send(computer: Computer, operation, cookie: str):
    service, name, rest = operation
    return computer.send(service, name, cookie + rest(computer))


@pytest.mark.spec("2.2.2.4")
def test_a_good_cookie_is_taken(computer, operation):
    """The control: with a good cookie each of these requests gets a result."""
    service, name, rest = operation
    reply = computer.call(service, name, cookie_markup("cookie", computer.cookie) + rest(computer))
    assert reply.result() is not None


@pytest.mark.spec("2.2.2.4")
@pytest.mark.parametrize(
    "data",
    ["bm90IGEgY29va2ll", "AAAA", "A" * 296, b64encode(bytes(range(224))).decode()],
    ids=["text", "short", "zeros", "length of a real one"],
)
def test_bytes_that_are_no_cookie(stranger, operation, data):
    spoiled = cookie_markup("cookie", Cookie("2030-01-01T00:00:00Z", data))
    assert_fault(send(stranger, operation, spoiled), "InvalidCookie")


@pytest.mark.spec("2.2.2.4")
@pytest.mark.parametrize(
    "markup",
    ["", "<cookie/>", element("cookie", text("Expiration", "2030-01-01T00:00:00Z"))],
    ids=["no cookie", "empty cookie", "expiry alone"],
)
def test_a_missing_cookie(stranger, operation, markup):
    fault = assert_fault(send(stranger, operation, markup), "InvalidCookie", "InvalidParameters")
    assert fault.error_code == "InvalidCookie" or "cookie" in (fault["Message"] or "").lower()


@pytest.mark.spec("2.2.2.4")
@pytest.mark.parametrize("where", [0.0, 0.1, 0.3, 0.5, 0.8, 0.999])
def test_a_cookie_changed_in_one_bit(computer, where):
    data = bytearray(b64decode(computer.cookie.data))
    data[int(where * len(data))] ^= 1
    changed = Cookie(computer.cookie.expiration, b64encode(bytes(data)).decode())
    answer = computer.send(CLIENT, "SyncUpdates", computer.sync_content(cookie=changed))
    assert_fault(answer, "InvalidCookie")


@pytest.mark.spec("2.2.2.4")
@pytest.mark.parametrize("cut", [1, 16, 32])
def test_a_cookie_cut_short_or_made_longer(computer, cut):
    data = b64decode(computer.cookie.data)
    for other in (data[:-cut], data + bytes(cut)):
        changed = Cookie(computer.cookie.expiration, b64encode(other).decode())
        answer = computer.send(CLIENT, "SyncUpdates", computer.sync_content(cookie=changed))
        assert_fault(answer, "InvalidCookie")


@pytest.mark.spec("2.2.2.4")
def test_an_authorization_cookie_is_not_a_cookie(computer):
    _, data = computer.get_authorization_cookie()
    wrong = Cookie(computer.cookie.expiration, data)
    assert_fault(computer.send(CLIENT, "SyncUpdates", computer.sync_content(cookie=wrong)), "InvalidCookie")


@pytest.mark.spec("3.1.5.7")
def test_a_cookie_of_another_server(stranger):
    peer = os.environ.get("PEER")
    if not peer:
        pytest.skip("needs PEER, a second server whose cookies are foreign here")
    other = Computer(peer.rstrip("/")).sign_on()
    answer = stranger.send(CLIENT, "SyncUpdates", stranger.sync_content(cookie=other.cookie))
    assert_fault(answer, "InvalidCookie", "ServerChanged")


@pytest.mark.spec("2.2.2.4")
def test_the_readable_expiry_cannot_be_stretched(computer):
    """Expiration stands beside the sealed data; changing it must not matter, or must spoil the cookie."""
    stretched = Cookie("2099-01-01T00:00:00Z", computer.cookie.data)
    reply = computer.call(CLIENT, "SyncUpdates", computer.sync_content(cookie=stretched))
    if reply.fault is None:
        fresh = reply.result().find(f".//{CLIENT.tag('NewCookie')}")
        assert child_text(fresh, "Expiration") == computer.cookie.expiration
    else:
        assert reply.fault.error_code == "InvalidCookie"


@pytest.mark.spec("2.2.2.4")
def test_an_expired_cookie(subject, operation):
    """Needs PAST: the subject's twin (same key, same identity) whose clock is two hours behind."""
    past = os.environ.get("PAST")
    if not past:
        pytest.skip("needs PAST, a twin of the subject whose clock is behind, for cookies that are over")
    computer = Computer(past.rstrip("/")).sign_on()
    computer.base = subject
    over = cookie_markup("cookie", computer.cookie)
    assert_fault(send(computer, operation, over), "CookieExpired")


@pytest.mark.spec("3.1.5.4")
def test_an_expired_cookie_is_renewed_with_get_cookie(subject):
    """What the client must do on CookieExpired: GetAuthorizationCookie, then GetCookie with the old one."""
    past = os.environ.get("PAST")
    if not past:
        pytest.skip("needs PAST, a twin of the subject whose clock is behind, for cookies that are over")
    computer = Computer(past.rstrip("/")).sign_on()
    computer.base = subject
    over = computer.cookie
    computer.sign_on(old=over)
    computer.register()
    assert computer.cookie.expires > over.expires
    # What the old one knew of file locations went over into the new one; GetFileLocations brings it up to date.
    computer.cookie = Cookie.read(child(computer.file_locations([b64encode(bytes(20)).decode()]), "NewCookie"))
    assert computer.sync().cookie.data


@pytest.mark.spec("2.2.2.4")
def test_a_cookie_of_the_same_key_and_another_identity(subject, operation):
    """Needs REBORN: a server with the subject's key but an identity of its own (a database made anew)."""
    reborn = os.environ.get("REBORN")
    if not reborn:
        pytest.skip("needs REBORN, a server with the subject's key and another identity")
    computer = Computer(reborn.rstrip("/")).sign_on()
    computer.base = subject
    assert_fault(send(computer, operation, cookie_markup("cookie", computer.cookie)), "ServerChanged")
