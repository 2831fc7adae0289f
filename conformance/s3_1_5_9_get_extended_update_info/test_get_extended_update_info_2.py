"""MS-WUSP 2.2.2.2.10: GetExtendedUpdateInfo2, which names updates by identity."""

import uuid
from base64 import b64encode

import pytest

from conformance.hooks import eventually
from conformance.judging import assert_fault
from conformance.wire.answers import child, child_text, children, items
from conformance.wire.client import cookie_markup, identities
from conformance.wire.soap import CLIENT, array
from tests.support.documents import Payload, software


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


@pytest.mark.setup
@pytest.mark.spec("2.2.2.2.10")
def test_keys_of_encrypted_files_are_told_when_they_are_asked_for(computer, setup, bench):
    name = f"{setup.tag} encrypted for agents {uuid.uuid4().hex[:6]}"
    secret = Payload("install.esd", name.encode())
    document = software(name, [], [], deployable=True, files=[secret])
    xml = document.bytes().replace(b'FileName="install.esd"', b'FileName="install.esd" IsEncrypted="true"')
    setup.admin.import_all({"encrypted.xml": xml})
    key = uuid.uuid4().bytes * 2
    setup.give_key(secret.sha1, key)

    def details():
        return items(ask(computer, [document.identity, bench["plain"].identity], ["FileDecryption"]), ENCRYPTED)

    eventually(lambda: len(details()) == 2)
    result = ask(computer, [document.identity, bench["plain"].identity], ["FileDecryption"])
    told = {identity(child(one, "UpdateIdentity")): child_text(one, "HasEncryptedFiles") for one in details()}
    assert told == {document.identity: "true", bench["plain"].identity: "false"}
    text = b64encode(key).decode()
    for kind in ("FileDecryptionData", "FileDecryptionData2"):
        (file,) = items(result, kind)
        assert (child_text(file, "FileDigest"), child_text(file, "DecryptionKey")) == (secret.digest, text)
        assert [one.text for one in items(file, "SecurityData")] == [text]


ENCRYPTED = "UpdateEncryptionDetails"


def identity(node) -> tuple[str, int]:
    return child_text(node, "UpdateID").lower(), int(child_text(node, "RevisionNumber"))
