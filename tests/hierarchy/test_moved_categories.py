"""Products that move in the tree of categories above: servers below that choose a family get what such a product
holds when it comes below it, though no update has a new revision, and keep what they have when it goes."""

from dataclasses import replace

import pytest

from tests.support.documents import category

from .leaf import leaf, told
from .relay import Relay
from .shelf import Shelf


@pytest.fixture(params=["autonomous", "replica"])
def place(tree, request):
    """Top, and a server below it that chooses a family with one product of two."""
    shelf = Shelf(f"moved {request.param}", updates=2)
    elsewhere = category(shelf.named("elsewhere"), "ProductFamily", [shelf.company.id], "Contoso Garden")
    moving = replace(shelf.other, categories=[[elsewhere.id]])
    top, below = tree.chain(("top", None), ("below", request.param))
    top.put(*(one for one in shelf.all if one.id != moving.id), elsewhere, moving)
    top.put_files(*shelf.updates)
    choose(below, shelf)
    below.sync()
    assert shelf.chair.id not in below.rows()
    return shelf, top, below, moving


def choose(node, shelf) -> None:
    """Makes a server's filter one of the family."""
    kinds = ["--classification", shelf.security.id, "--classification", shelf.tools.id]
    node.cli("sync", "filter", "set", "--product", shelf.family.id, *kinds)


def test_what_a_product_holds_comes_when_it_moves_below_the_chosen_family(place, tree):
    shelf, top, below, moving = place
    replica = below.admin.call("GET", "upstream")["mode"] == "replica"
    top.admin.approve(shelf.chair.id, "All Computers")
    if replica:
        warning = below.sync()["warning"]
        assert "the filter of this replica leaves out" in warning and shelf.chair.id in warning
    top.put(replace(moving, revision=101, categories=[[shelf.family.id]]))
    run = below.sync()
    assert (run["counts"]["new"], run["counts"]["revised"], run["counts"]["strays"]) == (1, 1, 0)
    assert run["warning"] is None, "nothing that the filter chooses is called left out"
    if replica:
        assert told(leaf(below), shelf.chair) == (100, "Install")
        assert below.holds(shelf.chair)
    with Relay(lambda: top.base) as relay:
        below.cli("upstream", "set", relay.base)
        below.sync()
        relay.forget()
        told_of = {name: count for name, count in below.sync()["counts"].items() if count}
        counts = relay.counts()
    assert (counts["GetRevisionIdList"], counts["GetUpdateData"], told_of) == (2, 0, {}), "nothing changed"
    # A server that begins now with the same filter has the same updates.
    fresh = tree.node("fresh").below(top)
    choose(fresh, shelf)
    fresh.sync()
    assert fresh.rows().keys() == below.rows().keys()


def test_what_a_product_holds_stays_when_it_leaves_the_chosen_family(place):
    shelf, top, below, moving = place
    top.put(replace(moving, revision=101, categories=[[shelf.family.id]]))
    below.sync()
    before = below.rows().keys()
    assert shelf.chair.id in before
    top.put(replace(moving, revision=102))
    run = below.sync()
    assert (run["counts"]["new"], run["counts"]["revised"], run["warning"]) == (0, 1, None)
    assert below.rows().keys() == before
    # What it gets elsewhere is not chosen, and comes when it is back.
    later = shelf.fix("later", product=moving)
    top.put(later)
    assert below.sync()["counts"]["new"] == 0
    top.put(replace(moving, revision=103, categories=[[shelf.family.id]]))
    assert below.sync()["counts"]["new"] == 1
    assert below.rows().keys() == {*before, later.id}
