"""MS-WSUSSS 3.1.4.6: GetUpdateData. Cabinets are opened with cabextract."""

import uuid

import pytest

from conformance.judging import fault_of
from conformance.wire.answers import child_text, children
from conformance.wire.client import identities
from conformance.wire.soap import SERVER_SYNC

# In bytes of UTF-16: longer documents are compressed (MS-WSUSSS 2.2.4.2).
PLAIN_UP_TO = 5120
# A Cabinet of one folder and one file, version 1.3 (observed-behaviour 8).
HEAD = b"MSCF"


def refused(child, ids):
    return fault_of(child.send(SERVER_SYNC, "GetUpdateData", child.with_cookie(identities("updateIds", ids) or "")))


@pytest.mark.wsusss("3.1.4.6")
def test_what_is_listed_is_served_in_the_order_asked_for(child):
    wanted = sorted(child.revisions(config=True).revisions)[:100]
    if not wanted:
        pytest.skip("the subject has no categories")
    served, _ = child.update_data(wanted)
    assert [one.identity for one in served] == wanted[: len(served)] and served
    for one in served:
        assert f'UpdateID="{one.identity[0]}"' in one.document().lower().replace("updateid", "UpdateID")


@pytest.mark.wsusss("3.1.4.6")
@pytest.mark.setup
def test_every_document_is_the_one_that_was_published_in_one_form_or_the_other(child, bench):
    served, _ = child.update_data([(one.id, one.revision) for one in bench.all][:100])
    forms = set()
    for one in served:
        (document,) = [document for document in bench.all if document.id == one.identity[0]]
        assert one.document() == document.xml()
        long = len(document.xml().encode("utf-16-le")) > PLAIN_UP_TO
        assert (one.cabinet is not None, one.text is not None) == (long, not long), document.name
        forms.add(long)
        if long:
            assert one.cabinet.startswith(HEAD) and one.cabinet[24:26] == b"\x03\x01"
    assert forms == {True, False}, "the bench has both"


@pytest.mark.wsusss("3.1.4.6")
@pytest.mark.setup
def test_the_files_of_a_document_are_named_once_each(child, bench):
    plain = bench["plain"]
    (one, twin), urls = child.update_data([(plain.id, plain.revision)] * 2)
    assert one.identity == twin.identity, "twice asked is twice answered (observed-behaviour 8)"
    digests = [file.digest for file in plain.files]
    assert sorted(one.digests) == sorted(digests), "the order of files says nothing"
    assert sorted(child_text(url, "FileDigest") for url in urls) == sorted(digests)
    order = ["FileDigest", "MUUrl", "UssUrl", "DecryptionKey"]
    for url in urls:
        found = children(url)
        assert found == [name for name in order if name in found]


@pytest.mark.wsusss("3.1.4.6")
def test_the_list_must_be_there(child):
    fault = refused(child, None)
    assert fault.error_code == "InvalidParameters" and "updateIds" in fault["Message"]


@pytest.mark.observed("1.5")
def test_101_ids_are_refused(child):
    fault = refused(child, [(str(uuid.uuid4()), 1)] * 101)
    assert (fault.error_code, fault["Message"]) == ("InvalidParameters", "updateIds")


@pytest.mark.observed("1.5")
def test_an_unknown_revision_spoils_the_whole_call(child):
    known = child.revisions(config=True).revisions[:1]
    fault = refused(child, [*known, (str(uuid.uuid4()), 1)])
    assert (fault.error_code, fault["Message"] or "") == ("InternalServerError", "")
    assert fault.code.split(":")[-1] in ("Server", "Receiver")


@pytest.mark.wsusss("3.1.4.6")
def test_an_empty_list_is_answered_with_nothing(child):
    assert child.update_data([]) == ([], [])


@pytest.mark.wsusss("3.1.4.18")
def test_decryption_keys_have_the_same_limits(child):
    for ids in (None, [(str(uuid.uuid4()), 1)] * 101):
        content = child.with_cookie(identities("updateIds", ids) or "")
        fault = fault_of(child.send(SERVER_SYNC, "GetUpdateDecryptionData", content))
        assert fault.error_code == "InvalidParameters" and "updateIds" in fault["Message"]


@pytest.mark.wsusss("3.1.4.18")
@pytest.mark.setup
def test_files_that_are_not_encrypted_have_no_keys(child, bench):
    plain = bench["plain"]
    result = child.sync("GetUpdateDecryptionData", identities("updateIds", [(plain.id, plain.revision)]))
    assert children(result) == ["UpdateFileDecryptionData"] and len(result[0]) == 0
