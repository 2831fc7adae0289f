"""A replica whose filter leaves out what is here: it came before the filter was narrowed, or its categories moved. What
its upstream serves of that it serves too, and so does a replica below it."""

from dataclasses import replace

import pytest

from .leaf import told
from .relay import Relay
from .shelf import Shelf

PILOTS = "Pilots"


def figures(run) -> dict:
    return {name: count for name, count in run["counts"].items() if count}


@pytest.fixture
def place(tree):
    """Top, a replica of which the filter was narrowed, and a replica below that; two updates that it leaves out since,
    and one that it chooses."""
    shelf = Shelf("narrow", updates=1)
    nodes = tree.chain(("top", None), ("two", "replica"), ("three", "replica"))
    top, two, _ = nodes
    shelf.stock(top)
    outside = [shelf.fix(name, removable=True, product=shelf.other) for name in ("withdrawn", "mended")]
    inside = shelf.fix("moving", removable=True)
    updates = [*outside, inside]
    top.put(*updates)
    top.put_files(*updates)
    top.admin.create_group(PILOTS)
    for update in updates:
        top.admin.approve(update.id, "All Computers")
    top.admin.approve(outside[0].id, PILOTS, "uninstall")
    for node in nodes:
        node.admin.configure(targeting="client")
    for node in nodes[1:]:
        node.sync()
    two.cli("sync", "filter", "set", "--product", shelf.product.id)
    two.sync()
    return shelf, nodes, updates


def equal(nodes, update) -> tuple:
    """What computers with and without a group are told, and what is decided: the same everywhere."""
    every = [(told(node, update), told(node, update, PILOTS), node.decisions(update)) for node in nodes]
    assert all(one == every[0] for one in every), every
    return every[0][:2]


def test_what_the_upstream_withdrew_or_replaced_outside_the_filter_is_so_below_too(place):
    shelf, nodes, (withdrawn, mended, _) = place
    top, two, _ = nodes
    for update in (withdrawn, mended):
        assert equal(nodes, update)[0] == (100, "Install")
    never = shelf.fix("never here", product=shelf.other)
    newer = replace(mended, revision=101, title="Mended")
    top.put(never, replace(withdrawn, revision=101, publication="Expired"), newer)
    top.admin.approve(never.id, "All Computers")
    run = two.sync()
    assert figures(run) == {"revised": 2, "expired": 1, "approvals": run["counts"]["approvals"], "waiting": 1}
    assert "approves 1 update that the filter of this replica leaves out" in run["warning"], run
    assert never.id in run["warning"] and mended.id not in run["warning"]
    assert two.shown("upstream", "show")["approved_outside_filter"] == 1
    nodes[2].sync()
    everybody, pilots = equal(nodes, withdrawn)
    assert everybody[1] != "Install" and pilots == (101, "Uninstall"), "nobody installs what was withdrawn"
    assert equal(nodes, newer) == ((101, "Install"),) * 2
    for node in nodes[1:]:
        assert node.shown("sync", "strays")["strays"] == [], "it was asked for"
        assert never.id not in node.rows()
    # Nothing is asked for a second time.
    with Relay(lambda: top.base) as relay:
        two.cli("upstream", "set", relay.base)
        two.sync()
        relay.forget()
        assert figures(two.sync()) == {"waiting": 1}
        assert relay.counts()["GetUpdateData"] == 0


def test_what_moves_out_of_the_filter_goes_on_with_the_revision_that_the_upstream_serves(place):
    shelf, nodes, (*_, moving) = place
    top = nodes[0]
    moved = replace(moving, revision=101, categories=[[shelf.other.id], [shelf.tools.id]])
    top.put(moved)
    for node in nodes[1:]:
        run = node.sync()
        assert (run["counts"]["revised"], run["counts"]["strays"], run["warning"]) == (1, 0, None)
    assert equal(nodes, moved) == ((101, "Install"),) * 2
    assert nodes[1].update(moved)["products"] == ["Contoso Chair"]
    # It expires there, and nobody is to remove it.
    top.put(replace(moved, revision=102, publication="Expired"))
    for node in nodes[1:]:
        node.sync()
    assert equal(nodes, moved) == (None, None)


def test_a_bundle_outside_the_filter_comes_with_what_it_has(place):
    shelf, nodes, _ = place
    top = nodes[0]
    bundle = replace(shelf.bundle, categories=[[shelf.other.id], [shelf.tools.id]], revision=101)
    part = replace(shelf.part, revision=101, categories=[[shelf.other.id]])
    top.admin.approve(bundle.id, "All Computers")
    for node in nodes[1:]:
        node.sync()
    assert equal(nodes, bundle)[0] == (100, "Install")
    top.put(part, replace(bundle, bundles=[[part]]))
    for node in nodes[1:]:
        run = node.sync()
        assert (run["counts"]["strays"], run["warning"]) == (0, None), run
    assert equal(nodes, bundle)[0] == (101, "Install")
    assert equal(nodes, part)[0] == (101, "Bundle")
    assert nodes[1].shown("sync", "strays")["strays"] == []
