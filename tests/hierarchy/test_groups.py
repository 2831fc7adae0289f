"""Groups that the upstream renames and deletes: replicas below follow, and so do their computers."""

from .leaf import leaf, lists, told
from .shelf import Shelf


def down(*nodes) -> None:
    """Each asks the one above it, from the top on."""
    for node in nodes:
        node.sync()


def in_groups(node, computer) -> list[str]:
    return node.admin.computer(computer.id)["groups"]


def again(computer, update) -> str | None:
    """What a computer that was there before is told of an update now."""
    found = told(computer.handshake(), update)
    return found and found[1]


def test_replicas_and_their_computers_follow_renamed_and_deleted_groups(tree):
    shelf = Shelf("groups", updates=3)
    top, middle, bottom = tree.chain(("top", None), ("middle", "replica"), ("bottom", "replica"))
    shelf.stock(top)
    fix, other = shelf.fixes[:2]
    for name, parent in (("Pilots", None), ("Servers", None), ("Web", "Servers")):
        top.admin.create_group(name, parent)
    top.admin.approve(fix.id, "Pilots")
    top.admin.approve(other.id, "Servers")
    down(middle, bottom)
    pilot, web = leaf(bottom), leaf(bottom)
    bottom.admin.move(pilot.id, "Pilots")
    bottom.admin.move(web.id, "Web")
    assert (again(pilot, fix), again(web, other)) == ("Install", "Install")

    # Two groups trade their names, and what they have stays.
    for group, name in (("Pilots", "for a moment"), ("Servers", "Pilots"), ("for a moment", "Servers")):
        top.cli("groups", "rename", group, name)
    for words in (["rename", "Web", "Mine"], ["delete", "Web"]):
        refused = bottom.cli("groups", *words, code=1)
        assert middle.base in refused, f"a refusal says where to decide: {refused}"
    down(middle, bottom)
    assert top.groups() == middle.groups() == bottom.groups()
    assert ("Web", "Pilots") in {(name, parent) for _, name, parent in bottom.groups()}
    assert bottom.decisions(fix) == {("Servers", "install", None)}
    assert (in_groups(bottom, pilot), in_groups(bottom, web)) == (["Servers"], ["Web"])
    assert (again(pilot, fix), again(web, other)) == ("Install", "Install")

    # One goes with what is nested in it.
    assert "`Web`" in top.cli("groups", "delete", "Pilots", code=1)
    gone = top.shown("groups", "delete", "Pilots", "--nested")
    assert (gone["approvals"], gone["computers"], [one["name"] for one in gone["nested"]]) == (1, 0, ["Web"])
    down(middle)
    assert "1 computer is no longer in a group that is gone" in bottom.sync()["warning"]
    assert top.groups() == bottom.groups()
    assert bottom.decisions(other) == set()
    assert in_groups(bottom, web) == ["Unassigned Computers"]
    assert (again(pilot, fix), again(web, other)) == ("Install", "PreDeploymentCheck")

    # The other goes and another of that name is made, while the server at the bottom is away.
    [old] = [group for group, name, _ in top.groups() if name == "Servers"]
    top.cli("groups", "delete", old)
    down(middle)
    new = top.admin.create_group("servers")["id"]
    down(middle, bottom)
    assert new != old and top.groups() == middle.groups() == bottom.groups()
    assert (middle.decisions(fix), bottom.decisions(fix)) == (set(), set())
    assert in_groups(bottom, pilot) == ["servers"], "it asks for nothing, and a group of that name is there"
    assert again(pilot, fix) == "PreDeploymentCheck"
    top.admin.approve(fix.id, "servers")
    down(middle, bottom)
    assert again(pilot, fix) == "Install"
    assert [bottom.sync()["counts"][count] for count in ("new", "revised")] == [0, 0]


def test_computers_that_ask_for_groups_by_name_follow_what_the_upstream_calls_them(tree):
    shelf = Shelf("asked", updates=2)
    top, below = tree.chain(("top", None), ("below", "replica"))
    shelf.stock(top)
    fix = shelf.fixes[0]
    top.admin.create_group("Pilots")
    top.admin.approve(fix.id, "Pilots")
    down(below)
    below.admin.configure(targeting="client")
    early, late = leaf(below, "pilots"), leaf(below, "Early birds")
    assert (again(early, fix), again(late, fix)) == ("Install", "PreDeploymentCheck")
    top.cli("groups", "rename", "Pilots", "Early birds")
    assert "Unassigned Computers" in below.sync()["warning"]
    assert (again(early, fix), again(late, fix)) == ("PreDeploymentCheck", "Install")
    top.cli("groups", "delete", "Early birds")
    down(below)
    assert (again(early, fix), again(late, fix)) == ("PreDeploymentCheck", "PreDeploymentCheck")
    # One of that name is another group, and computers that ask for it are in it.
    top.admin.create_group("Pilots")
    top.admin.approve(fix.id, "Pilots")
    down(below)
    assert (again(early, fix), again(late, fix)) == ("Install", "PreDeploymentCheck")


def test_the_top_sees_which_computers_of_replicas_are_in_a_group_and_says_so_when_it_goes(tree):
    shelf = Shelf("rolled", updates=2)
    top = tree.node("top")
    shelf.stock(top)
    modes = {"low": "--replica", "asking": "--replica", "own": "--autonomous"}
    low, asking, own = (tree.node(name).below(top, mode) for name, mode in modes.items())
    fix = shelf.fixes[0]
    top.admin.create_group("Desks")
    top.admin.create_group("Near", "Desks")
    down(low, asking, own)
    asking.admin.configure(targeting="client")
    for node, group, said in ((low, "Desks", [fix]), (asking, "near", []), (own, None, [fix])):
        computer = leaf(node, group if node is asking else None)
        lists(computer, said)
        if node is low:
            low.admin.move(computer.id, group)
    down(own, asking, low)

    listed = top.shown("groups", "list")
    sizes = {one["name"]: (one["computers"], one["computers_below"]) for one in listed["groups"]}
    assert (sizes["Desks"], sizes["Near"]) == ((0, 1), (0, 1))
    assert listed["not_counted_below"] == {"groups_not_told": 0, "own_groups": 1}
    printed = top.cli("groups", "list")
    assert "OF REPLICAS" in printed.upper() and "1 computer of servers below that have groups of their own" in printed
    report = top.shown("reports", "summary", "--group", "Desks")
    below = report["computers_below"]
    assert (report["computers"]["total"], below["total"], below["needing"]) == (0, 2, 1)
    assert [(one["name"], one["computers"]) for one in below["servers"]] == [("asking", 1), ("low", 1)]
    assert "Computers of replicas below" in top.cli("reports", "summary")
    assert own.shown("groups", "list")["not_counted_below"] is None, "nobody is below it"
    groups = {one["server_name"]: one["groups"] for one in top.shown("downstream", "computers")["computers"]}
    assert groups == {"low": ["Desks"], "asking": ["Near"], "own": []}

    said = top.cli("groups", "delete", "Desks", "--nested")
    assert "2 computers of replicas below were in it, as they told last (`asking` 1, `low` 1)" in said
