"""From autonomous to replica and back: what was decided is not lost."""

import threading

from .leaf import leaf, told
from .relay import Relay
from .shelf import Shelf


def test_switching_to_replica_and_back_loses_no_decision(tree):
    shelf = Shelf("modes", updates=5)
    top, below = tree.chain(("top", None), ("below", "autonomous"))
    shelf.stock(top)
    fix, other, gone = shelf.fixes[:3]
    below.sync()
    below.admin.create_group("Ours")
    rule = below.admin.call("POST", "rules", {"name": "For ours", "groups": ["Ours"], "enabled": False})["id"]
    below.admin.approve(fix.id, "Ours")
    below.admin.decline(gone.id)
    top.admin.create_group("Theirs")
    top.admin.approve(other.id, "Theirs")
    ours = below.state()

    below.below(top, "--replica")
    below.sync()
    as_replica = below.state()
    assert {name for _, name, _ in below.groups()} >= {"Theirs"}
    assert rule_groups(below, rule) == ([], 1)
    assert "1 put aside, while this is a replica" in below.cli("rules", "list")
    assert below.decisions(other) == {("Theirs", "install", None)}
    assert below.decisions(fix) == set() and below.update(gone)["approval"] != "declined"
    assert told(below, other) == (100, "PreDeploymentCheck")

    below.below(top, "--autonomous")
    below.sync()
    assert below.decisions(fix) == {("Ours", "install", None)}, "the server's own decisions hold again"
    assert below.update(gone)["approval"] == "declined"
    assert rule_groups(below, rule) == (["Ours"], 0)
    back = below.state()
    assert {u: one["approvals"] for u, one in back["updates"].items()} == {
        u: one["approvals"] for u, one in ours["updates"].items()
    }
    assert below.groups() >= {group for group in ours_groups(ours)}

    # And once more, with a change above in between.
    top.admin.unapprove(other.id)
    top.admin.approve(gone.id, "All Computers")
    below.below(top, "--replica")
    below.sync()
    assert below.decisions(gone) == {("All Computers", "install", None)} and below.decisions(other) == set()
    assert told(below, gone) == (100, "Install")
    below.below(top, "--autonomous")
    assert below.update(gone)["approval"] == "declined" and told(below, gone) is None
    assert as_replica["updates"].keys() == back["updates"].keys()


def rule_groups(node, rule: int) -> tuple[list[str], int]:
    [found] = [one for one in node.shown("rules", "list")["rules"] if one["id"] == rule]
    return found["groups"], found["groups_put_aside"]


def ours_groups(state) -> list[tuple]:
    return [tuple(group) for group in state["groups"]]


def test_whoever_waits_for_a_run_that_a_change_of_modes_ends_is_told_so(tree):
    shelf = Shelf("ended", updates=2)
    top, below = tree.node("top"), tree.node("below")
    shelf.stock(top)
    with Relay(lambda: top.base) as relay:
        below.below(relay.base, "--replica")
        asked, go, said = threading.Event(), threading.Event(), []
        relay.trouble("act before", 0, act=lambda: (asked.set(), go.wait(60)), of="data")
        waiter = threading.Thread(target=lambda: said.append(below.cli("sync", "now", "--wait", code=1)))
        waiter.start()
        assert asked.wait(60)
        below.cli("upstream", "set", "--autonomous")
        go.set()
        waiter.join()
        assert "the mode was changed while this synchronization was under way" in said[0]
        assert "cancelled" not in said[0], "nobody cancelled it"


def test_a_replica_restarted_between_runs_is_still_one(tree):
    shelf = Shelf("restart", updates=2)
    top, below = tree.chain(("top", None), ("below", "replica"))
    shelf.stock(top)
    top.admin.approve(shelf.fixes[0].id, "All Computers")
    below.sync()
    before = below.state()
    below.process.kill()
    below.process.wait()
    below.start()
    assert below.state() == before
    assert below.admin.call("GET", "upstream")["mode"] == "replica"
    assert told(below, shelf.fixes[0]) == (100, "Install")
    assert below.sync()["counts"]["new"] == 0


def test_a_replica_takes_its_upstreams_place_with_decisions_and_computers(tree, tmp_path):
    """The steps of docs/replacing-wsus.md."""
    shelf = Shelf("takeover", updates=3)
    old, new = tree.chain(("old", None), ("new", "replica"))
    shelf.stock(old)
    fix, gone = shelf.fixes[:2]
    old.admin.create_group("Servers")
    old.admin.approve(fix.id, "Servers")
    old.admin.decline(gone.id)
    new.sync()
    computer = leaf(new)
    assert told(computer, fix) == (100, "PreDeploymentCheck")
    new.admin.move(computer.id, "Servers")
    new.in_service()
    assert told(computer.handshake(), fix) == (100, "Install")

    package = tmp_path / "takeover.xml.gz"
    new.cli("export", str(package))
    switched = new.cli("upstream", "set", "none", "--autonomous")
    assert "1 computer is in Unassigned Computers now" in switched
    new.cli("import", str(package))
    assert {name for _, name, _ in new.groups()} >= {"Servers"}
    assert new.decisions(fix) == {("Servers", "install", None)}
    assert new.update(gone)["approval"] == "declined"
    new.in_service()
    assert told(computer.handshake(), fix) == (100, "Install"), "back in the group that the import brought"


def test_a_decline_that_is_taken_back_without_approving_is_taken_back_below(tree):
    shelf = Shelf("undeclined", updates=3)
    top, below = tree.chain(("top", None), ("below", "replica"))
    shelf.stock(top)
    fix, other, third = shelf.fixes
    for one in (fix, other, third):
        top.admin.decline(one.id)
    below.sync()
    assert {below.update(one)["approval"] for one in (fix, other, third)} == {"declined"}
    assert told(below, fix) is None

    refused = top.cli("unapprove", fix.id, code=1)
    assert "is declined" in refused and "--action not-approved" in refused
    said = top.cli("approve", fix.id, "--group", "All Computers", "--action", "not-approved")
    assert said == "No longer declined; not approved for `All Computers`, whatever groups above it have.\n"
    many = top.cli("approve", other.id, "--group", "All Computers", "--group", "Unassigned Computers", "--action", "not-approved")
    assert "Declined until now, which is taken back" in many and other.id in many
    found = top.shown("approve", "--filter", "approval=declined", "--group", "All Computers", "--action", "not-approved")
    assert found["declines_taken_back"] == [third.id]
    for node in (top, below):
        node.in_service()
    assert told(top, fix) == (100, "PreDeploymentCheck")
    below.sync()
    for node in (top, below):
        for one in (fix, other, third):
            assert node.update(one)["approval"] != "declined", node.name
            assert {action for _, action, _ in node.decisions(one)} == {"not-approved"}
            assert told(node, one) == (100, "PreDeploymentCheck")
    assert below.sync()["counts"]["approvals"] == 0, "and all is as it is above"
    assert below.cli("approve", fix.id, "--group", "All Computers", "--action", "not-approved", code=1)
    assert top.admin.call("GET", "audit/verify")["whole"] is True
