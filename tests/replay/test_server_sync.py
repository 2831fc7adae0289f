"""The recorded conversation of a downstream server with a real upstream, held with this server instead."""

import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from conformance.wire.answers import Cookie
from conformance.wire.downstream import extracted
from tests.support.documents import NAMESPACES, TRUE
from tests.support.server import ServerUnderTest

from . import between_servers, recorded
from .between_servers import Session, assert_headers, assert_same, levelled, listed
from .standins import CLASSIFICATION, FAMILY, PRODUCT, Standin, for_documents

BLOB = re.compile(r"<XmlUpdateBlobCompressed>([^<]*)</XmlUpdateBlobCompressed>")


def kind_of(data: bytes) -> str:
    return etree.fromstring(data).find("upd:Properties", NAMESPACES).get("UpdateType")


def identity_of(data: bytes) -> tuple[str, int]:
    node = etree.fromstring(data).find("upd:UpdateIdentity", NAMESPACES)
    return node.get("UpdateID").lower(), int(node.get("RevisionNumber"))


def catalog() -> dict[tuple[str, int], bytes]:
    """The recorded documents, what they need, and a stand-in for each revision the recorded lists name: categories
    for exchange 6, updates of the recorded product and classification for exchange 9."""
    documents = recorded.documents()
    held = {identity_of(data): data for data in documents.values()}
    for one in for_documents(documents):
        held.setdefault((one.id, one.revision), one.bytes())
    for update, number in between_servers.of(6).revisions:
        kind = "Company" if update == "56309036-4c77-4dd9-951a-99ee9c246a94" else "UpdateClassification"
        name = Standin(update, revision=number, kind="Category", category=kind, handler="Category", installed=TRUE)
        held.setdefault((update, number), name.bytes())
    for update, number in between_servers.of(9).revisions:
        software = Standin(update, revision=number, categories=[[PRODUCT], [CLASSIFICATION]])
        held.setdefault((update, number), software.bytes())
    return held


@pytest.fixture(scope="module")
def held():
    return catalog()


@pytest.fixture(scope="module")
def session(held):
    with ServerUnderTest() as server:
        server.admin.import_all({f"{update}-{number}.xml": data for (update, number), data in held.items()})
        yield Session(server.base)


class TestInTheRecordedOrder:
    """Each step uses what the earlier ones brought."""

    def answer(self, session, number: int):
        one = between_servers.of(number)
        answer = session.send(one)
        assert_headers(one, answer)
        return one, answer.body.decode()

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_1_to_3_the_handshake(self, session, number):
        one, ours = self.answer(session, number)
        assert_same(one.response, ours)

    def test_a_cookie_lives_as_long_as_the_recorded_one(self, session):
        life = Cookie(session.expiration, None).expires - datetime.now(UTC)
        assert timedelta(minutes=235) < life <= timedelta(minutes=240)

    def test_4_configuration_with_an_anchor(self, session):
        self.answer(session, 5)
        one, ours = self.answer(session, 4)
        assert_same(one.response, ours)

    def test_5_configuration_with_all_languages(self, session):
        """Which languages are enabled is the administrator's; the recorded server had English alone."""
        one, ours = self.answer(session, 5)
        enabled = re.compile(r"<Enabled>(?:true|false)</Enabled>")
        assert_same(enabled.sub("", one.response), enabled.sub("", ours))
        assert ours.count("<Enabled>") == 39

    def test_6_categories(self, session, held):
        """The recording keeps thirty entries of a longer list, so ours may have more: those of the recorded
        documents and of what these need."""
        one, ours = self.answer(session, 6)
        more = {identity for identity, data in held.items() if kind_of(data) in ("Category", "Detectoid")}
        assert listed(ours) == one.revisions | more
        revisions = re.compile(r"<NewRevisions>.*</NewRevisions>")
        assert_same(revisions.sub("", one.response), revisions.sub("", ours))
        repeated = [update for update, _ in one.revisions]
        assert len(set(repeated)) < len(repeated), "categories repeat with several revisions (observed)"

    @pytest.mark.parametrize("number", [7, 8])
    def test_7_and_8_one_list_alone_or_another_classification_selects_nothing(self, session, number):
        one, ours = self.answer(session, number)
        assert_same(one.response, ours)

    def test_9_one_product_and_one_classification(self, session, held):
        """Thirty entries as in exchange 6; ours has the recorded documents of that product besides."""
        one, ours = self.answer(session, 9)
        both = re.compile(rf'IsCategory="true"[^>]*>\s*<upd:UpdateIdentity UpdateID="({PRODUCT}|{CLASSIFICATION})"')
        more = {identity for identity, data in held.items() if len(set(both.findall(data.decode()))) == 2}
        assert listed(ours) == one.revisions | more

    def test_10_without_delta_an_anchor_changes_nothing(self, session):
        before, one = between_servers.of(9), between_servers.of(10)
        assert listed(before.response) == listed(one.response)
        ours = [listed(session.send(each).body.decode()) for each in (before, one)]
        assert ours[0] == ours[1] and ours[0] >= one.revisions

    @pytest.mark.parametrize("number", [11, 12])
    def test_11_and_12_with_delta_or_without_lists_an_anchor_leaves_nothing(self, session, number):
        one, ours = self.answer(session, number)
        assert_same(one.response, ours)

    @pytest.mark.parametrize("number", [13, 14, 16])
    def test_13_14_16_documents_in_cabinets(self, session, number):
        """Blobs are compressed by each server its own way (LZX there, MSZIP here), so what is in them is compared;
        and where files are on the Internet is not known of documents that an administrator imported."""
        one, ours = self.answer(session, number)
        blobs = [b64decode(BLOB.search(text)[1], validate=True) for text in (one.response, ours)]
        assert blobs[0] != blobs[1]
        theirs, mine = (extracted(blob) for blob in blobs)
        assert theirs == mine
        ((update, revision),) = one.revisions
        document = recorded.documents()[f"{update}-r{revision}.xml"]
        assert mine.decode("utf-16-le").encode() == document
        expected = BLOB.sub("", one.response)
        if number == 14:
            expected, count = re.subn(r"<MUUrl>[^<]*</MUUrl><UssUrl />", "", expected)
            assert count == 1
        assert_same(expected, BLOB.sub("", ours))

    def test_15_a_short_document_is_plain_text(self, session):
        one, ours = self.answer(session, 15)
        assert_same(one.response, ours)

    @pytest.mark.parametrize("number", [17, 18, 19])
    def test_17_to_19_faults(self, session, number):
        one, ours = self.answer(session, number)
        assert one.is_fault
        assert_same(one.response, ours)


def test_every_recorded_exchange_is_held():
    names = [name for name in vars(TestInTheRecordedOrder) if name.startswith("test_")]
    held = set()
    for name in names:
        digits = [int(part) for part in re.findall(r"(?<=_)\d+(?=_)", name + "_")]
        held |= set(range(digits[0], digits[1] + 1)) if "_to_" in name else set(digits)
    assert held == set(between_servers.NUMBERS)


def test_levelling_keeps_what_is_not_listed():
    text = "<Anchor>9438,2026-10-04 16:33:26.671</Anchor><ErrorCode>InvalidCookie</ErrorCode>"
    assert "InvalidCookie" in levelled(text) and "9438" not in levelled(text)
    assert "9438" in levelled(text.replace(" 16", "T16")), "an anchor of another form shows"
    with pytest.raises(AssertionError, match="part at character"):
        assert_same(text, text.replace("Cookie<", "Parameters<"))
    one, two = ("<UpdateIdentity>" + name + "</UpdateIdentity>" for name in "ab")
    both = f"<NewRevisions>{one}{two}</NewRevisions>"
    assert_same(both, f"<NewRevisions>{two}{one}</NewRevisions>")
    with pytest.raises(AssertionError):
        assert_same(both, f"<NewRevisions>{one}{one}</NewRevisions>")


def test_the_recorded_family_is_the_one_stand_ins_belong_to():
    assert any(update == FAMILY for update, _ in map(identity_of, recorded.documents().values()))
