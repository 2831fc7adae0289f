"""Cabinet files both ways: cabextract reads what we write, we read what gcab writes."""

import shutil
import subprocess

import pytest

from tests.codecs.tools import INPUTS, run


@pytest.fixture
def members(tmp_path):
    """Files for a cabinet, one of each kind of input."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, data in enumerate(INPUTS.values()):
        (folder / f"member{number}.xml").write_bytes(data)
    (folder / "empty.txt").write_bytes(b"")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("count", [1, 2, None])
def test_cabextract_reads_what_we_write(members, tmp_path, count):
    assert shutil.which("cabextract"), "cabextract is missing; install it with: apt-get install cabextract"
    chosen = members[:count]
    cabinet = tmp_path / "ours.cab"
    run("cabinet", "write", str(cabinet), *map(str, chosen))
    subprocess.run(["cabextract", "-q", "-t", cabinet], check=True, timeout=60)
    out = tmp_path / "out"
    subprocess.run(["cabextract", "-q", "-d", out, cabinet], check=True, timeout=60)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {p.name: p.read_bytes() for p in chosen}


@pytest.mark.skipif(not shutil.which("gcab"), reason="gcab is not installed (apt-get install gcab)")
@pytest.mark.parametrize("options", [[], ["--zip"]], ids=["stored", "MSZIP"])
def test_we_read_what_gcab_writes(members, tmp_path, options):
    cabinet = tmp_path / "theirs.cab"
    subprocess.run(["gcab", "--create", "--nopath", *options, cabinet, *members], check=True, timeout=60)
    listed = run("cabinet", "list", str(cabinet)).decode().splitlines()
    assert sorted(listed) == sorted(f"{p.stat().st_size} {p.name}" for p in members)
    for member in members:
        assert run("cabinet", "read", str(cabinet), member.name) == member.read_bytes()
