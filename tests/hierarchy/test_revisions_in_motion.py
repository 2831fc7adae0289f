"""Revisions in motion over a tree of three: each change arrives through synchronization, and decisions, scans
and files stay consistent at every level."""

from dataclasses import replace

import pytest

from tests.support.bench import payload
from tests.support.documents import category

from .leaf import leaf, told
from .shelf import Shelf


@pytest.fixture
def place(tree):
    """Top, a replica, and a replica of that; all in step, one update approved everywhere."""
    shelf = Shelf("motion", updates=3)
    nodes = tree.chain(("top", None), ("two", "replica"), ("three", "replica"))
    shelf.stock(nodes[0])
    nodes[0].admin.approve(shelf.fixes[0].id, "All Computers")
    step(nodes)
    return shelf, nodes


def step(nodes) -> list[dict]:
    """Synchronizes from the top down; answers what each run counted."""
    return [node.sync()["counts"] for node in nodes[1:]]


def in_step(nodes) -> None:
    """All levels have the same catalog and decisions. Files are where they are approved."""
    top = nodes[0].state()
    for node in nodes[1:]:
        state = node.state()
        assert state["groups"] == top["groups"], node.name
        for update, one in top["updates"].items():
            here = state["updates"][update]
            same = ("revisions", "shown", "title", "expired", "superseded_by", "bundles", "approval", "approvals")
            assert {k: here[k] for k in same} == {k: one[k] for k in same}, f"{node.name}: {one['title']}"
        assert state["updates"].keys() == top["updates"].keys()


def test_a_new_revision_of_an_approved_update_takes_its_approval_along(place):
    shelf, nodes = place
    computers = [leaf(node) for node in nodes]
    before = [told(computer, shelf.fixes[0]) for computer in computers]
    assert before == [(100, "Install")] * 3
    newer = replace(shelf.fixes[0], revision=101, title="Better", files=[payload("motion better.cab", 9_000)])
    nodes[0].put(newer)
    nodes[0].put_files(newer)
    counts = step(nodes)
    assert [one["revised"] for one in counts] == [1, 1] and [one["new"] for one in counts] == [0, 0]
    for node in nodes:
        assert told(node, newer) == (101, "Install"), node.name
        assert node.holds(newer), node.name
    # Computers that knew the old revision are told that it is gone, and of the new one.
    for computer, node in zip(computers, nodes, strict=True):
        computer.base = node.base
        assert told(computer, newer) == (101, "Install"), node.name
    in_step(nodes)


def test_an_expiring_revision_is_withdrawn_everywhere(place):
    shelf, nodes = place
    gone = replace(shelf.fixes[0], revision=101, publication="Expired")
    nodes[0].put(gone)
    counts = step(nodes)
    assert [one["expired"] for one in counts] == [1, 1]
    answers = {told(node, gone) for node in nodes}
    assert len(answers) == 1, f"one answer at every level: {answers}"
    assert (101, "Install") not in answers and (100, "Install") not in answers, "nothing expired is installed"
    for node in nodes:
        assert node.update(gone)["expired"] is True, node.name
    in_step(nodes)


def test_a_superseding_update_arrives_with_what_it_supersedes(place):
    shelf, nodes = place
    above = shelf.fix("above", supersedes=[shelf.fixes[0].id, shelf.fixes[1].id])
    nodes[0].put(above)
    nodes[0].put_files(above)
    nodes[0].admin.approve(above.id, "All Computers")
    step(nodes)
    for node in nodes:
        assert above.id in node.update(shelf.fixes[0])["superseded_by"], node.name
        assert told(node, above) == (100, "Install"), node.name
        assert told(node, shelf.fixes[0]) == (100, "Install"), "the older approval stands until it is withdrawn"
    nodes[0].admin.decline(shelf.fixes[0].id)
    step(nodes)
    for node in nodes:
        assert told(node, shelf.fixes[0]) is None, node.name
        assert told(node, above) == (100, "Install"), node.name
    in_step(nodes)


def test_an_update_moves_to_another_category_and_a_category_gets_another_name(place):
    shelf, nodes = place
    moved = replace(shelf.fixes[1], revision=101, categories=[[shelf.other.id], [shelf.tools.id]])
    renamed = replace(shelf.tools, revision=101, title="Instruments")
    new = category(shelf.named("stool"), "Product", [shelf.family.id], "Contoso Stool")
    nodes[0].put(moved, renamed, new)
    step(nodes)
    for node in nodes:
        shown = node.update(moved)
        assert shown["products"] == ["Contoso Chair"] and shown["classification"] == "Instruments", node.name
        assert told(node, moved) == (101, "PreDeploymentCheck"), node.name
        assert "Contoso Stool" in {one["title"] for one in rows(node)}, node.name
    in_step(nodes)


def rows(node) -> list[dict]:
    listed = node.admin.call("GET", "categories")
    return listed if isinstance(listed, list) else listed["categories"]


def test_a_removed_language_takes_texts_away_and_breaks_no_scan(place):
    shelf, nodes = place
    spoken = replace(shelf.long, revision=101, titles={"de": "Auf Deutsch", "fr": "En français"})
    nodes[0].put(spoken)
    step(nodes)
    for node in nodes:
        assert "Auf Deutsch" in localized(node, spoken, "de"), node.name
    silent = replace(spoken, revision=102, titles={"fr": "En français"})
    nodes[0].put(silent)
    step(nodes)
    for node in nodes:
        assert told(node, silent) == (102, "PreDeploymentCheck"), node.name
        texts = localized(node, silent, "de")
        assert "Auf Deutsch" not in texts and silent.name in texts, f"{node.name}: English takes over"
        assert "En français" in localized(node, silent, "fr"), node.name
    in_step(nodes)


def test_a_removed_language_keeps_files_away_and_changes_neither_decisions_nor_scans(tree):
    shelf = Shelf("languages", updates=1)
    german, french, both, neutral = (
        shelf.fix(f"in {'+'.join(spoken) or 'all'}", languages=spoken) for spoken in (["de"], ["fr"], ["de", "fr"], [])
    )
    updates = [german, french, both, neutral]
    top, below = tree.chain(("top", None), ("below", "replica"))
    top.put(*shelf.categories, *updates)
    top.put_files(*updates)
    for update in updates[:3]:
        top.admin.approve(update.id, "All Computers")
    below.cli("sync", "filter", "set", "--language", "fr")
    below.sync()
    assert [below.holds(update) for update in updates[:3]] == [False, True, True]
    before = below.state(), [told(below, update) for update in updates]
    assert before[1] == [(100, "Install")] * 3 + [(100, "PreDeploymentCheck")]
    # The other way round: what is here stays, what is new comes by the new choice.
    below.cli("sync", "filter", "set", "--language", "de")
    top.admin.approve(neutral.id, "All Computers")
    below.sync()
    assert [below.holds(update) for update in updates] == [True] * 4, "files of the language added, and of no language"
    late = shelf.fix("late", languages=["fr"])
    top.put(late)
    top.put_files(late)
    top.admin.approve(late.id, "All Computers")
    below.sync()
    assert not below.holds(late) and told(below, late) == (100, "Install"), "decisions do not follow the languages"
    assert below.state()["updates"].keys() == top.state()["updates"].keys()


def test_licence_terms_accepted_at_the_top_are_accepted_below_before_approvals_come(place):
    shelf, nodes = place
    top = nodes[0]
    top.admin.accept_licence(shelf.licensed.id)
    top.admin.approve(shelf.licensed.id, "All Computers")
    step(nodes)
    for node in nodes:
        assert told(node, shelf.licensed) == (100, "Install"), node.name
        assert node.update(shelf.licensed)["eula"]["accepted_by"], node.name
    # A newer revision with the same terms needs nobody to accept them again.
    newer = replace(shelf.licensed, revision=101, title="Licensed, newer")
    top.put(newer)
    step(nodes)
    for node in nodes:
        assert told(node, newer) == (101, "Install"), node.name
    in_step(nodes)


def test_an_optional_approval_is_optional_below(place):
    shelf, nodes = place
    nodes[0].admin.approve(shelf.fixes[1].id, "All Computers", action="optional-install")
    step(nodes)
    for node in nodes:
        assert node.decisions(shelf.fixes[1]) == {("All Computers", "optional-install", None)}, node.name
    in_step(nodes)


def localized(node, update, language: str) -> str:
    """The texts a computer of that language is given."""
    from lxml import etree

    computer = leaf(node)
    found = computer.scan().by_id(update.id)
    answer = computer.extended([found.id], ("LocalizedProperties",), locales=[language, "en"])
    return etree.tostring(answer, encoding="unicode")


def test_an_approval_is_withdrawn_and_a_group_appears_below_another(place):
    shelf, nodes = place
    top = nodes[0]
    top.admin.create_group("Offices")
    top.admin.create_group("Upstairs", "Offices")
    top.admin.approve(shelf.fixes[2].id, "Offices", deadline="2033-01-02T03:04:05Z")
    top.admin.unapprove(shelf.fixes[0].id)
    step(nodes)
    for node in nodes:
        node.admin.configure(targeting="client")
        assert told(node, shelf.fixes[0]) == (100, "PreDeploymentCheck"), node.name
        assert told(node, shelf.fixes[2], "Upstairs") == (100, "Install"), node.name
        assert told(node, shelf.fixes[2]) == (100, "PreDeploymentCheck"), node.name
    in_step(nodes)


def test_a_filter_brings_one_product_and_a_wider_one_the_rest(tree):
    shelf = Shelf("filter", updates=2)
    top, below = tree.chain(("top", None), ("below", "autonomous"))
    shelf.stock(top)
    below.sync()
    narrow = tree.node("narrow").below(top)
    narrow.cli("sync", "filter", "set", "--product", shelf.product.id, "--classification", shelf.security.id)
    narrow.sync()
    assert shelf.chair.id not in narrow.rows() and shelf.fixes[0].id in narrow.rows()
    assert shelf.part.id in narrow.rows(), "members of bundles come with them"
    narrow.cli("sync", "filter", "set", "--product", "Contoso Desk", "--product", "Contoso Chair")
    narrow.cli("sync", "filter", "set", "--classification", "all")
    narrow.sync()
    assert narrow.state(decided=False) == below.state(decided=False)


def test_a_server_that_joins_late_has_the_newest_revisions_and_the_same_decisions(place, tree):
    shelf, nodes = place
    newer = replace(shelf.fixes[0], revision=101, title="Better", files=[payload("motion late.cab", 9_000)])
    part = replace(shelf.part, revision=101)
    grown = replace(shelf.bundle, revision=101, bundles=[[part]])
    nodes[0].put(newer, part, grown)
    nodes[0].put_files(newer)
    nodes[0].admin.approve(grown.id, "All Computers")
    late = tree.node("late").below(nodes[2], "--replica")
    late.cli("sync", "content", "approved")
    step(nodes)
    late.sync()
    for update in (newer, grown):
        assert late.decisions(update) == nodes[0].decisions(update) != set()
        assert told(late, update) == told(nodes[0], update) == (101, "Install")
    assert late.holds(newer) and late.holds(part)
    assert late.rows().keys() == nodes[0].rows().keys()
    assert late.update(newer)["revision"] == 101
