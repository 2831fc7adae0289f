"""From the ID in a client's log to the request, the computer and the cause, in both forms of the server's log."""

import json
import subprocess

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import Cookie
from conformance.wire.client import Computer
from conformance.wire.soap import CLIENT
from tests.cli.test_commands import as_json, run
from tests.support.places import binary
from tests.support.server import ServerUnderTest

SPOILED = Cookie("2030-01-01T00:00:00Z", "bm90IGEgY29va2ll")


@pytest.fixture(params=["text", "json"])
def faulted(request, monkeypatch):
    """A server of which a computer got a fault, and the fault's ID."""
    monkeypatch.setenv("SLUICEGATE_LOG_FORMAT", request.param)
    with ServerUnderTest() as server:
        computer = Computer(server.base).handshake()
        content = Computer("").sync_content(cookie=SPOILED)
        fault = assert_fault(Computer(server.base).send(CLIENT, "SyncUpdates", content))
        yield server, computer, fault


def test_the_id_of_a_fault_leads_to_the_request_the_client_and_the_cause(faulted):
    server, _, fault = faulted
    found = as_json(server, "log", "find", fault["ID"])
    assert found["error_code"] == "InvalidCookie" == fault.error_code
    assert found["request"] and all(fault["ID"] in line["text"] for line in found["request"][:1])
    assert any("SyncUpdates" in line["text"] for line in found["request"])
    assert "127.0.0.1" in (found["peer"] or found["client"])
    assert found["cause"] and "cookie" in found["cause"].lower()
    assert found["meaning"] and found["remedy"]
    said = run(server, "log", "find", fault["ID"].upper())
    assert "InvalidCookie" in said and found["cause"] in said
    # A part of it is enough, and the log of standard output has it too.
    assert as_json(server, "log", "find", fault["ID"][:8])["error_code"] == "InvalidCookie"
    server.stop()
    elsewhere = json.loads(
        subprocess.run(
            [str(binary()), "log", "find", fault["ID"], "--json", "--log", str(server.log)],
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout
    )
    assert elsewhere["request"] and elsewhere["error_code"] == "InvalidCookie"


def test_an_id_of_elsewhere_is_not_found_and_a_word_too_short_is_refused(faulted):
    server, _, fault = faulted
    assert fault["ID"]
    run(server, "log", "find", "00000000-1111-2222-3333-444444444444", code=3)
    assert "too short" in run(server, "log", "find", "c0a", code=1)
