"""Commands of several administrators at the same moment: each changes what it says, and takes nobody else's change back."""

import subprocess

import pytest

from tests.cli.test_commands import as_json, run
from tests.support.places import binary
from tests.support.server import ServerUnderTest


@pytest.fixture(scope="module")
def server():
    with ServerUnderTest() as running:
        yield running


def together(server, *commands):
    """Runs the commands at once; all of them say that they worked."""
    begun = [
        subprocess.Popen(
            [str(binary()), *words, "--data", str(server.data)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for words in commands
    ]
    said = [(one.communicate(timeout=120)[0], one.returncode) for one in begun]
    assert all(code == 0 for _, code in said), said


def test_a_rule_keeps_what_each_of_several_commands_changed(server):
    run(server, "groups", "create", "At once")
    rule = str(as_json(server, "rules", "add", "--name", "old", "--group", "At once")["id"])
    for turn in range(6):
        run(server, "rules", "enable", rule)
        together(
            server,
            ("rules", "disable", rule),
            ("rules", "edit", rule, "--name", f"name {turn}"),
            ("rules", "edit", rule, "--deadline", f"{turn + 1}@03:00"),
        )
        (now,) = (one for one in as_json(server, "rules", "list")["rules"] if str(one["id"]) == rule)
        assert (now["enabled"], now["name"], now["deadline_days"]) == (False, f"name {turn}", turn + 1)


def test_every_server_that_is_allowed_or_disallowed_at_once_is(server):
    names = [f"server{number}" for number in range(8)]
    run(server, "downstream", "allow", "first")
    together(server, *(("downstream", "allow", name) for name in names))
    allowed = as_json(server, "downstream", "list")["allowed"]
    assert sorted(allowed) == sorted(["first", *names])
    together(server, *(("downstream", "disallow", name) for name in names))
    assert as_json(server, "downstream", "list")["allowed"] == ["first"]


def test_filters_and_settings_of_cleanup_changed_at_once_are_all_there(server):
    languages = ["de-de", "fr-fr", "ja-jp", "pt-br", "sv-se", "it-it"]
    together(
        server,
        *(("filters", "add", f"language={language}") for language in languages),
        ("cleanup", "settings", "computer-days=77"),
        ("cleanup", "settings", "enabled=false"),
    )
    assert set(as_json(server, "filters", "list")["filters"]) == {f"language={language}" for language in languages}
    settings = as_json(server, "cleanup", "settings")
    assert (settings["computer-days"], settings["enabled"]) == ("77", "false")
    together(server, *(("filters", "remove", f"language={language}") for language in languages))
    assert as_json(server, "filters", "list")["filters"] == []


def test_what_happens_with_new_revisions_is_set_by_two_at_once(server):
    for yes in ("false", "true", "false", "true"):
        together(
            server,
            ("rules", "options", "--approvals-follow", yes),
            ("rules", "options", "--decline-expired", yes),
        )
        options = as_json(server, "rules", "list")["options"]
        assert options == {"approvals_follow": yes == "true", "decline_expired": yes == "true"}
