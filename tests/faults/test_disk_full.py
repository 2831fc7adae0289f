"""A data folder on a small file system: what does not fit is refused with a sentence, and scans go on."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from conformance.wire.client import Computer
from tests.support.admin import AdminError
from tests.support.documents import Payload, software
from tests.support.places import binary
from tests.support.server import ServerUnderTest

from .test_kill_nine import base_documents, many, named, scanned, titles

SMALL = 48 << 20


@pytest.fixture
def small_disk():
    """A folder with 48 MiB; its own file system, made and unmade here."""
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-small-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(folder)
        pytest.skip(f"no right to mount a small file system here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def fill(folder: Path) -> Path:
    """Takes what is left of the disk."""
    filler = folder / "filler"
    # Without a buffer: what did not fit would be written once more at the close.
    with filler.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(b"\0" * 65536)
        except OSError:
            pass
    return filler


def test_a_full_disk_refuses_writes_clearly_and_keeps_answering_scans(small_disk):
    data = small_disk / "data"
    data.mkdir()
    *_, product, kind = base_documents()
    big = Payload("fault-large.cab", b"0123456789abcdef" * (1 << 16) * 30)
    update = software("fault large", [[product.id]], [[product.id], [kind.id]], deployable=True, files=[big])
    with ServerUnderTest(data=data) as server:
        server.admin.import_all(named([*base_documents(), update, *many(20, "before")]))
        told, listed = scanned(server), titles(server)
        computer = Computer(server.base).handshake()

        with pytest.raises(AdminError) as refused:
            server.admin.add_content(big.name, big.data + b"")
            fill(small_disk)
            server.admin.add_content(big.name, big.data)
        assert "disk" in str(refused.value).lower(), refused.value

        filler = fill(small_disk)
        with pytest.raises(AdminError) as refused:
            server.admin.import_all(named(many(3000, "too many")))
        assert "disk" in str(refused.value).lower() or "full" in str(refused.value).lower(), refused.value

        # The server lives, computers are told what they were told before, nothing half-written shows.
        assert {u.update_id.lower() for u in computer.scan().updates.values()} == told
        assert titles(server) == listed

        filler.unlink()
        server.admin.import_all(named(many(5, "after")))
        assert len(titles(server)) == len(listed) + 5
        assert told < scanned(server)


def test_an_export_of_files_onto_a_full_disk_fails_and_leaves_no_cut_off_file(small_disk, tmp_path):
    """Small ones too: what is written last fails after everything was handed over."""
    *_, product, kind = base_documents()
    files = [Payload(f"fault-{n}.cab", bytes([n]) * size) for n, size in enumerate([40, 5000, 700_000])]
    updates = [
        software(f"fault export {n}", [[product.id]], [[product.id], [kind.id]], deployable=True, files=[file])
        for n, file in enumerate(files)
    ]
    with ServerUnderTest() as server:
        server.admin.import_all(named([*base_documents(), *updates]))
        for file in files:
            server.admin.add_content(file.name, file.data)
        content = small_disk / "content"
        content.mkdir()
        for file in files:
            (content / file.sha1.hex()[-2:].upper()).mkdir(exist_ok=True)
        filler = fill(small_disk)
        command = [str(binary()), "export", str(tmp_path / "all.xml.gz"), "--content", str(content)]
        command += ["--data", str(server.data)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert ran.returncode == 1, ran
        assert "is written and whole, but not every file" in ran.stderr and "make room" in ran.stderr, ran.stderr
        assert not [path for path in content.rglob("*") if path.is_file()]

        filler.unlink()
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert ran.returncode == 0 and "3 copied" in ran.stdout, ran
        sizes = sorted(path.stat().st_size for path in content.rglob("*") if path.is_file())
        assert sizes == sorted(len(file.data) for file in files)


def test_a_diagnosis_on_a_full_disk_says_that_it_is_full(small_disk):
    data = small_disk / "data"
    data.mkdir()
    with ServerUnderTest(data=data) as server:
        server.admin.import_all(named([*base_documents(), *many(3, "before")]))
        fill(small_disk)
        command = [str(binary()), "diagnose", "--json", "--data", str(data)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert ran.returncode == 20, ran
        found = {check["check"]: check for check in json.loads(ran.stdout)["checks"]}
        assert len(found) == 19 and found["disk-space"]["result"] == "failed", found
        assert found["decisions"]["result"] == "passed", found["decisions"]
