"""Two servers of one copied data folder: the server above names both, and the copy gets an id of its own."""

import shutil

from .leaf import leaf, lists
from .node import Node
from .shelf import Shelf


def test_the_copy_of_a_server_is_noticed_above_and_goes_on_under_an_id_of_its_own(tree, tmp_path):
    shelf = Shelf("copies", updates=2)
    top, west = tree.chain(("top", None), ("west", "autonomous"))
    shelf.stock(top)
    west.sync()
    stays, moves = leaf(west), leaf(west)
    for computer in (stays, moves):
        computer.scan()
        lists(computer, shelf.fixes[:1])
    west.cli("computers", "list")
    west.sync()
    west.stop()
    folder = tmp_path / "copy"
    shutil.copytree(west.data, folder)
    west.start()
    copy: Node = tree.node("west-copy", data=folder)
    copy.admin.call("PUT", "upstream", {"account_name": copy.name})
    copy.cli("repair", "identity", "--yes", code=1)
    for node in (copy, west, copy):
        node.sync()
    said = top.cli("downstream", "list")
    assert "`west` and `west-copy`" in said or "`west-copy` and `west`" in said, said
    assert "shared-identity" in top.cli("alerts", "list")
    found = top.admin.call("POST", "diagnose", {})
    assert next(c for c in found["checks"] if c["check"] == "servers-below")["result"] == "failed"

    copy.stop()
    assert "nothing was changed" in copy.cli("repair", "identity", "--json", code=1)
    changed = copy.shown("repair", "identity", "--yes")
    assert changed["done"] and changed["before"] != changed["after"]
    copy.start()
    copy.sync()
    west.sync()
    listed = top.shown("downstream", "list")
    assert {server["name"] for server in listed["servers"]} == {"west", "west-copy"}, listed
    assert listed["warning"] is None
    assert "shared-identity" not in top.cli("alerts", "list")
    assert copy.state() == west.state(), "catalog and decisions are those of the copy"

    def places():
        listed = top.shown("downstream", "computers")["computers"]
        return {computer["id"]: (computer["server_name"], computer["needed"]) for computer in listed}

    # It has told of none of them: they asked the other one.
    assert places() == {computer.id: ("west", 1) for computer in (stays, moves)}
    moves.base, moves.cookie = copy.base, None
    moves.handshake()
    moves.scan()
    lists(moves, (), shelf.fixes[:1])
    copy.cli("computers", "list")
    for node in (west, copy, west):
        node.sync()
    assert places() == {stays.id: ("west", 1), moves.id: ("west-copy", 0)}
