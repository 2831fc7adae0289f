"""`sluicegate repair approvals` over a tree of servers: what it shows, what it does, and what is left of it when it
is killed in the middle."""

import json
import subprocess
from dataclasses import replace

import pytest

from tests.support.places import binary

from .leaf import leaf, told
from .relay import Relay
from .test_kb954960 import SERVICE_PACK, story


class Repair:
    """The command over a file that names the servers; `ways` are other addresses than their own."""

    def __init__(self, folder, nodes, ways=()):
        self.folder, self.log = folder, folder / "journal.log"
        parents = [None, *(node.name for node in nodes)]
        lines = []
        for node, parent in zip(nodes, parents, strict=False):
            url = dict(ways).get(node.name, node.base)
            lines += ["[[server]]", f'name = "{node.name}"', f'url = "{url}"', f'token-file = "{node.data}/admin-token"']
            lines += [f'parent = "{parent}"'] if parent else []
        (folder / "tree.toml").write_text("\n".join(lines))

    def start(self, *options: str) -> subprocess.Popen:
        words = ["repair", "approvals", SERVICE_PACK, "--tree", "tree.toml", "--journal", "journal.json", *options]
        return subprocess.Popen(
            [str(binary()), *words], cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def run(self, *options: str, code: int = 0) -> str:
        process = self.start(*options)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == code, said
        return said


@pytest.fixture
def site(tree):
    """A top and two replicas below each other. The middle one had decided for itself before it was a replica; a
    computer of it is in a nested group, for which the service pack is approved; another update is approved too."""
    rest, pack = story()
    other = replace(pack, name="An unrelated update", update_id="0fee1ed0-0000-4000-8000-000000000001")
    nodes = tree.chain(("head-office", None), ("branch", "autonomous"), ("shop", "replica"))
    top, branch, shop = nodes
    top.put(*rest, pack, other)
    top.put_files(rest[-1])
    branch.sync()
    branch.admin.create_group("Local")
    branch.admin.approve(other.id, "Local")
    for group, parent in (("Servers", None), ("Pilots", "Servers")):
        top.admin.create_group(group, parent)
    top.admin.approve(SERVICE_PACK, "Pilots")
    top.admin.approve(other.id, "Servers")
    branch.below(top, "--replica")
    for node in (branch, shop):
        node.sync()
    pilot = leaf(branch)
    told(pilot, other)
    branch.admin.move(pilot.id, "Pilots")
    assert told(pilot, pack) == (100, "Install") and told(pilot, other) == (100, "Install")
    return nodes, pilot, pack, other


def everywhere(nodes, word: str) -> None:
    for node in nodes:
        assert node.update(SERVICE_PACK)["approval"] == word, node.name
    assert [node.admin.call("GET", "upstream")["mode"] for node in nodes] == ["autonomous", "replica", "replica"]


def settle(nodes) -> None:
    """The repair has asked the replicas to synchronize; once more in order brings all of them up to date."""
    for node in nodes[1:]:
        node.ended(node.admin.call("GET", "sync/history")["runs"][0]["run"])
        node.sync()


def test_a_dry_run_shows_the_plan_and_the_repair_changes_nothing_but_the_named_update(site, tmp_path):
    nodes, pilot, pack, other = site
    repair = Repair(tmp_path, nodes)
    before = [node.state() for node in nodes]
    plan = repair.run("--dry-run")
    assert [plan.index(f"{node.name}: ") for node in nodes] == sorted(plan.index(f"{n.name}: ") for n in nodes)
    assert "approve as it was (install for Pilots)" in plan and "make it a replica again" in plan
    shown = json.loads(repair.run("--dry-run", "--json"))
    assert shown["update_id"] == SERVICE_PACK and len(shown["plan"]) == 4
    assert repair.run("--keep", code=1).count("nothing was changed") == 1, "nobody said yes"
    assert [node.state() for node in nodes] == before

    repair.run("--keep", "--yes")
    settle(nodes)
    assert [node.state() for node in nodes] == before, "kept as it was, by the same groups"
    assert told(pilot, pack) == (100, "Install")
    log = repair.log.read_text()
    for node in nodes:
        assert f"{node.name}: done" in log
    assert log.index("head-office: done") < log.index("branch: begun") < log.index("branch: is a replica again")
    assert not (tmp_path / "journal.json").exists()

    repair.run("--yes")
    settle(nodes)
    everywhere(nodes, "declined")
    assert told(pilot, pack) is None and told(pilot, other) == (100, "Install")


def test_a_repair_killed_in_the_middle_leaves_computers_their_updates_and_is_ended_by_the_next_run(site, tmp_path):
    nodes, pilot, pack, other = site
    _, branch, _ = nodes
    before = [node.state() for node in nodes]
    with Relay(lambda: branch.base) as way:
        repair = Repair(tmp_path, nodes, [("branch", way.base)])
        killed = []

        def kill(path: str, body: bytes) -> bytes:
            if path.endswith("/approve") and not killed:
                killed.append(process)
                process.kill()
            return body

        way.rewrite = kill
        process = repair.start("--keep", "--yes")
        process.communicate(timeout=120)
        assert killed and process.returncode == -9
        upstream = branch.admin.call("GET", "upstream")
        assert (upstream["mode"], upstream["lifted"]) == ("autonomous", True)
        assert told(pilot, other) == (100, "Install"), "in the middle of the repair, in its group"
        assert branch.decisions(other) == {("Servers", "install", None)}
        assert "taken up again" in repair.run("--keep", "--dry-run")
        repair.run("--keep", "--yes")
    settle(nodes)
    assert [node.state() for node in nodes] == before
    assert told(pilot, pack) == (100, "Install") and told(pilot, other) == (100, "Install")
    branch.below(nodes[0], "--autonomous")
    assert branch.decisions(other) == {("Local", "install", None)}, "what it had decided before stayed aside"
    assert branch.decisions(SERVICE_PACK) == set()
