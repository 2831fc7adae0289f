"""Who waits for files: servers below ask for what is not here, and wait until it comes or they do not want it any more.
Alert, diagnosis, warnings and figures say the same."""

from dataclasses import replace

from .relay import Relay
from .shelf import Shelf
from .test_lasting_failures import failed_checks, kinds, soon


def test_a_server_below_that_wants_a_file_no_more_is_waited_for_no_longer(tree):
    shelf, top = Shelf("waits", updates=1), tree.node("top")
    shelf.stock(top)
    with Relay(lambda: top.base) as relay:  # A restarted server has another port.
        below = tree.node("below").below(relay.base, "--autonomous")
        below.cli("sync", "content", "approved")
        one, other = shelf.fix("one"), shelf.fix("another")
        top.put(one, other)
        below.sync()
        for update in (one, other):
            below.admin.approve(update.id, "All Computers")
        below.sync()
        check = failed_checks(top, 24)["files"]
        assert "2 files" in check["found"] and "servers below this one wait for" in check["found"], check
        # A look at what is missing follows the start.
        top.stop()
        top.start()
        soon(lambda: kinds(top), {"files-failing"})
        below.admin.decline(one.id)
        below.sync()
        assert "files" in failed_checks(top, 24), "it waits for the other still"
        below.admin.decline(other.id)
        below.sync()
        assert below.admin.call("GET", "content/wanted")["files"] == 0
        assert top.admin.call("GET", "content/wanted")["files"] == 0
        top.cli("diagnose")
        soon(lambda: kinds(top), set())
        # Who wants it again asks again.
        below.admin.approve(one.id, "All Computers")
        below.sync()
        assert "1 file is" in failed_checks(top, 24)["files"]["found"]


def test_a_server_between_stops_asking_for_what_expired_before_it_came(tree):
    shelf, top = Shelf("between", updates=1), tree.node("top")
    shelf.stock(top)
    top.put_files(*shelf.updates)
    middle = tree.node("middle").below(top, "--autonomous")
    low = tree.node("low").below(middle, "--replica")
    for node in (middle, low):
        node.cli("sync", "content", "approved")
        node.sync()
    update = shelf.fix("withdrawn")
    top.put(update)
    middle.sync()
    middle.admin.approve(update.id, "All Computers")
    low.sync()
    middle.sync()
    assert "not at the upstream yet" in middle.sync()["warning"]
    soon(lambda: kinds(middle), {"files-failing"})
    top.put(replace(update, revision=101, publication="Expired"))
    middle.sync()
    low.sync()
    assert middle.update(update)["approval"] == low.update(update)["approval"] == "declined"
    assert middle.sync()["warning"] is None
    for node in (middle, low, top):
        assert node.admin.call("GET", "content/wanted")["files"] == 0, node.name
        node.cli("diagnose")
        soon(lambda node=node: kinds(node), set())
