"""Every fault has an ID that also stands in the server's log, with the cause: one search joins the two sides."""

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import Cookie
from conformance.wire.client import Computer
from conformance.wire.soap import CLIENT

SPOILED = Cookie("2030-01-01T00:00:00Z", "bm90IGEgY29va2ll")


@pytest.mark.parametrize(
    "operation, content, code",
    [
        ("SyncUpdates", Computer("").sync_content(cookie=SPOILED), "InvalidCookie"),
        (
            "GetFileLocations",
            Computer("").file_locations_content(["AAAAAAAAAAAAAAAAAAAAAAAAAAA="], SPOILED),
            "InvalidCookie",
        ),
        ("StartCategoryScan", "", "InvalidParameters"),
    ],
)
def test_the_id_of_a_fault_stands_in_the_log(stocked, operation, content, code):
    fault = assert_fault(Computer(stocked.base).send(CLIENT, operation, content))
    lines = [line for line in stocked.log.read_text(errors="replace").splitlines() if fault["ID"] in line]
    assert lines, f"{fault['ID']} is not in the log"
    assert any(operation in line for line in lines), lines
    assert fault.error_code == code
