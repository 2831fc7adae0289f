"""MS-WUSP 2.2.2.4: the shape of faults."""

import uuid

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import Cookie
from conformance.wire.soap import CLIENT, REPORTING, Version

SPOILED = Cookie("2030-01-01T00:00:00Z", "bm90IGEgY29va2ll")


def spoiled_sync(computer, **more):
    return computer.send(CLIENT, "SyncUpdates", computer.sync_content(cookie=SPOILED), **more)


@pytest.mark.spec("2.2.2.4")
@pytest.mark.parametrize("version", list(Version), ids=["soap11", "soap12"])
def test_the_detail_holds_four_elements_in_order(stranger, version):
    answer = spoiled_sync(stranger, version=version)
    fault = assert_fault(answer, "InvalidCookie")
    assert fault.version is version
    # Unqualified names, in this order (observed-behaviour 1.5).
    assert [name for name, _ in fault.detail] == ["ErrorCode", "Message", "ID", "Method"]
    assert fault.method == f'"{CLIENT.action("SyncUpdates")}"', "Method is the SOAPAction with its quotes"


@pytest.mark.observed("1.5")
def test_a_fault_of_the_client_service_in_soap_11(stranger):
    answer = spoiled_sync(stranger)
    fault = assert_fault(answer)
    assert answer.status == 500
    assert answer.header("Content-Type") == "text/xml; charset=utf-8"
    assert fault.code == "s:Client"
    assert fault.reason == "Fault occurred"
    assert fault.actor is None, "the Client service names no actor"
    assert fault.detail_node.tag == "detail"


@pytest.mark.spec("2.2.2.4")
def test_a_fault_in_soap_12(stranger):
    answer = spoiled_sync(stranger, version=Version.V12)
    fault = assert_fault(answer)
    assert answer.status in (400, 500)
    assert answer.header("Content-Type").startswith("application/soap+xml")
    assert fault.code.split(":")[-1] == "Sender"
    assert fault.reason == "Fault occurred"


@pytest.mark.spec("2.2.2.4")
def test_a_fault_of_the_reporting_service(stranger):
    content = stranger.report_content([stranger.event(147)], cookie=SPOILED)
    fault = assert_fault(stranger.send(REPORTING, "ReportEventBatch", content), "InvalidCookie")
    assert fault.method == f'"{REPORTING.action("ReportEventBatch")}"'
    assert fault.reason == "Fault occurred"


@pytest.mark.spec("2.2.2.4")
def test_every_fault_has_an_id_of_its_own(stranger):
    ids = {assert_fault(spoiled_sync(stranger))["ID"] for _ in range(5)}
    assert len(ids) == 5
    assert uuid.UUID(int=0) not in {uuid.UUID(one) for one in ids}


@pytest.mark.observed("1.5")
def test_no_fault_shows_the_inside_of_the_server(stranger):
    body = spoiled_sync(stranger).body.decode()
    for word in ("   at ", "panicked", "Exception", ".rs", "stack"):
        assert word not in body
