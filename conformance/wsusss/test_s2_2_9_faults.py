"""MS-WSUSSS 2.2.9: faults, and 3.1.4: the cookie of every call after the handshake."""

import uuid
from base64 import b64decode, b64encode

import pytest

from conformance.judging import fault_of
from conformance.wire.answers import Cookie, child_text
from conformance.wire.client import identities
from conformance.wire.downstream import Downstream
from conformance.wire.soap import SERVER_SYNC, Version, array, element, text

# MS-WSUSSS 2.2.9.3.
ERROR_CODES = {
    "InvalidParameters",
    "InvalidCookie",
    "InternalServerError",
    "IncompatibleProtocolVersion",
    "InvalidAuthorizationCookie",
    "FileDigestsMissing",
    "ServerChanged",
    "ServerBusy",
}
# What each operation needs besides the cookie, so that only the cookie is wrong.
NEEDS_A_COOKIE = {
    "GetConfigData": "",
    "GetRevisionIdList": element("filter", text("GetConfig", True), text("Get63LanguageOnly", False)),
    "GetUpdateData": identities("updateIds", []),
    "GetUpdateDecryptionData": identities("updateIds", []),
    "GetDeployments": text("syncAnchor", "1,2026-10-04 16:33:26.671"),
    "DownloadFiles": array("fileDigestList", "base64Binary", ["AAAAAAAAAAAAAAAAAAAAAAAAAAA="]),
}


@pytest.mark.wsusss("2.2.9.1")
@pytest.mark.parametrize("version", list(Version), ids=["soap11", "soap12"])
def test_a_fault_has_its_parts_in_order_and_names_the_call(subject, version):
    answer = Downstream(subject, version).send(SERVER_SYNC, "GetConfigData", "")
    assert answer.status == 500
    fault = fault_of(answer)
    assert fault.version is version
    assert [name for name, _ in fault.detail] == ["ErrorCode", "Message", "ID", "Method"]
    assert fault.error_code in ERROR_CODES
    assert uuid.UUID(fault["ID"])
    assert fault.method == f'"{SERVER_SYNC.action("GetConfigData")}"'


@pytest.mark.observed("1.5")
def test_a_fault_of_this_service_names_its_address_as_the_actor(subject, stranger):
    fault = fault_of(stranger.send(SERVER_SYNC, "GetConfigData", ""))
    assert fault.actor.startswith("http") and fault.actor.lower().endswith(SERVER_SYNC.path.lower())
    assert fault.reason == "Fault occurred"


@pytest.mark.wsusss("3.1.4")
@pytest.mark.parametrize("operation", list(NEEDS_A_COOKIE))
@pytest.mark.parametrize("how", ["none", "without data", "nonsense", "changed", "cut", "authorization cookie"])
def test_a_cookie_must_be_there_and_be_one_that_was_given(child, operation, how):
    raw = bytearray(b64decode(child.cookie.data))
    data = {
        "none": None,
        "without data": None,
        "nonsense": "bm9uc2Vuc2U=",
        "changed": b64encode(bytes(raw[:-1]) + bytes([raw[-1] ^ 1])).decode(),
        "cut": b64encode(bytes(raw[: len(raw) // 2])).decode(),
        "authorization cookie": child.authorization()[1],
    }[how]
    cookie = None if how == "none" else Cookie(child.cookie.expiration, data)
    child.cookie = None
    answer = child.send(SERVER_SYNC, operation, child.with_cookie(NEEDS_A_COOKIE[operation], cookie))
    assert fault_of(answer).error_code == "InvalidCookie"


@pytest.mark.wsusss("3.1.4")
def test_the_expiration_a_caller_writes_is_not_believed(child):
    """Opaque means opaque: what counts is what was sealed."""
    late = Cookie("2199-01-01T00:00:00Z", child.cookie.data)
    assert child_text(child.sync("GetConfigData", cookie=late), "ProtocolVersion")
