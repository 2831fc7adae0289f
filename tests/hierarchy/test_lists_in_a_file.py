"""Servers that have no memory for the lists of their catalog: these lie in a file of the data folder, and everything is
as on servers that have."""

import os

import pytest

from conformance.wire.http import exchange

from .leaf import leaf
from .shelf import Shelf

# So many that lists are longer than the pieces that always stand in memory.
UPDATES = 3_000

NO_MEMORY = ["--lists-in-memory", "0"]


def in_file(node) -> int:
    """How many bytes of lists lie in the file, as the server tells."""
    lines = exchange(node.base, "GET", "/metrics").raw.decode().splitlines()
    return int(float(next(line.split()[1] for line in lines if line.startswith("sluicegate_overflow_bytes "))))


def offered(node) -> dict:
    """Revision and action of each update that a fresh computer is told of."""
    updates = leaf(node).scan().updates.values()
    return {one.update_id: (one.revision, one.action) for one in updates}


@pytest.fixture
def place(tree):
    """A top without memory for lists, a replica with and one without below it."""
    shelf = Shelf("in a file")
    many = [shelf.fix(f"many {n}", size=100, files=[]) for n in range(UPDATES)]
    top = tree.node("top", arguments=NO_MEMORY)
    top.put(*shelf.all, *many)
    top.put_files(*shelf.updates)
    usual = tree.node("usual", arguments=["--lists-in-memory", "128"]).below(top, "--replica")
    narrow = tree.node("narrow", arguments=NO_MEMORY).below(top, "--replica")
    return shelf, many, top, usual, narrow


def test_servers_without_memory_for_lists_are_as_others(place):
    shelf, many, top, usual, narrow = place
    below = (usual, narrow)
    for update in [*shelf.fixes[:3], *many[:40]]:
        top.admin.approve(update.id, "All Computers")
    top.admin.decline(many[50].id)
    for node in below:
        assert node.sync()["counts"]["new"] == len(shelf.all) + len(many)
    assert in_file(usual) == 0
    assert in_file(top) > 300_000 and in_file(narrow) > 300_000, (in_file(top), in_file(narrow))
    assert usual.rows().keys() == narrow.rows().keys() == top.rows().keys()

    told = offered(top)
    assert told[many[3].id.lower()] == (100, "Install") and many[50].id.lower() not in told
    assert offered(usual) == offered(narrow) == told

    # What changes goes the same way, also after a restart, which reads all lists anew.
    newer = [shelf.fix(f"many {n}", files=[], revision=101, title=f"Newer {n}") for n in range(0, UPDATES, 7)]
    top.put(*newer)
    narrow.stop()
    narrow.start()
    for node in below:
        assert node.sync()["counts"]["revised"] == len(newer)
    assert offered(usual) == offered(narrow) == offered(top)
    assert in_file(narrow) > 300_000
    found = [node.shown("updates", "list", "--search", "Newer 70")["total"] for node in (top, *below)]
    assert found[0] == found[1] == found[2] > 0


def test_nothing_of_the_file_is_left_and_a_killed_server_starts_again(place):
    shelf, many, top, usual, narrow = place
    narrow.sync()
    wanted = offered(top)
    for end in (narrow.process.kill, narrow.stop):
        end()
        narrow.process.wait()
        names = {path.name for path in narrow.data.iterdir()}
        assert not any("overflow" in name for name in names), names
        narrow.start()
        narrow.in_service()
        assert in_file(narrow) > 300_000 and offered(narrow) == wanted
    files = [os.readlink(f"/proc/{narrow.process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{narrow.process.pid}/fd")]
    inside = [file for file in files if file.startswith(str(narrow.data)) and file.endswith("(deleted)")]
    assert len(inside) == 1, files
