"""Checks of the checker: its Xpress codec against the vectors of MS-XCA, its readers against known text."""

import pytest

from conformance.wire import soap, xpress
from conformance.wire.answers import Sync, Update
from conformance.wire.http import Answer

ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
ALPHABET_PACKED = bytes.fromhex("3f000000") + ALPHABET
TRIPLETS = b"abc" * 100
TRIPLETS_PACKED = bytes.fromhex("ffffff1f61626317000fff2601")


@pytest.mark.parametrize("text, packed", [(ALPHABET, ALPHABET_PACKED), (TRIPLETS, TRIPLETS_PACKED)])
def test_codec_agrees_with_the_vectors_of_ms_xca_3_1(text, packed):
    assert xpress.decompress_block(packed, len(text)) == text
    assert xpress.compress_block(text) == packed


def test_bodies_of_many_sizes_survive_the_round_trip():
    pattern = bytes((number * number) >> 3 & 0xFF for number in range(3000)) + b"<a>repeat</a>" * 4000
    for size in (0, 1, 2, 31, 32, 33, 300, 16351, 16352, 16353, len(pattern)):
        text = pattern[-size:] if size else b""
        assert xpress.decompress(xpress.compress(text)) == text, size


def test_a_block_of_equal_sizes_is_taken_as_stored_raw():
    assert xpress.decompress(b"\x03\0\0\0\x03\0\0\0abc") == b"abc"


@pytest.mark.parametrize(
    "body",
    [
        b"\x03\0\0\0",
        b"\x03\0\0\0\x04\0\0\0abc",
        b"\x00\0\0\0\x00\0\0\0",
        b"\xff\xff\xff\xff\x01\0\0\0a",
        b"\x05\0\0\0\x06\0\0\0\xff\xff\xff\xff\x10\0",
    ],
    ids=["short header", "short payload", "empty block", "negative size", "match before the start"],
)
def test_broken_bodies_are_errors(body):
    with pytest.raises(xpress.XpressError):
        xpress.decompress(body)


def reply(xml: str) -> soap.Reply:
    return soap.Reply(Answer(500, [], xml.encode()))


def test_faults_of_both_versions_read_alike():
    detail = "<ErrorCode>InvalidCookie</ErrorCode><Message/><ID>1</ID><Method>m</Method>"
    first = reply(
        f'<s:Envelope xmlns:s="{soap.SOAP11}"><s:Body><s:Fault><faultcode>s:Client</faultcode>'
        f"<faultstring>Fault occurred</faultstring><detail>{detail}</detail></s:Fault></s:Body></s:Envelope>"
    ).fault
    second = reply(
        f'<s:Envelope xmlns:s="{soap.SOAP12}"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code>'
        f'<s:Reason><s:Text xml:lang="en">Fault occurred</s:Text></s:Reason><s:Detail>{detail}</s:Detail>'
        "</s:Fault></s:Body></s:Envelope>"
    ).fault
    for fault in (first, second):
        assert fault.error_code == "InvalidCookie" and fault["Message"] == "" and fault.method == "m"
        assert fault.reason == "Fault occurred"
    assert (first.code, second.code) == ("s:Client", "s:Sender")


def test_an_update_reads_its_relationships_from_the_core_fragment():
    core = (
        '&lt;UpdateIdentity UpdateID="AA" RevisionNumber="7" /&gt;&lt;Properties UpdateType="Software" /&gt;'
        '&lt;Relationships&gt;&lt;Prerequisites&gt;&lt;UpdateIdentity UpdateID="P1" /&gt;&lt;AtLeastOne&gt;'
        '&lt;UpdateIdentity UpdateID="P2" /&gt;&lt;UpdateIdentity UpdateID="P3" /&gt;&lt;/AtLeastOne&gt;'
        "&lt;/Prerequisites&gt;&lt;/Relationships&gt;&lt;ApplicabilityRules&gt;&lt;b.Any /&gt;&lt;/ApplicabilityRules&gt;"
    )
    page = Sync(
        soap.parse(
            f'<SyncUpdatesResult xmlns="{soap.CLIENT.namespace}"><NewUpdates><UpdateInfo><ID>5</ID><Deployment>'
            f"<ID>6</ID><Action>Install</Action></Deployment><IsLeaf>true</IsLeaf><Xml>{core}</Xml></UpdateInfo>"
            "</NewUpdates><Truncated>false</Truncated></SyncUpdatesResult>".encode()
        )
    )
    (update,) = page.new
    assert isinstance(update, Update)
    assert (update.id, update.update_id, update.revision, update.kind) == (5, "aa", 7, "Software")
    assert update.clauses == [["p1"], ["p2", "p3"]]
    assert update.action == "Install" and update.is_leaf and not page.truncated
