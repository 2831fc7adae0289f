"""Checks of the helpers: the documents they write are well formed and say what they should."""

from lxml import etree

from tests.support.bench import Bench
from tests.support.documents import NAMESPACES, Payload


def test_every_document_of_the_bench_is_well_formed_and_has_its_own_id():
    bench = Bench()
    ids = set()
    for document in bench.all:
        root = etree.fromstring(document.bytes())
        identity = root.find("upd:UpdateIdentity", NAMESPACES)
        assert identity.get("UpdateID") == document.id
        ids.add(document.id)
    assert len(ids) == len(bench.documents) == len(bench.files())


def test_every_update_a_document_names_is_in_the_bench():
    bench = Bench()
    known = {document.id for document in bench.all}
    for document in bench.all:
        named = etree.fromstring(document.bytes()).iterfind(".//upd:Relationships//upd:UpdateIdentity", NAMESPACES)
        assert {node.get("UpdateID") for node in named} <= known


def test_a_payload_has_the_path_of_observed_behaviour_5():
    assert Payload("Tool.EXE", b"abc").path == "/Content/9D/A9993E364706816ABA3E25717850C26C9CD0D89D.EXE"
