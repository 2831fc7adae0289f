"""MS-WSUSSS 3.1.4.18: GetUpdateDecryptionData."""

import uuid
from base64 import b64encode

import pytest

from conformance.hooks import eventually
from conformance.judging import fault_of
from conformance.wire.answers import Cookie, child, child_text, items
from conformance.wire.client import identities
from conformance.wire.downstream import identity_of
from conformance.wire.soap import SERVER_SYNC
from tests.support.documents import Payload, software


def keys(server, ids) -> dict[tuple[str, int], dict[str, str]]:
    """By revision, the key of each file by its digest, both in Base64."""
    result = server.sync("GetUpdateDecryptionData", identities("updateIds", ids))
    told = {}
    for update in items(result, "UpdateFileDecryptionData"):
        files = items(update, "FileDecryptionData")
        told[identity_of(child(update, "UpdateId"))] = {
            child_text(one, "FileDigest"): child_text(one, "DecryptionKey")
            for one in files
            if child_text(one, "DecryptionKey") is not None
        }
    return told


def refused(server, ids) -> str:
    content = server.with_cookie(identities("updateIds", ids) or "")
    return fault_of(server.send(SERVER_SYNC, "GetUpdateDecryptionData", content)).error_code


@pytest.fixture()
def encrypted(setup):
    """An update with an encrypted file and a plain one, and the key of the first."""
    name = f"{setup.tag} encrypted {uuid.uuid4().hex[:6]}"
    secret, plain = Payload("install.esd", name.encode()), Payload("readme.txt", name.encode()[::-1])
    document = software(name, [], [], deployable=True, files=[secret, plain])
    xml = document.bytes().replace(b'FileName="install.esd"', b'FileName="install.esd" IsEncrypted="true"')
    assert b"IsEncrypted" in xml
    setup.admin.import_all({"encrypted.xml": xml})
    key = uuid.uuid4().bytes * 2
    setup.give_key(secret.sha1, key)
    return document, secret, key


@pytest.mark.wsusss("3.1.4.18")
@pytest.mark.setup
def test_the_key_of_each_encrypted_file_is_told(child, encrypted, bench):
    document, secret, key = encrypted
    identity, other = (document.id, document.revision), (bench["plain"].id, bench["plain"].revision)
    eventually(lambda: identity in child.revisions().revisions)
    told = keys(child, [identity, other])
    assert told[identity] == {secret.digest: b64encode(key).decode()}
    assert not told.get(other)


@pytest.mark.wsusss("3.1.4.18")
def test_no_revisions_have_no_keys(child):
    assert keys(child, []) == {}


@pytest.mark.wsusss("3.1.4.18")
@pytest.mark.setup
@pytest.mark.parametrize("count", [None, 101])
def test_the_list_must_be_there_and_not_too_long(child, bench, count):
    plain = (bench["plain"].id, bench["plain"].revision)
    assert refused(child, None if count is None else [plain] * count) == "InvalidParameters"


@pytest.mark.wsusss("3.1.4.18")
def test_a_revision_nobody_knows_spoils_the_call(child):
    assert refused(child, [(str(uuid.uuid4()), 1)]) == "InternalServerError"


@pytest.mark.wsusss("3.1.4.18")
def test_a_cookie_is_needed(stranger):
    stranger.cookie = Cookie("2030-01-01T00:00:00Z", "AQID")
    assert refused(stranger, []) == "InvalidCookie"
