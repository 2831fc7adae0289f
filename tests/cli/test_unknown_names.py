"""Calls of the admin API with names or types that they do not have are refused before anything is done: passed over,
they do more than was asked, or nothing without a word."""

import json
import re
from pathlib import Path

import pytest

from conformance.wire.http import exchange
from tests.cli.test_commands import as_json, catalog, fill, run
from tests.support.server import ServerUnderTest

# Bodies that are streams and no JSON objects.
STREAMS = {("POST", "catalog/import"), ("POST", "content"), ("POST", "import/decisions")}


def routes():
    """Every route that takes an order, as the server's own table has it; what is variable is called `x`."""
    source = (Path(__file__).parents[2] / "crates/server/src/admin/mod.rs").read_text(encoding="utf-8")
    table = source[source.index("match names.as_slice()") : source.index("known if is_known")]
    for names, method in re.findall(r"\[([^\[\]]*?)\]\s+if (post|put)\b", table):
        choices = re.search(r"@\s*\(([^)]*)\)", names)
        orders = re.findall(r'"([^"]+)"', choices.group(1)) if choices else [None]
        parts = [part.strip() for part in (names[: choices.start()] if choices else names).split(",") if part.strip()]
        for order in orders:
            path = [order if choices and part is parts[-1] else part.strip('"') if '"' in part else "x" for part in parts]
            yield method.upper(), "/".join(path)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerUnderTest() as running:
        folder = tmp_path_factory.mktemp("documents")
        fill(running, folder)
        for name in ("A", "B"):
            run(running, "groups", "create", name)
        yield running


def call(server, method, path, body):
    headers = {"Authorization": f"Bearer {(server.data / 'admin-token').read_text().strip()}"}
    answer = exchange(server.base, method, f"/api/v1/{path}", headers, json.dumps(body).encode())
    return answer.status, json.loads(answer.body)


def test_every_order_refuses_a_name_that_it_does_not_have(server):
    found = set(routes())
    assert len(found) > 30 and ("POST", "updates/x/unapprove") in found and ("PUT", "rules/x") in found, sorted(found)
    for method, path in sorted(found - STREAMS):
        status, said = call(server, method, path, {"no_such_name": 1})
        assert status in (400, 404) and "no_such_name" in said["error"]["message"], (method, path, status, said)


def test_a_name_of_another_call_does_not_do_more_than_was_asked(server):
    *_, fix, _tool = catalog()
    for group in "AB":
        run(server, "approve", fix.id, "--group", group)
    before = as_json(server, "audit", "list")["head"]
    run(server, "downstream", "allow", "north")
    listed = as_json(server, "downstream", "list")["allowed"]
    for method, path, body, named in [
        ("POST", f"updates/{fix.id}/unapprove", {"groups": ["A"]}, "has no `groups`; it has group"),
        ("POST", f"updates/{fix.id}/decline", {"group": "A"}, "has no `group`; there is nothing to name in it"),
        ("POST", "rules", {"name": "security only", "groups": ["A"], "classification": ["x"]}, "`classification`"),
        ("POST", "rules", {"name": "security only", "groups": ["A"], "classifications": None}, "`classifications` is null"),
        ("PUT", "rules/1", {"products": None}, "`products` is null"),
        ("PUT", "rules/1", {"deadline_time": "03:00"}, "`deadline_days`"),
        ("PUT", "sync/content", {"When": "never"}, "has no `When`; it has when, express"),
        ("PUT", "sync/schedule", {"schedule": "manual", "at": "03:00"}, "has no `at`"),
        ("PUT", "sync/filter", {"exclude": None}, "`exclude` is null"),
        ("PUT", "sync/filter", {"languages": [5]}, "list of texts"),
        ("PUT", "downstream/allowed", {"allowed": None}, "`allowed` is null"),
        ("PUT", "downstream/allowed", {"allowed": [5]}, "list of texts"),
        ("PUT", "downstream/allowed", {}, "`allowed` is missing"),
        ("POST", "downstream/allowed", {"add": [None]}, "list of texts"),
        ("POST", "import/addresses", {"files": 5}, "list of pairs"),
        ("POST", "import/addresses", {}, "list of pairs"),
        ("POST", "content/missing", {"sha1": [5]}, "list of texts"),
        ("POST", "updates/approve", {"updates": [5], "groups": ["A"]}, "list of texts"),
        ("POST", "updates/approve", {"filter": {"aproval": "any"}, "groups": ["A"]}, "has no `aproval`"),
        ("POST", "rules/run", {"rules": ["one"]}, "list of whole numbers"),
    ]:
        status, said = call(server, method, path, body)
        assert status == 400 and named in said["error"]["message"], (path, body, status, said)
    assert as_json(server, "downstream", "list")["allowed"] == listed
    assert {one["group"] for one in as_json(server, "updates", "show", fix.id)["approvals"]} == {"A", "B"}
    assert as_json(server, "audit", "list")["head"]["entries"] == before["entries"] + 1, "only the list was changed"
