"""Trees of processes: an approval made at the top reaches a computer at a leaf, and its report comes back."""

import pytest

from conformance.wire.http import exchange
from tests.support.bench import payload

from .leaf import FAILED, INSTALLED, leaf, lists, reports, told
from .relay import Relay
from .shelf import Shelf


def listed(node) -> dict[str, dict]:
    """The servers below a node, by name."""
    return {server["name"]: server for server in node.shown("downstream", "list")["servers"]}


def rolled_up(node, computer) -> dict[str, str]:
    """The states of updates on a computer somewhere below, as a node was told them."""
    known = {one["id"].lower(): one for one in node.admin.call("GET", "downstream/computers")["computers"]}
    assert known[computer.id]["server_name"] and known[computer.id]["dns_name"] == computer.dns_name
    updates = node.admin.call("GET", f"downstream/computers/{computer.id}")["updates"]
    return {update["update_id"]: update["state"] for update in updates}


def test_from_the_top_over_an_autonomous_middle_and_a_replica_to_a_computer_and_back(tree):
    shelf = Shelf("tree")
    top, middle, replica = tree.chain(("top", None), ("middle", "autonomous"), ("replica", "replica"))
    shelf.stock(top)
    top.admin.create_group("Pilots")
    middle.admin.create_group("Desks")
    fix, other = shelf.fixes[:2]
    # Each of the two decides for itself; the replica takes what its parent says.
    top.admin.approve(fix.id, "All Computers")
    run = middle.sync()
    assert run["counts"]["new"] == len(shelf.all) and run["counts"]["quarantined"] == 0
    assert middle.decisions(fix) == set(), "an autonomous server takes no decisions over"
    assert {name for _, name, _ in middle.groups()} == {"All Computers", "Unassigned Computers", "Desks"}
    middle.admin.approve(other.id, "Desks")
    middle.sync()
    assert middle.holds(other) and not middle.holds(fix), "files of approved updates come"
    replica.sync()
    assert replica.groups() == middle.groups()
    assert replica.decisions(other) == {("Desks", "install", None)}
    assert replica.holds(other)
    refused = replica.cli("approve", fix.id, "--group", "All Computers", code=1)
    assert middle.base in refused, f"a refusal says where to decide: {refused}"

    replica.admin.configure(targeting="client")
    computer = leaf(replica, "Desks")
    assert told(computer, other) == (100, "Install")
    assert told(leaf(replica), other) == (100, "PreDeploymentCheck")
    assert told(leaf(replica, "Desks"), fix) == (100, "PreDeploymentCheck")
    lists(computer, needed=[other, fix])
    reports(computer, FAILED, other, -2147467259)

    replica.sync()
    assert listed(middle)["replica"]["computers"] == 3
    assert listed(middle)["replica"]["computers_with_errors"] == 1
    middle.sync()
    below = listed(top)
    assert set(below) == {"middle", "replica"}
    assert below["replica"]["parent_name"] == "middle" and below["replica"]["mode"] == "replica"
    assert below["replica"]["computers"] == 3 and below["replica"]["computers_with_errors"] == 1
    assert below["middle"]["mode"] == "autonomous"
    states = {other.id: "failed", fix.id: "needed"}
    assert rolled_up(top, computer) == states, rolled_up(top, computer)
    # What changes is told, also up to the top.
    lists(computer, needed=[fix], installed=[other])
    replica.sync()
    middle.sync()
    assert rolled_up(top, computer) == states | {other.id: "installed"}
    for node in (top, middle, replica):
        node.stop()
        assert "alert" not in node.log.read_text(errors="replace"), f"{node.name} raises no false alarm"


def test_a_decision_goes_down_a_chain_of_five_and_a_report_comes_up(tree):
    shelf = Shelf("chain", updates=4)
    chain = tree.chain(("one", None), *((name, "replica") for name in ("two", "three", "four", "five")))
    top, last = chain[0], chain[-1]
    shelf.stock(top)
    group = "Far Away"
    top.admin.create_group("Branches")
    top.admin.create_group(group, "Branches")
    fix, gone, licensed = shelf.fixes[0], shelf.fixes[1], shelf.licensed
    top.admin.approve(fix.id, group, deadline="2031-05-06T07:08:09Z")
    top.admin.approve(shelf.bundle.id, "All Computers")
    top.admin.decline(gone.id)
    top.admin.call("POST", f"updates/{licensed.id}/accept-eula", {})
    top.admin.approve(licensed.id, "Branches")
    for node in chain[1:]:
        node.sync()
    for node in chain[1:]:
        assert node.groups() == top.groups(), node.name
        assert node.decisions(fix) == top.decisions(fix), node.name
        assert node.update(gone)["approval"] == "declined", node.name
        assert node.state() == top.state() | {"updates": node.state()["updates"]}
        assert node.holds(fix) and node.holds(shelf.part) and node.holds(licensed), node.name

    last.admin.configure(targeting="client")
    computer = leaf(last, group)
    assert told(computer, fix) == (100, "Install")
    assert told(computer, gone) is None
    assert told(computer, shelf.bundle) == (100, "Install")
    assert told(computer, licensed) == (100, "Install"), "licence terms accepted at the top hold at the leaf"
    reports(computer, INSTALLED, shelf.bundle)
    lists(computer, needed=[fix], installed=[shelf.bundle])
    reports(computer, FAILED, fix, -2147467259)
    for node in reversed(chain[1:]):
        node.sync()
    below = listed(top)
    assert set(below) == {"two", "three", "four", "five"}
    assert below["five"]["computers"] == 1 and below["five"]["computers_with_errors"] == 1
    assert [below[name]["parent_name"] for name in ("three", "four", "five")] == ["two", "three", "four"]
    assert rolled_up(top, computer) == {fix.id: "failed", shelf.bundle.id: "installed"}


@pytest.mark.parametrize("mode", ["autonomous", "replica"])
def test_a_second_run_without_changes_fetches_nothing(tree, mode):
    shelf = Shelf(f"quiet {mode}", updates=4)
    top, below = tree.node("top"), tree.node("below")
    shelf.stock(top)
    top.admin.approve(shelf.fixes[0].id, "All Computers")
    with Relay(lambda: top.base) as relay:
        below.below(relay.base, f"--{mode}")
        below.cli("sync", "content", "all")
        first = below.sync()
        assert first["counts"]["files"] > 0 and relay.counts()["GetUpdateData"] > 0
        leaf(below)
        below.sync()  # Tells of the computer.
        relay.forget()
        second = below.sync()
        counts = relay.counts()
        assert counts["GetUpdateData"] == 0 and not relay.files(), counts
        assert counts["RollupComputers"] == 0 and counts["RollupComputerStatus"] == 0, counts
        assert counts["GetRevisionIdList"] == 2, "categories and updates, each asked for once"
        told_of = {name: count for name, count in second["counts"].items() if count}
        assert told_of == {}, told_of


def test_a_computer_that_moved_to_a_server_below_counts_there_until_it_comes_back(tree):
    shelf = Shelf("moved", updates=2)
    top, west = tree.chain(("top", None), ("west", "autonomous"))
    shelf.stock(top)
    west.sync()
    fix = shelf.fixes[0]
    computer = leaf(top)

    def asks(node, needed=(), installed=()):
        computer.base, computer.cookie = node.base, None
        computer.handshake()
        computer.scan()
        lists(computer, needed, installed)
        assert [one["id"] for one in node.shown("computers", "list")["computers"]] == [computer.id]

    def counted() -> tuple[int, int, int, int]:
        """Here, below, and how many updates somebody here needs."""
        own = top.shown("computers", "list")
        updates = top.shown("updates", "list", "--status", "needed")["updates"]
        below = top.shown("downstream", "computers")["computers"]
        summary = top.shown("reports", "summary")["computers"]["total"]
        return own["total"], summary, len(below), len(updates)

    asks(top, needed=[fix])
    assert counted() == (1, 1, 0, 1)
    asks(west, installed=[fix])
    west.sync()
    assert counted() == (0, 0, 1, 0)
    assert rolled_up(top, computer) == {fix.id: "installed"}
    assert "It asked `west`" in top.cli("computers", "show", computer.id)
    shown = top.shown("computers", "show", computer.dns_name)
    assert shown["at_server"]["name"] == "west"
    figures = [shown[name] for name in ("needed", "installed", "not_applicable", "no_status")]
    assert figures == [1, 0, None, None] and len(shown["updates"]) == 1, "as it reported here last"
    asks(top, needed=[fix])
    assert counted() == (1, 1, 0, 1)
    west.sync()
    assert counted() == (1, 1, 0, 1), "told again of what was there before"
    assert "It asked" not in top.cli("computers", "show", computer.id)


def test_a_server_that_is_not_on_the_list_is_refused_and_says_so(tree):
    top, below = tree.node("top"), tree.node("below")
    Shelf("listed", updates=1).stock(top)
    below.below(top)
    below.sync()
    top.cli("downstream", "disallow", "below", code=1)  # It would leave nobody on the list.
    top.cli("downstream", "allow", "elsewhere")
    run = below.try_sync()
    assert run["outcome"] == "failed" and run["error_code"] == "DssAuthenticationError/Refused", run
    assert "downstream allow" in run["error"], run
    top.cli("downstream", "allow", "below")
    below.sync()


def test_express_forms_of_files_come_only_when_they_are_asked_for(tree):
    shelf = Shelf("express", updates=1)
    top, below = tree.chain(("top", None), ("below", "replica"))
    whole, express = payload("express whole.cab", 4_000), payload("express difference.psf", 60_000)
    update = shelf.fix("with both", files=[whole, express])
    top.put(*shelf.categories, update)
    top.put_files(update)
    below.cli("sync", "content", "all")
    assert below.sync()["counts"]["files"] == 1
    assert exchange(below.base, "GET", whole.path).status == 200
    assert exchange(below.base, "GET", express.path).status == 404
    assert below.sync()["counts"]["files"] == 0, "not later either"
    below.cli("sync", "content", "all", "--express")
    assert below.sync()["counts"]["files"] == 1 and below.holds(update)
