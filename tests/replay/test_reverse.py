"""Checks of the helpers: documents made from fragments hold what the fragments hold; levelling hides nothing else."""

import pytest
from lxml import etree

from conformance.wire.answers import Sync
from conformance.wire.soap import CLIENT, parse
from tests.support.documents import NAMESPACES

from . import recorded, reverse
from .allowed import assert_same, levelled
from .standins import for_documents


def test_documents_from_recorded_core_fragments_are_well_formed():
    answer = parse(recorded.exchange("client-flow", "000001").response)
    for update in Sync(answer.find(f".//{CLIENT.tag('SyncUpdatesResult')}")).new:
        root = etree.fromstring(reverse.document((update.update_id, update.revision), core=update.xml))
        assert root.find("upd:UpdateIdentity", NAMESPACES).get("UpdateID") == update.update_id
        assert len(list(root.iter())) > len(list(update.core.iter()))
        named = root.iterfind("upd:Relationships/upd:Prerequisites//upd:UpdateIdentity", NAMESPACES)
        assert [node.get("UpdateID") for node in named] == [one for clause in update.clauses for one in clause]


def test_stand_ins_fill_every_gap():
    documents = recorded.documents()
    extra = {one.id: one.bytes() for one in for_documents(documents)}
    assert extra and for_documents(documents | extra) == []


def test_levelling_keeps_what_is_not_listed():
    text = b"<Update><ID>5</ID><Xml>a</Xml></Update><Action>Install</Action><LastChangeTime>2026-10-04</LastChangeTime>"
    assert "Install" in levelled(text) and "2026" not in levelled(text)
    assert_same(text, text.replace(b"2026-10-04", b"2027-01-02"))
    with pytest.raises(AssertionError, match="part at character"):
        assert_same(text, text.replace(b"Install", b"Bundle"))
    with pytest.raises(AssertionError):
        assert_same(text, text.replace(b"2026-10-04", b"2026-10-04T00:00:00"))
    with pytest.raises(AssertionError):
        assert_same(text, text.replace(b"<ID>5", b"<ID>6"))
    assert_same(text, text.replace(b"<ID>5", b"<ID>6"), our_ids={6: 5})


def test_levelling_keeps_updates_in_the_array_they_stand_in():
    one, two = (f"<UpdateInfo><ID>{number}</ID></UpdateInfo>".encode() for number in (1, 2))
    text = b"<NewUpdates>" + two + one + b"</NewUpdates><ChangedUpdates></ChangedUpdates>"
    assert_same(text, text.replace(two + one, one + two))
    with pytest.raises(AssertionError):
        assert_same(text, b"<NewUpdates>" + two + b"</NewUpdates><ChangedUpdates>" + one + b"</ChangedUpdates>")
