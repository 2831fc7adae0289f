"""Cleanup over trees of servers: in whatever order they clean up, with synchronizations under way meanwhile, none
fails and all come to the same end. Needs libfaketime, because cleanup counts in days."""

from dataclasses import replace

import pytest

from tests.support.server import faketime_library

from .leaf import told
from .node import Node
from .relay import Relay
from .shelf import Shelf

pytestmark = pytest.mark.skipif(
    faketime_library() is None, reason="letting days pass needs libfaketime (Debian: faketime)"
)

DAY = 24
BEGIN = 100 * DAY  # So many hours before now everything is set up.


class Place:
    """Top, a replica, and an autonomous server below that. Each stands behind a relay, so that it can be started
    again at another time and be found where it was."""

    def __init__(self, tree, shelf: Shelf):
        self.shelf = shelf
        self.nodes: list[Node] = []
        self.relays: list[Relay] = []
        for name, mode in (("top", None), ("two", "replica"), ("three", "autonomous")):
            node = tree.node(name, behind=BEGIN)
            if mode:
                node.below(self.relays[-1].base, f"--{mode}")
                node.cli("sync", "content", "approved")
            self.nodes.append(node)
            self.relays.append(Relay(lambda node=node: node.base).__enter__())
        top, _, three = self.nodes
        shelf.stock(top)
        self.above = shelf.fix("above", supersedes=[shelf.fixes[3].id])
        top.put(self.above)
        top.put_files(self.above)
        self.decide(top)
        self.synchronize()
        self.decide(three)
        # What the publisher withdraws arrives with a synchronization.
        self.withdrawn = replace(shelf.fixes[2], revision=101, publication="Expired")
        top.put(self.withdrawn)
        self.synchronize()

    def decide(self, node: Node) -> None:
        node.admin.approve(self.shelf.fixes[0].id, "All Computers")
        node.admin.approve(self.above.id, "All Computers")
        node.admin.decline(self.shelf.fixes[1].id)

    def synchronize(self) -> list[dict]:
        return [node.sync()["counts"] for node in self.nodes[1:]]

    def go_to(self, behind: int) -> None:
        for node in self.nodes:
            node.stop()
            node.behind = behind
            node.start()

    def clean(self, at: int) -> dict:
        """Cleans one server up; when another is below, in the middle of that one's synchronization: after it was
        told what there is and before it asks for it."""
        node, reports = self.nodes[at], []

        def clean() -> None:
            reports.append(node.admin.call("POST", "cleanup/run", {}))

        if at + 1 == len(self.nodes):
            clean()
        else:
            relay = self.relays[at]

            def when_listed(name: str, body: bytes) -> bytes:
                if name == "GetRevisionIdList" and not reports:
                    clean()
                return body

            relay.rewrite = when_listed
            self.nodes[at + 1].sync()
            relay.rewrite = lambda _name, body: body
        assert len(reports) == 1, f"{node.name} was cleaned up once"
        return {step["step"]: step for step in reports[0]["steps"]}

    def close(self) -> None:
        for relay in self.relays:
            relay.__exit__()


def clients_scan(place: Place, gone: list) -> None:
    for node in place.nodes:
        assert told(node, place.shelf.fixes[0]) == (100, "Install"), node.name
        assert told(node, place.above) == (100, "Install"), node.name
        for update in gone:
            assert told(node, update) is None, f"{node.name}: {update.name}"


@pytest.fixture
def places(tree):
    made = []

    def make() -> Place:
        made.append(Place(tree, Shelf("cleaned", updates=4)))
        return made[-1]

    yield make
    for place in made:
        place.close()


def test_in_whatever_order_servers_clean_up_no_synchronization_fails_and_the_end_is_the_same(places):
    ends = []
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        place = places()
        shelf = place.shelf
        declined, expired, superseded = shelf.fixes[1], place.withdrawn, shelf.fixes[3]
        found, done = [0, 0, 0], [0, 0, 0]
        # Thirty days after they were declined updates retire, a day later they go; what is superseded is declined
        # on the first of these days, so it follows a month later.
        for number, behind in enumerate([65 * DAY, 63 * DAY, 30 * DAY, 28 * DAY]):
            place.go_to(behind)
            new = shelf.fix(f"new {number}")
            place.nodes[0].put(new)
            for at in order:
                steps = place.clean(at)
                found[at] += steps["unused-updates"]["found"]
                done[at] += steps["unused-updates"]["done"]
            place.synchronize()
            clients_scan(place, [declined, expired, superseded])
            assert all(new.id in node.rows() for node in place.nodes)
        assert done == [2, 2, 2], (order, found, done)
        assert found == [4, 4, 4], "each was found on the day it retired, and again on the day it went"
        for node in place.nodes:
            assert not node.rows().keys() & {declined.id, superseded.id}, node.name
            assert expired.id in node.rows(), "kept for a year, for servers below that have not heard of it"
            held = node.admin.quarantine()
            assert not (held if isinstance(held, list) else next(iter(held.values()))), node.name
        assert [counts["new"] + counts["revised"] for counts in place.synchronize()] == [0, 0], "nothing comes back"
        ends.append([node.state() for node in place.nodes])
        for node in place.nodes:
            node.stop()
    assert ends[0] == ends[1] == ends[2]


def test_a_child_that_approves_what_its_parent_removed_says_what_is_missing_and_what_helps(tree):
    shelf = Shelf("forgotten", updates=2)
    parent = tree.node("parent", behind=BEGIN)
    shelf.stock(parent)
    wanted = shelf.fixes[0]
    with Relay(lambda: parent.base) as relay:
        child = tree.node("child", behind=BEGIN).below(relay.base, "--autonomous")
        child.cli("sync", "content", "approved")
        child.sync()
        parent.admin.decline(wanted.id)
        for behind in (65 * DAY, 63 * DAY):
            parent.stop()
            parent.behind = behind
            parent.start()
            parent.cli("cleanup", "run")
        assert wanted.id not in parent.rows() and wanted.id in child.rows()
        child.admin.approve(wanted.id, "All Computers")
        run = child.sync()
        assert run["counts"]["files"] == 0, run
        said = child.cli("sync", "status")
        assert "removed" in said and "sluicegate content add" in said, said
        # In later runs too there is one sentence about it, whose remedy is not refused.
        again = child.sync()["warning"]
        assert "has removed it" in again and "not at the upstream yet" not in again, again
        found = child.admin.call("POST", "diagnose", {})
        [files] = [check for check in found["checks"] if check["check"] == "files"]
        assert "has removed it" in files["found"], files
        assert told(child, wanted) == (100, "Install"), "its clients scan on"
        assert not child.holds(wanted)
        child.put_files(wanted)
        child.sync()
        assert child.holds(wanted)
        assert "removed" not in child.cli("sync", "status")


def test_a_server_that_was_away_for_weeks_hears_that_what_it_approved_was_withdrawn(tree):
    shelf = Shelf("withdrawn", updates=2)
    parent = tree.node("parent", behind=BEGIN)
    shelf.stock(parent)
    wanted = shelf.fixes[0]
    with Relay(lambda: parent.base) as relay:
        child = tree.node("child", behind=BEGIN).below(relay.base, "--autonomous")
        child.sync()
        child.admin.approve(wanted.id, "All Computers")
        assert told(child, wanted) == (100, "Install")
        child.stop()
        parent.put(replace(wanted, revision=101, publication="Expired"))
        for behind in (65 * DAY, 63 * DAY, 28 * DAY, 26 * DAY):
            parent.stop()
            parent.behind = behind
            parent.start()
            parent.cli("cleanup", "run")
        child.behind = parent.behind
        child.start()
        run = child.sync()
        assert run["counts"]["expired"] == 1, run
        assert told(child, wanted) is None
        assert child.rows()[wanted.id]["approval"] == "declined"
