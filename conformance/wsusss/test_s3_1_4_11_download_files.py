"""MS-WSUSSS 3.1.4.11: DownloadFiles; 3.1.4.9: GetRelatedRevisionsForUpdates; 3.1.4.12: Ping."""

import uuid
from dataclasses import replace

import pytest

from conformance.judging import fault_of
from conformance.wire.soap import DSS_AUTH, SERVER_REPORTING, SERVER_SYNC, array, text


def content(child, digests):
    return child.with_cookie(array("fileDigestList", "base64Binary", digests) or "")


@pytest.mark.wsusss("3.1.4.11")
@pytest.mark.setup
def test_files_of_known_updates_may_be_asked_for(child, bench):
    digests = [file.digest for file in bench["plain"].files]
    assert len(child.call(SERVER_SYNC, "DownloadFiles", content(child, digests))) == 0


@pytest.mark.wsusss("3.1.4.11")
def test_a_file_nobody_knows_is_missing(child):
    fault = fault_of(child.send(SERVER_SYNC, "DownloadFiles", content(child, ["A" * 27 + "="])))
    assert fault.error_code == "FileDigestsMissing"


@pytest.mark.wsusss("3.1.4.11")
@pytest.mark.parametrize("count", [None, 101])
def test_the_list_must_be_there_and_not_too_long(child, count):
    digests = None if count is None else ["A" * 27 + "="] * count
    fault = fault_of(child.send(SERVER_SYNC, "DownloadFiles", content(child, digests)))
    assert fault.error_code == "InvalidParameters" and "fileDigestList" in fault["Message"]


@pytest.mark.wsusss("3.1.4.9")
def test_related_revisions_are_always_none(child):
    response = child.call(
        SERVER_SYNC, "GetRelatedRevisionsForUpdates", child.with_cookie(array("updateIDs", "guid", [str(uuid.uuid4())]))
    )
    assert sum(len(node) for node in response) == 0


# Ping has a namespace of its own, the same on every service.
MONITORABLE = "http://www.microsoft.com/SoftwareDistribution/Server/IMonitorable"


@pytest.mark.wsusss("3.1.4.12")
@pytest.mark.parametrize("service", [SERVER_SYNC, DSS_AUTH, SERVER_REPORTING], ids=lambda one: one.name)
def test_ping_is_answered(stranger, service):
    assert stranger.call(replace(service, namespace=MONITORABLE), "Ping", text("pingLevel", 0)) is not None
