"""An update that its publisher withdrew and gives again is as good as new, on every server of a tree, and cleanup does
not take it for something that was declined long ago. Needs libfaketime, because cleanup counts in days."""

from dataclasses import replace

import pytest

from tests.support.server import faketime_library

from .leaf import told
from .relay import Relay
from .shelf import Shelf

pytestmark = pytest.mark.skipif(
    faketime_library() is None, reason="letting days pass needs libfaketime (Debian: faketime)"
)

DAY = 24
BEGIN = 100 * DAY  # So many hours before now everything is set up.


def test_what_was_withdrawn_and_is_given_again_is_offered_again_and_stays(tree):
    shelf = Shelf("again", updates=2)
    update, unwanted = shelf.fixes
    nodes, relays = [], []
    # The top approves by a rule; an autonomous server has no rule; a replica follows the top.
    for name, mode, above in (("top", None, None), ("own", "autonomous", 0), ("replica", "replica", 0)):
        node = tree.node(name, behind=BEGIN)
        if mode:
            node.below(relays[above].base, f"--{mode}")
            node.cli("sync", "content", "never")
        nodes.append(node)
        relays.append(Relay(lambda node=node: node.base).__enter__())
    top, own, replica = nodes
    below = nodes[1:]

    def days_pass(days: int) -> None:
        for node in nodes:
            node.stop()
            node.behind -= days * DAY
            node.start()
        for node in nodes:
            node.cli("cleanup", "run")
        for node in below:
            node.sync()

    top.admin.call("POST", "rules", {"name": "all", "groups": ["All Computers"], "enabled": True})
    shelf.stock(top)
    for node in below:
        node.sync()
    own.admin.approve(update.id, "All Computers")
    own.admin.decline(unwanted.id)
    assert [told(node, update) for node in nodes] == [(100, "Install")] * 3
    top.put(*(replace(fix, revision=101, publication="Expired") for fix in shelf.fixes))
    for node in below:
        node.sync()
    assert [node.update(update)["approval"] for node in nodes] == ["declined"] * 3
    days_pass(25)
    days_pass(25)

    report = top.put(replace(update, revision=102), replace(unwanted, revision=102))
    assert report["given_again"] == 2 and report["approved_by_rules"] == 2, report
    for node in below:
        node.sync()
    assert own.update(unwanted)["approval"] == "declined", "somebody declined it"
    for days in (0, 2, 2):
        if days:
            days_pass(days)
        assert [told(node, update) for node in (top, replica)] == [(102, "Install")] * 2, days
        assert told(own, update) == (102, "PreDeploymentCheck"), days
    assert "undecline" in own.cli("audit", "list", "--limit", "500")
    assert {node.update(update)["approval"] for node in (top, replica)} == {"approved"}
    for relay in relays:
        relay.__exit__(None, None, None)
