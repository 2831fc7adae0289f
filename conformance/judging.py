"""What a refusal must look like, whoever refuses."""

import uuid

from lxml import etree

from conformance.wire.http import Answer
from conformance.wire.soap import Fault, Reply

# MS-WUSP 2.2.2.4.
ERROR_CODES = {
    "InvalidCookie",
    "ConfigChanged",
    "RegistrationRequired",
    "ServerChanged",
    "InternalServerError",
    "CookieExpired",
    "InvalidParameters",
    "InvalidAuthorizationCookie",
    "RegistrationNotRequired",
    "ServerBusy",
    "FileLocationChanged",
}


def fault_of(answer: Answer) -> Fault:
    """The fault in an answer that must be one."""
    fault = Reply(answer).fault
    assert fault is not None, f"a result where a fault was due: {answer.body[:400]!r}"
    return fault


def assert_fault(answer: Answer, *codes: str) -> Fault:
    """A fault with one of these error codes, in the shape of MS-WUSP 2.2.2.4."""
    fault = fault_of(answer)
    assert fault.error_code in (codes or ERROR_CODES), str(fault)
    assert str(uuid.UUID(fault["ID"])) == fault["ID"].lower(), fault["ID"]
    return fault


def assert_refused(answer: Answer) -> None:
    """A fault that can be looked up, or a 4xx with a sentence. Never a bare 500."""
    if 400 <= answer.status < 500 and not is_xml(answer):
        said = answer.body.decode("utf-8", "replace").strip()
        assert len(said.split()) >= 3, f"HTTP {answer.status} without a sentence that helps: {said!r}"
        return
    assert answer.status in (400, 500), f"HTTP {answer.status}: {answer.body[:200]!r}"
    fault = fault_of(answer)
    if fault.error_code is None:
        # The framework's own faults for bad envelopes carry no detail on real servers; the code says whose fault it is.
        assert fault.code.split(":")[-1] in ("Client", "Sender", "VersionMismatch"), fault.code
        assert fault.reason, "a fault without a reason"
    else:
        assert fault.error_code in ERROR_CODES, str(fault)
        assert uuid.UUID(fault["ID"])


def is_xml(answer: Answer) -> bool:
    try:
        etree.fromstring(answer.body)
    except (etree.XMLSyntaxError, ValueError):
        return False
    return True
