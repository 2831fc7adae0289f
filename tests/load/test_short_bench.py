"""`sluicegate bench`, short: ratios against baselines of the same run, and a storm that everybody survives."""

import json
import subprocess

import pytest

from tests.support.places import binary

AGENTS = 1000
# Of the bounds in BENCHMARKS.md, on a busy test machine and without the release build.
SLACK = 2.0


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    command = [
        binary(), "bench", "all", "--sizes", "10000", "--seconds", "3", "--agents", str(AGENTS),
        "--folder", folder, "--json",
    ]
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=900, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def figure(report, *words):
    lines = [line for line in report if all(word in line["measurement"] for word in words)]
    assert len(lines) == 1, f"{words}: {[line['measurement'] for line in report]}"
    return lines[0]["value"]


def test_a_steady_client_costs_little_more_than_the_bytes(report):
    assert figure(report, "steady", "rate against the bare handler") >= 0.5 / SLACK


def test_a_first_scan_costs_little_more_than_copying_its_answers(report):
    assert figure(report, "first scan", "CPU against copying") <= 2.0 * SLACK


def test_a_first_scan_takes_few_round_trips(report):
    assert figure(report, "first scan", "round trips") < 30


def test_everybody_finishes_in_a_storm(report):
    assert figure(report, "storm", "did not finish") == 0
    assert figure(report, "storm", "revisions delivered") > AGENTS * 1000


def test_memory_stays_bounded_in_a_storm(report):
    assert figure(report, "storm", "memory at its highest") < 1024


def test_content_keeps_up_with_nginx(report):
    assert figure(report, "content", "rate against nginx") >= 0.8 / SLACK


def test_a_small_catalog_is_served_at_once(report):
    assert figure(report, "process start to first correct scan answer") < 5


def test_a_first_synchronization_costs_little_more_than_unpacking_and_parsing(report):
    alone = "first synchronization against unpacking and parsing alone"
    assert figure(report, alone, "one after the other") <= 2.0
    assert figure(report, alone, "on all cores") <= 2.0 * SLACK
    assert figure(report, "CPU of both servers against unpacking and parsing alone") <= 2.0 * SLACK


def test_memory_stays_bounded_while_synchronizing(report):
    assert figure(report, "memory of the downstream server at its highest") <= 512


def test_what_did_not_change_is_not_paid_for_again(report):
    first = 10_000 / figure(report, "first synchronization, revisions a second")
    assert figure(report, "synchronization without changes") <= first / 4
    assert figure(report, "synchronization of", "new revisions") <= first / 2
