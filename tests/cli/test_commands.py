"""The commands of the README and of `sluicegate help`, typed against a running server."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from conformance.wire.client import Computer
from tests.support.documents import Payload, category, software
from tests.support.places import binary
from tests.support.server import ServerUnderTest

FILE = Payload("cli-fix.cab", b"cli " * 999)


def catalog():
    company = category("cli company", "Company")
    family = category("cli family", "ProductFamily", [company.id])
    product = category("cli product", "Product", [family.id])
    kind = category("cli classification", "UpdateClassification")
    fix = software(
        "cli fix", [[product.id]], [[product.id], [kind.id]], deployable=True, files=[FILE], kb="9900001",
        removable=True, title="A fix typed by hand", titles={"de": "Eine von Hand getippte Korrektur"},
    )
    tool = software("cli tool", [[product.id]], [[product.id], [kind.id]], deployable=True)
    return company, family, product, kind, fix, tool


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerUnderTest() as running:
        folder = tmp_path_factory.mktemp("documents")
        (folder / "below").mkdir()
        for number, document in enumerate(catalog()):
            place = folder / "below" if number % 2 else folder
            data = document.bytes() if number % 3 else b"\xff\xfe" + document.xml().encode("utf-16-le")
            (place / f"{number}.xml").write_bytes(data)
        (folder / "notes.txt").write_text("not a document")
        running.documents = folder
        yield running


def run(server, *words, code=0, target=None):
    """Runs a command; answers what it printed."""
    target = target or ["--data", str(server.data)]
    command = [str(binary()), *words, *target]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == code, f"{' '.join(words)}: {ran.stdout}{ran.stderr}"
    return ran.stdout if code == 0 else ran.stderr


def fill(server, folder):
    """The documents of the catalog are put into the folder and imported."""
    for number, document in enumerate(catalog()):
        (folder / f"{number}.xml").write_bytes(document.bytes())
    run(server, "catalog", "import", str(folder))


def as_json(server, *words):
    return json.loads(run(server, *words, "--json"))


def rows(value, key):
    return value if isinstance(value, list) else value[key]


@pytest.fixture(scope="module")
def imported(server):
    return run(server, "catalog", "import", str(server.documents), "--json")


def test_import_takes_folders_in_either_encoding_and_reports(server, imported):
    report = json.loads(imported)
    assert report["added"] == 6 and report["quarantined"] == []
    again = run(server, "catalog", "import", str(server.documents))
    assert "Unchanged" in again and "6" in again
    assert "Nothing is held back" in run(server, "catalog", "quarantine")


def test_import_names_file_update_and_reason_of_what_it_refuses(server, imported, tmp_path):
    orphan = software("cli orphan", [["0b4d0f5e-0000-4000-8000-00000000dead"]], [], deployable=True)
    (tmp_path / "orphan.xml").write_bytes(orphan.bytes())
    (tmp_path / "torn.xml").write_bytes(orphan.bytes()[:200])
    report = as_json(server, "catalog", "import", str(tmp_path))
    held = {Path(entry["source"]).name: entry for entry in report["quarantined"]}
    assert set(held) == {"orphan.xml", "torn.xml"}
    assert held["orphan.xml"]["update_id"].lower() == orphan.id.lower()
    assert "0b4d0f5e-0000-4000-8000-00000000dead" in held["orphan.xml"]["reason"]
    table = run(server, "catalog", "quarantine")
    assert "orphan.xml" in table and "torn.xml" in table
    (tmp_path / "empty").mkdir()
    assert "nothing to import" in run(server, "catalog", "import", str(tmp_path / "empty"), code=1)


def test_categories_are_listed_as_filters_and_rules_name_them(server, imported):
    company, family, product, kind, *_ = catalog()
    listed = rows(as_json(server, "catalog", "categories"), "categories")
    assert {row["id"].lower() for row in listed} >= {c.id.lower() for c in (company, family, product, kind)}
    [found] = rows(as_json(server, "catalog", "categories", "--search", "PRODUCT cli"), "categories")
    assert (found["id"].lower(), found["kind"]) == (product.id.lower(), "Product")
    assert rows(as_json(server, "updates", "list", "--product", found["title"]), "updates")
    table = run(server, "catalog", "categories", "--search", "classification")
    assert kind.id.lower() in table.lower() and product.id.lower() not in table.lower()
    assert "No such category" in run(server, "catalog", "categories", "--search", "of nobody")
    assert "catalog categories" in run(server, "updates", "list", "--product", "of nobody", code=1)


def test_updates_are_listed_found_and_shown(server, imported):
    fix = catalog()[4]
    assert "A fix typed by hand" in run(server, "updates", "list")
    found = rows(as_json(server, "updates", "list", "--search", "9900001"), "updates")
    assert [row["update_id"].lower() for row in found] == [fix.id.lower()]
    shown = run(server, "updates", "show", fix.id)
    assert "A fix typed by hand" in shown and FILE.name in shown and "cli product" in shown
    assert as_json(server, "updates", "show", fix.id)["revision"] == fix.revision


def test_groups_approvals_and_declines_reach_computers(server, imported):
    *_, fix, tool = catalog()
    assert "Pilot" in run(server, "groups", "create", "Pilot")
    run(server, "groups", "create", "Pilot North", "--parent", "Pilot")
    groups = {row["name"]: row for row in rows(as_json(server, "groups", "list"), "groups")}
    assert groups["Pilot North"]["parent"] == "Pilot"
    assert {"All Computers", "Unassigned Computers"} <= set(groups)

    computer = Computer(server.base).handshake()
    assert computer.dns_name in run(server, "computers", "list")
    run(server, "computers", "move", computer.id, "--group", "Pilot North")
    shown = as_json(server, "computers", "show", computer.id)
    assert "Pilot North" in json.dumps(shown["groups"])

    said = run(server, "approve", fix.id, "--group", "Pilot", "--deadline", "2027-01-31T03:00:00Z")
    assert "install" in said and "2027-01-31" in said
    update = computer.handshake().scan().by_id(fix.id)
    assert update.action == "Install" and update.deployed("Deadline").startswith("2027-01-31T03:00:00")
    run(server, "approve", fix.id, "--group", "Pilot North", "--action", "uninstall")
    assert Computer.scan(computer.handshake()).by_id(fix.id).action == "Uninstall"
    assert "uninstall" in run(server, "updates", "show", fix.id).lower()
    said = run(server, "approve", tool.id, "--group", "Pilot", "--action", "uninstall", code=1)
    assert "cannot be removed" in said and "decline it" in said
    run(server, "unapprove", fix.id, "--group", "Pilot North")
    assert Computer.scan(computer.handshake()).by_id(fix.id).action in ("Install", "PreDeploymentCheck")
    run(server, "unapprove", fix.id)
    assert Computer.scan(computer.handshake()).by_id(fix.id).action == "PreDeploymentCheck"

    assert "Declined" in run(server, "decline", tool.id)
    assert computer.handshake().scan().by_id(tool.id) is None
    declined = rows(as_json(server, "updates", "list", "--approval", "declined"), "updates")
    assert [row["update_id"].lower() for row in declined] == [tool.id.lower()]


def test_a_deleted_group_says_what_went_with_it(server, imported):
    *_, fix, _tool = catalog()
    outer, inner = "Short term", "Short term / inner"
    run(server, "groups", "create", outer)
    run(server, "groups", "create", inner, "--parent", outer)
    run(server, "rules", "add", "--disabled", "--name", "For the short term", "--group", inner)
    run(server, "approve", fix.id, "--group", outer)
    computer = Computer(server.base).handshake()
    run(server, "computers", "move", computer.id, "--group", inner)
    assert computer.handshake().scan().by_id(fix.id).action == "Install"

    refused = run(server, "groups", "delete", outer, code=1)
    assert f"`{inner}`" in refused and "--nested" in refused
    said = run(server, "groups", "delete", outer.upper(), "--nested").splitlines()
    assert said[0] == f"Deleted the group `{outer}`." and f"`{inner}`" in said[1]
    assert "1 approval" in said[2] and "1 computer was in it" in said[3] and "For the short term" in said[4]
    assert computer.handshake().scan().by_id(fix.id).action == "PreDeploymentCheck"
    assert as_json(server, "computers", "show", computer.id)["groups"] == ["Unassigned Computers"]
    assert outer not in run(server, "groups", "list")
    entries = rows(as_json(server, "audit", "list", "--limit", "10"), "entries")
    assert [entry["action"] for entry in entries].count("remove-group") == 2

    made = as_json(server, "groups", "create", outer)
    gone = as_json(server, "groups", "delete", made["id"])
    assert (gone["name"], gone["nested"], gone["approvals"], gone["computers"]) == (outer, [], 0, 0)
    for words in (["groups", "delete", outer], ["groups", "delete", "All Computers", "--nested"]):
        assert f"`{words[2]}`" in run(server, *words, code=1)
    run(server, "groups", "delete", "", code=2)


def test_a_renamed_group_keeps_what_it_has(server, imported):
    *_, fix, _tool = catalog()
    made = as_json(server, "groups", "create", "Typed wrongl")
    run(server, "approve", fix.id, "--group", "Typed wrongl")
    assert run(server, "groups", "rename", "typed WRONGL", "Typed right") == (
        "The group `Typed wrongl` is called `Typed right` now.\n"
    )
    shown = as_json(server, "groups", "rename", made["id"], "Typed / right")
    assert (shown["id"], shown["before"], shown["name"]) == (made["id"], "Typed right", "Typed / right")
    approvals = as_json(server, "updates", "show", fix.id)["approvals"]
    assert [one["group"] for one in approvals] == ["Typed / right"]
    assert "already a group named `all computers`" in run(
        server, "groups", "rename", "Typed / right", "all computers", code=1
    )
    assert "cannot be renamed" in run(server, "groups", "rename", "All Computers", "Everybody", code=1)
    run(server, "groups", "rename", "Typed / right", "", code=2)
    run(server, "groups", "delete", "Typed / right")


def test_content_is_taken_only_when_an_update_declares_it(server, imported, tmp_path):
    good, bad = tmp_path / FILE.name, tmp_path / "other.cab"
    good.write_bytes(FILE.data)
    bad.write_bytes(FILE.data + b"!")
    added = as_json(server, "content", "add", str(good))
    assert added[0]["sha1"].upper() == FILE.sha1.hex().upper()
    refused = run(server, "content", "add", str(bad), code=1)
    assert "1 of 1 file was refused" in refused


def test_status_and_settings_are_shown_and_changed(server, imported):
    status = as_json(server, "status")
    assert status["health"]["status"] == "ok" and status["computers"] >= 0
    until = time.monotonic() + 60
    while (tested := as_json(server, "status")["health"].get("self_test")) is None:
        assert time.monotonic() < until, "the server did not look at its own endpoints"
        time.sleep(0.2)
    said = run(server, "status").splitlines()
    assert any(line.startswith("computers") for line in said)
    # A list of things is a table: a line for each.
    for endpoint in tested["endpoints"]:
        [line] = [line for line in said if f" {endpoint['name']} " in line and endpoint["path"] in line]
        assert endpoint["found"] in line
    assert as_json(server, "config", "show")["targeting"] == "server"
    assert as_json(server, "config", "set", "targeting", "client")["targeting"] == "client"
    run(server, "config", "set", "targeting", "server")
    assert "there is no setting" in run(server, "config", "set", "colour", "blue", code=1)


def test_a_server_is_found_by_address_and_token_too(server, imported, tmp_path):
    target = ["--server", server.base, "--token-file", str(server.data / "admin-token")]
    assert "All Computers" in run(server, "groups", "list", target=target)
    wrong = tmp_path / "token"
    wrong.write_text("not-the-token")
    said = run(server, "groups", "list", target=["--server", server.base, "--token-file", str(wrong)], code=1)
    assert "401" in said
    assert "--token-file" in run(server, "groups", "list", target=["--server", server.base], code=1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["updates", "show", "not-a-guid"], "GUID"),
        (["updates", "show", "00000000-0000-4000-8000-000000000404"], "00000000-0000-4000-8000-000000000404"),
        (["approve", "00000000-0000-4000-8000-000000000404", "--group", "Pilot"], "00000000-0000-4000-8000-000000000404"),
        (["computers", "show", "nobody"], "nobody"),
        (["groups", "create", "All Computers"], "All Computers"),
    ],
)
def test_what_is_wrong_is_said_by_name(server, imported, words, sentence):
    assert sentence.lower() in run(server, *words, code=1).lower()


def test_a_reader_who_has_seen_enough_is_no_error(server, imported):
    command = f"set -o pipefail; {binary()} updates list --json --data {server.data} | head -c 1"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_without_a_server_the_next_step_is_named(server, tmp_path):
    said = run(server, "status", target=["--data", str(tmp_path)], code=1)
    assert "sluicegate serve" in said


def test_a_deadline_that_no_server_or_agent_carries_is_refused(server, imported):
    fix = catalog()[4]
    for deadline in ("9999-12-31T23:59:59Z", "1600-01-01T00:00:00Z"):
        order = ("approve", fix.id, "--deadline", deadline, "--group")
        assert "1754 to 9998" in run(server, *order, "All Computers", code=1)
