"""Servers for the commands about trees of servers and about packages."""

import pytest

from tests.cli.test_commands import FILE, as_json, catalog, fill, rows, run
from tests.support.server import ServerUnderTest


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    with ServerUnderTest() as running:
        folder = tmp_path_factory.mktemp("documents")
        fill(running, folder)
        *_, fix, tool = catalog()
        run(running, "groups", "create", "Pilot")
        run(running, "groups", "create", "Büro ?>", "--parent", "Pilot")
        run(running, "approve", fix.id, "--group", "Büro ?>", "--deadline", "2027-01-31T03:00:00Z")
        run(running, "decline", tool.id)
        file = folder / FILE.name
        file.write_bytes(FILE.data)
        run(running, "content", "add", str(file))
        yield running


@pytest.fixture
def child():
    with ServerUnderTest() as running:
        yield running


def decided(server):
    """What is decided, without what belongs to one server alone."""
    groups = sorted((row["name"], row["parent"] or "") for row in rows(as_json(server, "groups", "list"), "groups"))
    updates = {}
    for row in rows(as_json(server, "updates", "list"), "updates"):
        shown = as_json(server, "updates", "show", row["update_id"])
        approvals = [(a["group"], a["action"], a["deadline"], a["changed_at"]) for a in shown["approvals"]]
        updates[row["update_id"]] = (shown["title"], shown["revision"], shown["approval"], approvals)
    return groups, updates
