"""A tree whose servers see each other only as the tree says: each in a network namespace of its own. The leaf has no
route to the top; what it has, also the files, came through the middle."""

import os
import subprocess

import pytest

from conformance.wire.http import exchange

from .leaf import FAILED, leaf, reports, told
from .node import Node
from .shelf import Shelf

PORT = 8530


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(f"ip {' '.join(words)}: {done.stderr.strip()}")


class Cable:
    """Namespaces, each reached from here by an address of its own, and cables between some of them."""

    def __init__(self):
        self.names: list[str] = []
        self.tag = f"{os.getpid() % 10000:04}"
        self.cables = 0

    def space(self, name: str) -> str:
        """A namespace with a way from here; answers its address."""
        number = len(self.names) + 1
        name = f"sg{self.tag}{name}"
        ip("netns", "add", name)
        self.names.append(name)
        here, there = f"h{self.tag}{number}", f"n{self.tag}{number}"
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        ip("addr", "add", f"10.213.{number}.1/24", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", name, "addr", "add", f"10.213.{number}.2/24", "dev", there)
        ip("-n", name, "link", "set", there, "up")
        ip("-n", name, "link", "set", "lo", "up")
        return f"10.213.{number}.2"

    def between(self, first: str, second: str) -> str:
        """A cable; answers the address of `first` on it."""
        self.cables += 1
        number = 100 + self.cables
        one, two = f"sg{self.tag}{first}", f"sg{self.tag}{second}"
        ip("-n", one, "link", "add", f"c{number}", "type", "veth", "peer", "name", f"c{number}", "netns", two)
        for space, last in ((one, 1), (two, 2)):
            ip("-n", space, "addr", "add", f"10.213.{number}.{last}/24", "dev", f"c{number}")
            ip("-n", space, "link", "set", f"c{number}", "up")
        return f"10.213.{number}.1"

    def end(self) -> None:
        for number, name in enumerate(self.names, 1):
            subprocess.run(["ip", "link", "del", f"h{self.tag}{number}"], capture_output=True, check=False)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture
def cable():
    made = Cable()
    try:
        made.space("top"), made.space("middle"), made.space("leaf")
    except (PermissionError, FileNotFoundError) as error:
        made.end()
        pytest.skip(f"network namespaces are not permitted here: {error}")
    yield made
    made.end()


def placed(tree, cable: Cable, name: str) -> Node:
    """A server in the namespace of its name, listening on all its addresses."""
    number = next(n for n, space in enumerate(cable.names, 1) if space.endswith(name))
    node = Node(name)
    node.within = ["ip", "netns", "exec", cable.names[number - 1]]
    node.listen = f"0.0.0.0:{PORT}"
    node.address = f"http://10.213.{number}.2:{PORT}"
    tree.nodes.append(node)
    return node.start()


def test_a_leaf_without_a_way_to_the_top_gets_everything_through_the_middle(tree, cable):
    top_at = cable.between("top", "middle")
    middle_at = cable.between("middle", "leaf")
    top, middle, low = (placed(tree, cable, name) for name in ("top", "middle", "leaf"))
    shelf = Shelf("spaces", updates=3)
    shelf.stock(top)
    middle.cli("upstream", "set", f"http://{top_at}:{PORT}", "--autonomous")
    middle.cli("sync", "content", "approved")
    middle.sync()
    # From the leaf there is no way to the top, and a server that tries says so.
    refused = low.cli("upstream", "set", f"http://{top_at}:{PORT}", code=1)
    assert "nothing was saved" in refused
    low.cli("upstream", "set", f"http://{middle_at}:{PORT}", "--autonomous")
    low.cli("sync", "content", "approved")
    low.sync()
    # The leaf approves what the middle has not: the middle is asked for the file, fetches it, and has it next time.
    fix = shelf.fixes[0]
    low.admin.approve(fix.id, "All Computers")
    low.sync()
    assert not low.holds(fix) and not middle.holds(fix)
    middle.sync()
    assert middle.holds(fix), "a file that a server below asked for is fetched, approved here or not"
    low.sync()
    assert low.holds(fix)
    computer = leaf(low)
    assert told(computer, fix) == (100, "Install")
    place = computer.file_locations([fix.files[0].digest])
    assert fix.files[0].path.rsplit("/", 1)[1] in "".join(place.itertext())
    assert exchange(low.base, "GET", fix.files[0].path).status == 200
    reports(computer, FAILED, fix, -2147467259)
    low.sync()
    middle.sync()
    below = {server["parent_name"]: server for server in top.shown("downstream", "list")["servers"]}
    assert len(below) == 2
    assert sorted(server["computers_with_errors"] for server in below.values()) == [0, 1]
