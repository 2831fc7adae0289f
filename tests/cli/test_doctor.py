"""`sluicegate doctor` as administrators and programs type it; it needs no server."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support.places import binary

SAMPLES = Path(__file__).parents[2] / "crates" / "doctor" / "samples"
STORY = SAMPLES / "P-30" / "positive-japanese"


def doctor(*arguments):
    return subprocess.run(
        [binary(), "doctor", *map(str, arguments)], capture_output=True, text=True, encoding="utf-8", timeout=120
    )


def findings(*arguments):
    answer = doctor(*arguments, "--json")
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_findings_for_programs_have_every_field():
    first = findings(STORY)[0]
    assert (first["problem"], first["confidence"]) == ("P-30", "certain")
    assert first["cause"] and first["remedy"] and first["steps"] and first["sluicegate"]
    for line in first["evidence"]:
        text = Path(line["file"]).read_text(encoding="utf-8").splitlines()[line["line"] - 1]
        assert " ".join(line["text"].split()) == " ".join(text.split())
    assert {Path(line["file"]).name for line in first["evidence"]} == {"WindowsUpdate.log", "SoftwareDistribution.log"}


def test_people_are_told_problem_evidence_cause_and_remedy():
    answer = doctor(STORY)
    assert answer.returncode == 0 and answer.stderr == ""
    for words in ["P-30", "certain", "evidence:", "WindowsUpdate.log:3", "cause:", "remedy:", "Sluicegate:"]:
        assert words in answer.stdout


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp932"])
def test_a_zip_file_in_any_encoding_says_the_same(tmp_path, encoding):
    with zipfile.ZipFile(tmp_path / "logs.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for log in STORY.iterdir():
            archive.writestr(f"collected/{log.name}", log.read_text(encoding="utf-8").encode(encoding))
    first = findings(tmp_path / "logs.zip")[0]
    assert (first["problem"], first["confidence"]) == ("P-30", "certain")
    assert any("辞書のキー" in line["text"] for line in first["evidence"])


def test_a_healthy_log_has_no_findings():
    healthy = SAMPLES / "P-10" / "near-good.log"
    assert findings(healthy) == []
    assert "No known problem" in doctor(healthy).stdout


def test_exit_codes_are_those_of_the_manual(tmp_path):
    assert doctor(STORY, "--fail-on", "certain").returncode == 3
    assert doctor(SAMPLES / "P-10" / "near-good.log", "--fail-on", "possible").returncode == 0
    nothing = doctor(tmp_path / "nothing.log")
    assert nothing.returncode == 1 and "nothing.log" in nothing.stderr
    assert doctor().returncode == 2
    # A file that cannot be read is said, and the others are read.
    partly = doctor(STORY, tmp_path / "nothing.log")
    assert partly.returncode == 0 and "nothing.log" in partly.stderr and "P-30" in partly.stdout


def test_limits_are_kept_and_what_is_known_is_listed():
    assert len(findings(SAMPLES, "--limit", "5")) == 5
    assert all(len(finding["evidence"]) <= 2 for finding in findings(SAMPLES, "--evidence", "2"))
    known = {rule["problem"] for rule in findings("--rules")}
    assert {"P-01", "P-39", "R-07", "F-01", "0x8024400E"} <= known
