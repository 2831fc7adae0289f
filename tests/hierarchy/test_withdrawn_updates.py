"""What its publisher withdrew is installed nowhere, also where an older revision stays in service to be removed."""

from dataclasses import replace

from .leaf import leaf, told
from .shelf import Shelf


def test_what_stays_in_service_for_a_removal_is_installed_by_nobody(tree):
    shelf, source = Shelf("withdrawn", updates=1), tree.node("source")
    shelf.stock(source)
    top = tree.node("top").below(source, "--autonomous")
    low = tree.node("low").below(top, "--replica")
    for node in (top, low):
        node.cli("sync", "content", "never")
        node.admin.configure(targeting="client")
    top.cli("groups", "create", "Pilots")
    update = shelf.fix("removed", removable=True)
    source.put(update)
    top.sync()
    top.admin.approve(update.id, "All Computers")
    top.admin.approve(update.id, "Pilots", "uninstall")
    low.sync()
    at_top, at_low = ({group: leaf(node, group) for group in (None, "Pilots")} for node in (top, low))
    for computers in (at_top, at_low):
        assert told(computers[None], update) == (100, "Install")
        assert told(computers["Pilots"], update) == (100, "Uninstall")
    source.put(replace(update, revision=101, removable=False, publication="Expired"))
    run = top.sync()
    assert update.id.lower() in run["warning"] and "approvals for installation are withdrawn" in run["warning"], run
    low.sync()
    assert low.sync()["warning"] is None and top.sync()["warning"] is None
    for node, computers in ((top, at_top), (low, at_low)):
        assert node.decisions(update) == {("Pilots", "uninstall", None)}, node.name
        # Those that had been told, and such as come new.
        for one in (computers[None], node):
            revision, action = told(one, update)
            assert (revision, action) != (101, "Install") and action != "Install", (node.name, revision, action)
        assert told(computers["Pilots"], update) == (100, "Uninstall"), node.name
    shown = top.cli("updates", "show", update.id)
    assert "not-removable" in shown, shown
    assert "expired" in top.cli("approve", update.id, "--group", "All Computers", code=1)
    # Where computers can remove what comes then, that is in service.
    source.put(replace(update, revision=102, publication="Expired"))
    for node in (top, low):
        node.sync()
        assert told(node, update, "Pilots") == (102, "Uninstall"), node.name
