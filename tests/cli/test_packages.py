"""`export` and `import` typed against running servers: networks without a connection."""

import base64
import gzip
import json
import re
import sqlite3
import struct
import subprocess
import uuid
from contextlib import closing
from dataclasses import replace
from xml.sax.saxutils import escape

import pytest

from conformance.wire.client import Computer
from tests.cli.conftest import decided
from tests.cli.test_commands import FILE, as_json, catalog, rows, run
from tests.support.places import binary
from tests.support.server import ServerUnderTest


@pytest.mark.parametrize("name", ["catalog.cab", "catalog.xml.gz"])
def test_an_export_goes_into_an_empty_server_as_it_was(parent, child, tmp_path, name):
    path, content = tmp_path / name, tmp_path / "content"
    said = run(parent, "export", str(path), "--content", str(content))
    assert "6 revisions" in said and "1 copied" in said
    [copied] = [file for file in content.rglob("*") if file.is_file()]
    assert copied.read_bytes() == FILE.data and copied.stem == FILE.sha1.hex().upper()
    assert "1 was there" in run(parent, "export", str(path), "--content", str(content))
    assert not list(tmp_path.glob("*.part"))

    said = run(child, "import", str(path), "--content", str(content))
    assert "1 sent" in said
    assert decided(child) == decided(parent)
    again = as_json(child, "import", str(path), "--content", str(content))
    assert (again["catalog"]["added"], again["catalog"]["unchanged"]) == (0, 6)
    assert [again["decisions"][name] for name in ("groups", "approved", "declined", "skipped")] == [0, 0, 0, 0]
    assert (again["content"]["sent"], again["content"]["already_held"]) == (0, 1)


def test_a_package_from_before_brings_deleted_groups_and_former_names_back(parent, child, tmp_path):
    path = tmp_path / "before.xml.gz"
    run(parent, "export", str(path))
    run(child, "import", str(path))
    *_, fix, _tool = catalog()
    computer = Computer(child.base).handshake()
    run(child, "computers", "move", computer.id, "--group", "Büro ?>")
    gone = as_json(child, "groups", "delete", "büro ?>")
    assert (gone["approvals"], gone["computers"], gone["unassigned"]) == (1, 1, 1)
    run(child, "groups", "rename", "Pilot", "Piloten")
    assert computer.handshake().scan().by_id(fix.id).action == "PreDeploymentCheck"

    taken = as_json(child, "import", str(path))["decisions"]
    assert (taken["approved"], taken["skipped"]) == (1, 0)
    assert taken["regrouped"] == ["the group `Piloten` is called `Pilot` now"]
    assert decided(child) == decided(parent)
    assert as_json(child, "computers", "show", computer.id)["groups"] == ["Unassigned Computers"]
    assert computer.handshake().scan().by_id(fix.id).action == "PreDeploymentCheck"
    run(child, "computers", "move", computer.id, "--group", "Büro ?>")
    assert computer.handshake().scan().by_id(fix.id).action == "Install"


def test_an_import_deletes_no_group_and_names_those_that_are_not_in_the_package(parent, child, tmp_path):
    path = tmp_path / "groups.xml.gz"
    run(parent, "export", str(path))
    assert as_json(child, "import", str(path))["decisions"]["groups_not_carried"] == []
    there = [group["name"] for group in rows(as_json(child, "groups", "list"), "groups")]
    run(parent, "groups", "create", "Soon gone")
    run(parent, "export", str(path))
    run(child, "import", str(path))
    run(parent, "groups", "delete", "Soon gone")
    run(parent, "export", str(path))
    said = run(child, "import", str(path))
    assert "a group that is here is not in the file: `Soon gone`" in said and "groups delete NAME" in said, said
    assert as_json(child, "import", str(path))["decisions"]["groups_not_carried"] == ["Soon gone"]
    run(child, "groups", "create", "Made here")
    assert "groups that are here are not in the file: `Made here`, `Soon gone`." in run(child, "import", str(path))
    now = [group["name"] for group in rows(as_json(child, "groups", "list"), "groups")]
    assert sorted(now) == sorted([*there, "Made here", "Soon gone"])


def test_an_older_revision_of_what_is_here_is_not_called_revised(child, tmp_path):
    *_, tool = catalog()
    newer, older = tmp_path / "newer.xml", tmp_path / "older.xml"
    for path, number in ((newer, 201), (older, 200)):
        path.write_bytes(replace(tool, revision=number).bytes())
    folder = tmp_path / "catalog"
    folder.mkdir()
    for number, document in enumerate(catalog()[:-1]):
        (folder / f"{number}.xml").write_bytes(document.bytes())
    run(child, "catalog", "import", str(folder), str(newer))
    said = run(child, "catalog", "import", str(older))
    assert re.search(r"Revised +0", said) and re.search(r"Older than here +1", said), said
    run(child, "catalog", "import", str(folder), str(older))
    assert "Older than here" not in run(child, "catalog", "import", str(newer))


def test_an_import_says_how_many_files_are_wanted_and_not_here(parent, child, tmp_path):
    path, content = tmp_path / "catalog.xml.gz", tmp_path / "content"
    run(parent, "export", str(path), "--content", str(content))
    said = run(child, "import", str(path))
    assert "1 file (" in said and "is wanted and not here: --content DIR takes it" in said, said
    wanted = as_json(child, "import", str(path))["files_wanted"]
    assert wanted == {"files": 1, "bytes": len(FILE.data)}
    assert "wanted and not here" not in run(child, "import", str(path), "--content", str(content))


def test_a_package_says_where_files_are_unless_that_is_the_exporting_server(child, tmp_path):
    digest = base64.b64encode(FILE.sha1).decode()
    elsewhere = "http://download.example/msdownload/update/fix.cab"
    own = f"http://exporter:8530/Content/{FILE.sha1.hex()[-2:].upper()}/{FILE.sha1.hex().upper()}.cab"
    path = tmp_path / "package.xml.gz"
    for url in (own, elsewhere):
        updates = "".join(f"<Update><Xml>{escape(one.bytes().decode())}</Xml></Update>" for one in catalog())
        head = f'<ExportPackage><Files><File Digest="{digest}" MUUrl="{url}" Name="fix.cab" /></Files><Updates>'
        path.write_bytes(gzip.compress(f"{head}{updates}</Updates></ExportPackage>".encode()))
        run(child, "import", str(path))
        lines = child.admin.request("GET", "export?decisions=false").raw.split(b"\n")
        files = [json.loads(line)["file"] for line in lines if line.startswith(b'{"file"')]
        assert (elsewhere in [file["url"] for file in files]) == (url == elsewhere), files
        assert own not in [file["url"] for file in files]


def test_an_export_without_decisions_has_none(parent, child, tmp_path):
    path = tmp_path / "bare.xml.gz"
    assert as_json(parent, "export", str(path), "--no-decisions")["decisions"] == 0
    assert "no decisions" in run(child, "import", str(path))
    assert [name for name, _ in decided(child)[0]] == ["All Computers", "Unassigned Computers"]


def test_the_cabinet_has_what_other_tools_look_for(parent, tmp_path):
    path = tmp_path / "catalog.cab"
    run(parent, "export", str(path))
    listed = subprocess.run(["cabextract", "-l", str(path)], capture_output=True, text=True, check=True).stdout
    assert "package.xml" in listed and "metadata.txt" in listed
    subprocess.run(["cabextract", "-q", "-d", str(tmp_path), str(path)], check=True)
    metadata = (tmp_path / "metadata.txt").read_bytes().decode()
    assert catalog()[4].id.lower() in metadata.lower()
    assert (tmp_path / "package.xml").read_text().startswith("<?xml")


def test_files_that_are_no_exports_are_named(parent, tmp_path):
    assert ".xml.gz" in run(parent, "export", str(tmp_path / "out.zip"), code=1)
    other = tmp_path / "other.cab"
    other.write_bytes(b"not a package")
    assert "other.cab" in run(parent, "import", str(other), code=1)
    whole = tmp_path / "whole.xml.gz"
    run(parent, "export", str(whole))
    damaged = tmp_path / "content" / "AB" / f"{FILE.sha1.hex().upper()}.cab"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"x")
    with ServerUnderTest() as empty:
        said = run(empty, "import", str(whole), "--content", str(tmp_path / "content"), code=1)
        assert "1 file was refused" in said


@pytest.mark.parametrize("ending", [".cab", ".xml.gz"])
def test_of_a_damaged_package_nothing_is_taken_in_and_that_is_said(parent, child, tmp_path, ending):
    path = tmp_path / f"catalog{ending}"
    run(parent, "export", str(path))
    whole = bytearray(path.read_bytes())
    cut, other = whole[:-200], bytearray(whole)
    half = len(whole) // 2
    other[half : half + 20] = bytes(byte ^ 0xFF for byte in whole[half : half + 20])
    for damaged in (cut, other):
        path.write_bytes(damaged)
        said = run(child, "import", str(path), code=1)
        assert path.name in said and "nothing of it was taken in" in said and "copy it again" in said, said
        assert as_json(child, "status")["catalog"]["revisions"] == 0


@pytest.mark.parametrize("version", ["FormatVersion 9.0", "ProtocolVersion 9.9"])
def test_a_package_of_another_major_version_is_refused_whole(parent, child, tmp_path, version):
    path = tmp_path / "catalog.xml.gz"
    run(parent, "export", str(path))
    name, number = version.split()
    text = gzip.decompress(path.read_bytes()).decode()
    changed, count = re.subn(f'{name}="[^"]*"', f'{name}="{number}"', text, count=1)
    assert count == 1
    path.write_bytes(gzip.compress(changed.encode()))
    said = run(child, "import", str(path), code=1)
    assert version in said and "newer program" in said and "copy it again" not in said, said
    assert as_json(child, "status")["catalog"]["revisions"] == 0


def test_a_damaged_content_file_is_called_damaged_and_written_anew(parent, child, tmp_path):
    path, content = tmp_path / "catalog.xml.gz", tmp_path / "content"
    run(parent, "export", str(path), "--content", str(content))
    [copied] = [file for file in content.rglob("*") if file.is_file()]
    for damage in (b"X" * len(FILE.data), b"short"):
        copied.write_bytes(damage)
        command = [str(binary()), "import", str(path), "--content", str(content), "--data", str(child.data)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert ran.returncode == 1 and "1 file was refused" in ran.stderr, ran.stdout + ran.stderr
        assert f"`{copied}` was refused: its bytes are not those its name says" in ran.stdout
        assert "copy it again" in ran.stdout and "import the update" not in ran.stdout
        again = as_json(parent, "export", str(path), "--content", str(content))["content"]
        assert (again["copied"], again["already_there"], again["were_damaged"]) == (1, 0, 1)
        assert copied.read_bytes() == FILE.data
    copied.write_bytes(b"X" * len(FILE.data))
    assert "1 was there damaged" in run(parent, "export", str(path), "--content", str(content))
    assert "1 sent" in run(child, "import", str(path), "--content", str(content))


def test_files_that_the_server_holds_damaged_do_not_stop_the_others(parent, tmp_path):
    path, content = tmp_path / "catalog.xml.gz", tmp_path / "content"
    [held] = [file for file in (parent.data / "Content").rglob(f"{FILE.sha1.hex().upper()}*")]
    good = tmp_path / FILE.name
    good.write_bytes(FILE.data)
    command = [str(binary()), "export", str(path), "--content", str(content), "--data", str(parent.data)]
    for damage in (b"X" * len(FILE.data), b"short", None):
        held.unlink() if damage is None else held.write_bytes(damage)
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert ran.returncode == 1 and "1 file was not copied" in ran.stderr, ran.stdout + ran.stderr
        assert "check --content --repair" in ran.stderr
        assert "0 copied" in ran.stdout and f"{held.name}` was not copied: " in ran.stdout
        assert path.exists() and not [file for file in content.rglob("*") if file.is_file()]
        run(parent, "content", "add", str(good))
    assert "1 copied" in run(parent, "export", str(path), "--content", str(content))


def test_a_folder_of_content_that_is_missing_is_said_before_anything_is_sent(parent, child, tmp_path):
    path = tmp_path / "catalog.xml.gz"
    run(parent, "export", str(path))
    said = run(child, "import", str(path), "--content", str(tmp_path / "missing"), code=1)
    assert "nothing was sent" in said and str(tmp_path / "missing") in said
    assert as_json(child, "status")["catalog"]["revisions"] == 0


def test_a_replica_takes_documents_and_files_of_a_package_and_says_who_decides(parent, child, tmp_path):
    path, content = tmp_path / "catalog.xml.gz", tmp_path / "content"
    run(parent, "export", str(path), "--content", str(content))
    run(child, "upstream", "set", parent.base, "--replica")
    said = run(child, "import", str(path), "--content", str(content), code=1)
    assert "everything but the decisions was taken in" in said and "--no-decisions" in said, said
    assert parent.base in said
    said = run(child, "import", str(path), "--content", str(content), "--no-decisions")
    assert "were left out" in said and "1 was held" in said
    again = as_json(child, "import", str(path), "--no-decisions")
    assert (again["catalog"]["unchanged"], again["decisions"], again["decisions_refused"]) == (6, None, None)


def test_decisions_can_be_left_out_of_an_import(parent, child, tmp_path):
    path = tmp_path / "catalog.cab"
    run(parent, "export", str(path))
    assert "were left out" in run(child, "import", str(path), "--no-decisions")
    assert [name for name, _ in decided(child)[0]] == ["All Computers", "Unassigned Computers"]


@pytest.mark.parametrize("name", ["folder.cab", "folder.xml.gz"])
def test_an_export_to_the_name_of_a_folder_writes_nothing(parent, tmp_path, name):
    (tmp_path / name).mkdir()
    said = run(parent, "export", str(tmp_path / name), code=1)
    assert "is a folder" in said and "nothing was written" in said
    assert [file.name for file in tmp_path.rglob("*")] == [name]
    said = run(parent, "export", str(tmp_path / "missing" / "catalog.cab"), code=1)
    assert str(tmp_path / "missing") in said
    (tmp_path / "file").write_text("")
    said = run(parent, "export", str(tmp_path / "catalog.cab"), "--content", str(tmp_path / "file"), code=1)
    assert "is no folder" in said and not (tmp_path / "catalog.cab").exists()


def test_an_export_takes_the_place_of_an_earlier_one(parent, child, tmp_path):
    path = tmp_path / "catalog.xml.gz"
    path.write_bytes(b"an earlier one")
    run(parent, "export", str(path))
    assert "6" in run(child, "import", str(path))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["catalog.cab", "catalog.xml.gz"])
def test_an_export_goes_on_past_a_damaged_document_and_names_it(child, tmp_path, name):
    """With what was decided about it; everything else is in the package."""
    path = tmp_path / name
    with ServerUnderTest() as server:
        documents = catalog()
        server.admin.import_all({one.id: one.bytes() for one in documents})
        damaged, other = documents[4], documents[5]
        for one in (damaged, other):
            server.admin.approve(one.id, "All Computers")
        segment = server.data / "fragments" / "documents.seg"
        stored = bytearray(segment.read_bytes())
        with closing(sqlite3.connect(f"file:{server.data / 'sluicegate.db'}?mode=ro", uri=True)) as db:
            wanted = (uuid.UUID(damaged.id).bytes,)
            (place,) = db.execute("SELECT document_at FROM revision WHERE update_id = ?", wanted).fetchone()
        # Each record has its length and its checksum in front of it, eight bytes.
        stored[place + 8] ^= 0xFF
        segment.write_bytes(stored)
        command = [str(binary()), "export", str(path), "--data", str(server.data)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 1, ran
        assert "is written and whole, but 1 revision is damaged" in ran.stderr and "sluicegate check" in ran.stderr
        assert f"{damaged.id}, revision" in ran.stdout and "with 1 decision" in ran.stdout, ran.stdout
        ran = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
        report = json.loads(ran.stdout)
        assert ran.returncode == 1 and [one["update"] for one in report["left_out"]] == [damaged.id]
        assert report["revisions"] == len(documents) - 1
    run(child, "import", str(path))
    assert child.admin.request("GET", f"updates/{damaged.id}").status == 404
    assert child.admin.call("GET", f"updates/{other.id}")["approval"] == "approved"


def listed_as(path, change) -> None:
    """Writes a Cabinet anew with another `package.xml`: `change` makes its bytes, or None for no such member."""
    members = cabinet_members(path)
    changed = change(members["package.xml"])
    members.pop("package.xml") if changed is None else members.update({"package.xml": changed})
    path.write_bytes(stored_cabinet(members))


def cabinet_members(path) -> dict[str, bytes]:
    folder = path.with_suffix(".unpacked")
    subprocess.run(["cabextract", "-q", "-d", str(folder), str(path)], check=True)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def stored_cabinet(members: dict[str, bytes]) -> bytes:
    """A Cabinet of one folder, not compressed and without checksums ([MS-CAB] 2)."""
    block = 0x8000
    files, offset = b"", 0
    for name, data in members.items():
        files += struct.pack("<IIHHHH", len(data), offset, 0, 0x21, 0, 0x80) + name.encode() + b"\0"
        offset += len(data)
    whole = b"".join(members.values())
    blocks = [whole[at : at + block] for at in range(0, len(whole), block)]
    data = b"".join(struct.pack("<IHH", 0, len(one), len(one)) + one for one in blocks)
    first = 36 + 8 + len(files)
    head = struct.pack("<4sIIIIIBBHHHHH", b"MSCF", 0, first + len(data), 0, 44, 0, 3, 1, 1, len(members), 0, 7, 0)
    return head + struct.pack("<IHH", first, len(blocks), 0) + files + data


def test_of_a_package_whose_list_is_damaged_nothing_is_taken_in(parent, child, tmp_path):
    path = tmp_path / "catalog.cab"
    run(parent, "export", str(path))
    whole = bytearray(path.read_bytes())
    folders, _, _ = struct.unpack_from("<IHH", whole, 36 + 8)  # The second of its folders has the list.
    whole[folders + 8 + 60] ^= 1
    path.write_bytes(whole)
    checked = subprocess.run(["cabextract", "-t", str(path)], capture_output=True, text=True, check=False)
    assert re.search(r"package\.xml +failed", checked.stdout), checked.stdout
    said = run(child, "import", str(path), code=1)
    assert "its `package.xml`" in said and "nothing of it was taken in" in said and "copy it again" in said, said
    held = as_json(child, "catalog", "import", str(path))["quarantined"]
    assert ["its `package.xml` is damaged" in one["reason"] for one in held] == [True], held
    assert as_json(child, "status")["catalog"]["revisions"] == 0


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda _: None, "it has no `package.xml`"),
        (lambda _: b"", "its `package.xml` is empty"),
        (lambda text: text[: len(text) // 2], "its `package.xml` cannot be read"),
        (lambda _: b"no list at all", "its `package.xml` cannot be read"),
    ],
)
def test_a_package_without_a_list_that_can_be_read_is_taken_in_with_a_warning(parent, child, tmp_path, change, wrong):
    path, log = tmp_path / "catalog.cab", tmp_path / "import.log"
    run(parent, "export", str(path))
    listed_as(path, lambda text: text)
    assert as_json(child, "import", str(path))["warnings"] == []
    listed_as(path, change)
    [warning] = as_json(child, "import", str(path))["warnings"]
    assert str(path) in warning and wrong in warning and "export it anew" in warning, warning
    assert f"Warning: {warning}" in run(child, "import", str(path), str(log))
    assert warning in log.read_text()
    with ServerUnderTest() as empty:
        report = as_json(empty, "catalog", "import", str(path))
        [said] = report["warnings"]
        assert wrong in said and report["added"] == len(catalog())
        assert "Warning: the package" in run(empty, "catalog", "import", str(path))
