"""What a server tells its upstream of itself in figures is what it shows its own administrator."""

from .leaf import FAILED, leaf, lists, reports
from .shelf import Shelf
from .test_lasting_failures import soon


def test_what_is_declined_counts_neither_here_nor_at_the_upstream(tree):
    shelf, top = Shelf("declined", updates=2), tree.node("top")
    shelf.stock(top)
    low = tree.node("low").below(top, "--autonomous")
    low.cli("sync", "content", "never")
    low.sync()
    first = shelf.fixes[0]
    needing, failing = leaf(low), leaf(low)
    for one in (needing, failing):
        one.scan()
        lists(one, [first])
    reports(failing, FAILED, first, -2145124329)

    def figures() -> tuple[int, int, int]:
        own = low.shown("reports", "summary")["computers"]
        return own["needing"], own["failed"], own["up_to_date"]

    def at_top() -> tuple[int, int]:
        low.sync()
        told = next(server for server in top.shown("downstream", "list")["servers"] if server["name"] == "low")
        return told["computers_needing_updates"], told["computers_with_errors"]

    soon(figures, (1, 1, 0))
    soon(at_top, (1, 1))
    low.admin.decline(first.id)
    soon(figures, (0, 0, 2))
    assert at_top() == (0, 0)
    listed = {one["update_id"]: one for one in low.shown("computers", "show", failing.id)["updates"]}
    assert listed[first.id.lower()]["state"] == "failed" and listed[first.id.lower()]["declined"] is True, listed
    assert "DECLINED" in low.cli("computers", "show", failing.id)
