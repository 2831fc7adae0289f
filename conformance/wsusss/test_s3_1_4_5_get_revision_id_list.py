"""MS-WSUSSS 3.1.4.5: GetRevisionIdList."""

import re
import uuid

import pytest

from conformance.hooks import eventually
from conformance.judging import fault_of
from conformance.wire.soap import SERVER_SYNC
from tests.support.documents import software


def of(bench, *kinds: str) -> set[tuple[str, int]]:
    return {(one.id, one.revision) for one in bench.all if one.kind in kinds}


@pytest.mark.wsusss("3.1.4.5")
def test_every_list_has_an_anchor_and_nothing_is_new_after_it(child):
    for config in (True, False):
        first = child.revisions(config=config)
        assert re.fullmatch(r"\d+,\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", first.anchor), first.anchor
        assert child.revisions(config=config, anchor=first.anchor).revisions == []


@pytest.mark.wsusss("3.1.4.5")
def test_no_revision_is_listed_twice(child):
    for config in (True, False):
        revisions = child.revisions(config=config).revisions
        assert len(revisions) == len(set(revisions))


@pytest.mark.wsusss("3.1.4.5")
@pytest.mark.setup
def test_categories_and_updates_are_asked_for_apart(child, bench):
    config = set(child.revisions(config=True).revisions)
    updates = set(child.revisions().revisions)
    assert of(bench, "Category", "Detectoid") <= config
    assert of(bench, "Software", "Driver") <= updates
    assert config.isdisjoint(updates)


@pytest.mark.observed("8")
@pytest.mark.setup
def test_one_category_and_one_classification_must_match(child, bench):
    product, classification = [bench["product"].id], [bench["security"].id]
    both = child.revisions(categories=product, classifications=classification).revisions
    plain = (bench["plain"].id, bench["plain"].revision)
    assert plain in both
    assert plain not in child.revisions(categories=[bench["quiet"].id], classifications=classification).revisions
    assert plain not in child.revisions(categories=product, classifications=[bench["tools"].id]).revisions


@pytest.mark.observed("8")
@pytest.mark.setup
@pytest.mark.parametrize("lists", ["categories alone", "classifications alone", "both empty", "one empty", "unknown"])
def test_one_list_alone_or_an_empty_one_selects_nothing(child, bench, lists):
    product, classification = [bench["product"].id], [bench["security"].id]
    asked = {
        "categories alone": dict(categories=product),
        "classifications alone": dict(classifications=classification),
        "both empty": dict(categories=[], classifications=[]),
        "one empty": dict(categories=product, classifications=[]),
        "unknown": dict(categories=[str(uuid.uuid4())], classifications=classification),
    }[lists]
    assert child.revisions(**asked).revisions == []


@pytest.mark.observed("8")
@pytest.mark.setup
def test_delta_decides_whether_the_anchor_counts(child, bench):
    asked = dict(categories=[bench["product"].id], classifications=[bench["security"].id])
    first = child.revisions(**asked)
    assert first.revisions
    again = child.revisions(**asked, anchor=first.anchor)
    assert set(again.revisions) == set(first.revisions), "false: all of it, whatever the anchor"
    assert child.revisions(**asked, anchor=first.anchor, delta=True).revisions == []


@pytest.mark.wsusss("3.1.4.5")
@pytest.mark.setup
def test_a_delta_is_what_came_after_the_anchor(child, setup, bench):
    asked = dict(categories=[bench["product"].id], classifications=[bench["security"].id])
    before = child.revisions(**asked).anchor
    belongs = [[bench["product"].id], [bench["security"].id]]
    late = software(f"{setup.tag} late {uuid.uuid4().hex}", [[bench["present"].id]], belongs)
    setup.admin.import_all({"late.xml": late.bytes()})

    def arrived():
        """the new update is listed after the anchor"""
        return child.revisions(**asked, anchor=before, delta=True).revisions

    assert eventually(arrived) == [(late.id, late.revision)]


@pytest.mark.observed("8")
def test_an_anchor_of_the_future_selects_nothing(child):
    assert child.revisions(anchor="1,2199-01-01 00:00:00.000").revisions == []


@pytest.mark.wsusss("3.1.4.5")
@pytest.mark.parametrize("anchor", ["garbage", "1", "1,yesterday", "1,2026-13-04 16:33:26.671", " "])
def test_an_anchor_of_another_form_is_refused(child, anchor):
    content = child.with_cookie(child.filter_content(anchor=anchor))
    fault = fault_of(child.send(SERVER_SYNC, "GetRevisionIdList", content))
    assert (fault.error_code, fault["Message"]) == ("InvalidParameters", "filter")


@pytest.mark.wsusss("3.1.4.5")
def test_an_empty_anchor_is_none(child):
    assert set(child.revisions(config=True, anchor="").revisions) == set(child.revisions(config=True).revisions)
