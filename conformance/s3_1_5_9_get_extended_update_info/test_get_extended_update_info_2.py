"""MS-WUSP 2.2.2.2.10: GetExtendedUpdateInfo2, which names updates by identity."""

import uuid

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import child, child_text, children, items
from conformance.wire.client import cookie_markup, identities
from conformance.wire.soap import CLIENT, array


def content(computer, ids, types, locales=("en",)) -> str:
    return "".join(
        part
        for part in (
            cookie_markup("cookie", computer.cookie),
            identities("updateIDs", ids),
            array("infoTypes", "XmlUpdateFragmentType", types),
            array("locales", "string", locales),
        )
        if part
    )


def ask(computer, ids, types=("Extended", "FileUrl"), **more):
    reply = computer.call(CLIENT, "GetExtendedUpdateInfo2", content(computer, ids, types, **more))
    return child(reply.result(), "GetExtendedUpdateInfo2Result")


@pytest.mark.observed("4")
def test_an_unknown_identity_is_no_fault(computer):
    assert items(ask(computer, [(str(uuid.uuid4()), 1)]), "Updates") == []


@pytest.mark.spec("2.2.2.2.10")
def test_info_types_must_be_present(computer):
    answer = computer.send(CLIENT, "GetExtendedUpdateInfo2", content(computer, [(str(uuid.uuid4()), 1)], None))
    assert_fault(answer, "InvalidParameters")


@pytest.mark.spec("2.2.2.2.10")
def test_it_tells_the_same_as_the_first_form(scanned):
    computer, scan = scanned
    updates = [scan.updates[number] for number in sorted(scan.updates)[:10]]
    first = computer.extended([update.id for update in updates], ["Extended"])
    second = ask(computer, [(update.update_id, update.revision) for update in updates], ["Extended"])

    def texts(result):
        return sorted((child_text(node, "ID"), child_text(node, "Xml")) for node in items(result, "Updates"))

    assert texts(second) == texts(first)


@pytest.mark.setup
@pytest.mark.spec("2.2.2.2.10")
def test_file_locations_are_a_kind_of_their_own(computer, bench):
    plain = bench["plain"]
    found = {
        child_text(node, "FileDigest") for node in items(ask(computer, [plain.identity], ["FileUrl"]), "FileLocations")
    }
    assert found == {file.digest for file in plain.files}


@pytest.mark.setup
@pytest.mark.spec("2.2.2.2.10")
def test_the_children_keep_their_order(computer, bench):
    order = ["Updates", "FileLocations", "FileDecryptionData", "FileDecryptionData2", "UpdateEncryptionDetails"]
    names = children(ask(computer, [bench["plain"].identity], ["Extended", "FileUrl", "FileDecryption"]))
    assert names == [name for name in order if name in names]
