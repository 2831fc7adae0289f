"""MS-WUSP 2.1: the services at their URLs, over SOAP and HTTP."""

import pytest

from conformance.wire.client import Computer
from conformance.wire.http import exchange
from conformance.wire.soap import CLIENT, REPORTING, SIMPLE_AUTH, Reply, Service, Version, envelope, text

CALLS = {
    "client": (CLIENT, "GetConfig", lambda computer: text("protocolVersion", "1.8")),
    "simple-auth": (SIMPLE_AUTH, "GetAuthorizationCookie", Computer.authorization_content),
    "reporting": (REPORTING, "ReportEventBatch", lambda computer: computer.report_content([computer.event(147)])),
}
CASES = {"upper": str.upper, "lower": str.lower, "swapped": str.swapcase}


@pytest.fixture(params=list(CALLS))
def call(request, computer):
    service, operation, content = CALLS[request.param]
    return service, operation, content(computer)


@pytest.mark.observed("1.1")
@pytest.mark.parametrize("case", list(CASES))
def test_paths_match_in_any_letter_case(computer, call, case):
    service, operation, content = call
    path = CASES[case](service.path)
    assert computer.call(service, operation, content, path=path).result() is not None


@pytest.mark.spec("2.1")
@pytest.mark.parametrize("version", list(Version), ids=["soap11", "soap12"])
def test_answers_speak_the_soap_version_of_the_request(computer, call, version):
    service, operation, content = call
    reply = computer.call(service, operation, content, version=version)
    assert reply.result() is not None
    assert reply.version is version
    expected = "text/xml; charset=utf-8" if version is Version.V11 else "application/soap+xml; charset=utf-8"
    assert reply.http.header("Content-Type").lower() == expected


@pytest.mark.observed("1.2")
def test_no_optional_header_is_needed(subject, call):
    service, operation, content = call
    headers = [("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", f'"{service.action(operation)}"')]
    answer = exchange(subject, "POST", service.path, headers, envelope(service, operation, content))
    assert Reply(answer).result() is not None


@pytest.mark.observed("1.2")
def test_answers_have_the_headers_agents_know(computer, call):
    service, operation, content = call
    answer = computer.send(service, operation, content)
    # The Client service answers `private`, the others `private, max-age=0`.
    expected = "private" if service is CLIENT else "private, max-age=0"
    assert answer.header("Cache-Control") == expected
    assert answer.header("Content-Type") == "text/xml; charset=utf-8"
    assert int(answer.header("Content-Length")) == len(answer.raw)
    assert answer.header("Transfer-Encoding") is None, "real servers never chunk their answers"
    assert answer.header("Date")


@pytest.mark.observed("1.1")
@pytest.mark.parametrize("path", ["/", "/ClientWebService/other.asmx", "/ClientWebService", "/NoSuchService/x.asmx"])
def test_other_paths_are_not_services(computer, path):
    answer = computer.send(CLIENT, "GetConfig", text("protocolVersion", "1.8"), path=path)
    assert 400 <= answer.status < 500, f"POST {path}: HTTP {answer.status}"


@pytest.mark.spec("6")
@pytest.mark.parametrize("service", [CLIENT, SIMPLE_AUTH, REPORTING], ids=lambda service: service.name)
def test_every_service_describes_itself(subject, service: Service):
    answer = exchange(subject, "GET", service.path + "?wsdl")
    assert answer.status == 200
    assert answer.header("Content-Type").startswith("text/xml")
    assert f'targetNamespace="{service.namespace}"'.encode() in answer.body
    assert b"definitions" in answer.body


@pytest.mark.spec("2.1")
def test_the_self_update_directory_is_there(subject):
    """Clients that know self-update ask for files below; a missing one is a 404, not a broken connection."""
    answer = exchange(subject, "GET", "/SelfUpdate/no-such-file.cab")
    assert answer.status == 404
