"""Revisions in motion below a server that decides for itself: own groups and approvals, which follow to a new
revision or hold it for review, and a filter that a revision may leave."""

from dataclasses import replace

import pytest

from tests.support.bench import payload

from .leaf import leaf, told
from .shelf import Shelf

GROUP = "Desks"


@pytest.fixture(params=["follow", "review"])
def place(tree, request):
    """Top and an autonomous server that approved an update for a group of its own, and whether new revisions follow."""
    shelf = Shelf("own", updates=3)
    top, own = tree.chain(("top", None), ("own", "autonomous"))
    shelf.stock(top)
    own.sync()
    own.admin.configure(targeting="client")
    own.admin.create_group(GROUP)
    own.admin.approve(shelf.fixes[0].id, GROUP)
    own.admin.call("PUT", "rules/options", {"approvals_follow": request.param == "follow"})
    own.sync()
    assert told(own, shelf.fixes[0], GROUP) == (100, "Install") and own.holds(shelf.fixes[0])
    return shelf, top, own, request.param == "follow"


def test_a_new_revision_takes_own_approvals_along_or_waits_for_review(place):
    shelf, top, own, follows = place
    known = leaf(own, GROUP)
    assert told(known, shelf.fixes[0]) == (100, "Install")
    newer = replace(shelf.fixes[0], revision=101, title="Better", files=[payload("own better.cab", 9_000)])
    top.put(newer)
    top.put_files(newer)
    # What the top decides for it concerns nobody here.
    top.admin.approve(newer.id, "All Computers")
    assert own.sync()["counts"]["revised"] == 1
    if not follows:
        for computer in (known, leaf(own, GROUP)):
            assert told(computer, newer) == (100, "Install"), "the revision in service stays while one waits"
        assert told(own, newer) == (100, "PreDeploymentCheck")
        own.admin.call("POST", f"updates/{newer.id}/accept-revision", {})
        own.sync()
    for computer in (known, leaf(own, GROUP)):
        assert told(computer, newer) == (101, "Install")
    assert told(own, newer) == (101, "PreDeploymentCheck"), "approved for a group alone"
    assert own.decisions(newer) == {(GROUP, "install", None)} and own.holds(newer)


def test_an_expired_revision_is_installed_by_nobody_however_new_revisions_are_taken(place):
    shelf, top, own, _ = place
    known = leaf(own, GROUP)
    assert told(known, shelf.fixes[0]) == (100, "Install")
    gone = replace(shelf.fixes[0], revision=101, publication="Expired")
    top.put(gone)
    assert own.sync()["counts"]["expired"] == 1
    assert own.update(gone)["expired"] is True
    for computer in (known, leaf(own, GROUP), leaf(own)):
        answer = told(computer, gone)
        assert answer is None or answer[1] != "Install", answer


def test_a_superseding_update_leaves_own_approvals_alone(place):
    shelf, top, own, _ = place
    above = shelf.fix("above", supersedes=[shelf.fixes[0].id])
    top.put(above)
    own.sync()
    assert above.id in own.update(shelf.fixes[0])["superseded_by"]
    assert told(own, shelf.fixes[0], GROUP) == (100, "Install")
    assert told(own, above, GROUP) == (100, "PreDeploymentCheck")


def test_a_moved_update_keeps_its_approval_and_a_removed_language_its_computers(place):
    shelf, top, own, follows = place
    spoken = replace(shelf.fixes[0], revision=101, titles={"de": "Auf Deutsch"})
    top.put(spoken)
    own.sync()
    moved = replace(shelf.fixes[0], revision=102, categories=[[shelf.other.id], [shelf.tools.id]])
    top.put(moved)
    own.sync()
    assert told(own, moved, GROUP) == ((102 if follows else 100), "Install")
    assert own.decisions(moved) == {(GROUP, "install", None)}
    if not follows:
        own.admin.call("POST", f"updates/{moved.id}/accept-revision", {})
        assert told(own, moved, GROUP) == (102, "Install")
    shown = own.update(moved)
    assert shown["products"] == ["Contoso Chair"] and shown["classification"] == "Tools"


def test_a_revision_that_leaves_the_filter_does_not_come_and_the_one_before_stays_in_service(place):
    shelf, top, own, _ = place
    own.cli("sync", "filter", "set", "--product", shelf.product.id, "--classification", shelf.security.id)
    own.sync()
    moved = replace(shelf.fixes[0], revision=101, categories=[[shelf.other.id], [shelf.tools.id]])
    staying = replace(shelf.fixes[1], revision=101)
    top.put(moved, staying)
    counts = own.sync()["counts"]
    # Upstreams list by the categories of the new revision, so this one is not among what was asked for.
    assert (counts["revised"], counts["strays"]) == (1, 0)
    assert told(own, moved, GROUP) == (100, "Install"), "what was approved goes on being installed"
    assert own.update(moved)["products"] == ["Contoso Desk"]
    assert own.shown("sync", "strays")["strays"] == []
    # A filter that chooses where it went brings it.
    own.cli("sync", "filter", "set", "--product", "all", "--classification", "all")
    own.admin.call("PUT", "rules/options", {"approvals_follow": True})
    assert own.sync()["counts"]["revised"] == 1
    assert told(own, moved, GROUP) == (101, "Install")
    assert own.update(moved)["products"] == ["Contoso Chair"]
