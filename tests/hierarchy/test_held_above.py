"""A server holds the newest revision of an update back, and what it serves came and went between two runs of the replicas
below it: they tell their computers what it tells, and have the files of that."""

from dataclasses import dataclass, replace

import pytest

from tests.support.bench import payload
from tests.support.documents import Document, Payload

from .leaf import told
from .shelf import Shelf

DEADLINE = "2031-01-01T00:00:00Z"


@dataclass
class Asking(Document):
    """Installing it may ask the user something."""

    def properties(self) -> str:
        return super().properties().replace('Impact="Minor"', 'Impact="Minor" CanRequestUserInput="true"')


HOLDS = {
    "licence": (["install"], lambda newer: replace(newer, eula=Payload("licence.txt", b"You may not."))),
    "not-removable": (["uninstall"], lambda newer: replace(newer, removable=False)),
    "needs-input": (["install", DEADLINE], lambda newer: Asking(**vars(newer))),
    "review": (["install"], lambda newer: newer),
}


@pytest.mark.parametrize("hold", HOLDS)
def test_replicas_that_never_had_the_revision_in_service_serve_it_too(tree, hold):
    order, changed = HOLDS[hold]
    shelf = Shelf(f"held {hold}", updates=1)
    nodes = tree.chain(("top", None), ("two", "replica"), ("three", "replica"))
    top = nodes[0]
    shelf.stock(top)
    for node in nodes[1:]:
        node.sync()
    update = replace(shelf.fix("update"), removable=True)
    newer = changed(replace(update, revision=101, files=[payload(f"held {hold} newer.cab", 4_000)]))
    top.put(update)
    top.put_files(update)
    top.admin.approve(update.id, "All Computers", *order)
    if hold == "review":
        top.cli("rules", "options", "--approvals-follow", "false")
    top.put(newer)
    top.put_files(newer)
    serves = (100, order[0].capitalize())
    assert told(top, update) == serves
    for node in nodes[1:]:
        run = node.sync()
        assert not run.get("warning"), run
        assert told(node, update) == serves, node.name
        assert node.decisions(update) == top.decisions(update), node.name
        assert node.update(update)["held"], node.name
    if order[0] == "install":
        # The file may come a run later down a chain.
        nodes[1].sync()
        nodes[2].sync()
        assert all(node.holds(update) for node in nodes)
        assert not any(node.holds(newer) for node in nodes[1:]), "what is held back is not fetched as approved"
    if hold == "review":
        # What is put in service above is in service below.
        top.admin.approve(update.id, "All Computers")
        for node in nodes[1:]:
            node.sync()
        assert [told(node, newer) for node in nodes] == [(101, "Install")] * 3
