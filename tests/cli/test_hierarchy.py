"""The commands about trees of servers, typed against running servers."""

import json
import socket
import subprocess

import pytest

from tests.cli.conftest import decided
from tests.cli.test_commands import as_json, catalog, rows, run
from tests.hierarchy.leaf import leaf
from tests.support.places import binary
from tests.support.server import ServerUnderTest


def test_an_upstream_is_tried_before_it_is_saved(parent, child, tmp_path):
    assert "No upstream is set" in run(child, "upstream", "show")
    assert "No upstream is set" in run(child, "sync", "status")
    assert "upstream set" in run(child, "sync", "now", code=1)
    said = run(child, "upstream", "set", "http://127.0.0.1:1", code=1)
    assert "nothing was saved" in said and "127.0.0.1:1" in said
    assert as_json(child, "upstream", "show")["source"] is None
    assert "http://127.0.0.1:1" in run(child, "upstream", "set", "http://127.0.0.1:1", "--no-probe")
    assert "127.0.0.1:1" in run(child, "upstream", "test", code=1)
    said = run(child, "upstream", "set", parent.base, "--autonomous")
    assert f"Reached {parent.base}" in said and "autonomous" in said
    assert "protocol" in run(child, "upstream", "test")
    password = tmp_path / "password"
    password.write_text("hunter2\n")
    authority = tmp_path / "ca.pem"
    authority.write_text("")
    settings = as_json(
        child, "upstream", "set", "microsoft-update", "--no-probe", "--proxy", "http://127.0.0.1:3128",
        "--tls-proxy", "http://127.0.0.1:3129", "--proxy-user", "CORP\\svc", "--proxy-password-file", str(password),
        "--ca", str(authority),
    )["upstream"]
    assert settings["proxy"] == "http://127.0.0.1:3128" and settings["tls_proxy"] == "http://127.0.0.1:3129"
    assert settings["proxy_user"] == "CORP\\svc" and "hunter2" not in json.dumps(settings)
    assert settings["ca_file"] == str(authority)
    said = run(child, "upstream", "set", "microsoft-update", "--replica", "--no-probe", code=1)
    assert "replica" in said
    cleared = as_json(child, "upstream", "set", "none", "--proxy", "none", "--proxy-user", "none", "--ca", "none")
    assert [cleared["upstream"][name] for name in ("source", "proxy", "proxy_user", "ca_file")] == [None] * 4


def test_an_empty_word_takes_nothing_away(parent, child):
    run(child, "upstream", "set", parent.base, "--replica", "--account-name", "north")
    try:
        before = as_json(child, "upstream", "show")
        assert before["mode"] == "replica"
        said = run(child, "upstream", "set", "", "--no-probe", code=1)
        assert "the upstream is empty" in said and "`none`" in said
        for option in ("--ca", "--proxy-password-file"):
            assert "a value is required" in run(child, "upstream", "set", parent.base, option, "", "--no-probe", code=2)
        for option in (
            "--proxy", "--tls-proxy", "--proxy-user", "--proxy-password-expires", "--proxy-bypass", "--account-name",
        ):
            said = run(child, "upstream", "set", parent.base, option, "", "--no-probe", code=1)
            assert f"{option} is empty" in said and "`none`" in said
        for name in ("source", "mode", "proxy", "account_name", "ca_file"):
            with pytest.raises(AssertionError, match=f"`{name}` is empty"):
                child.admin.call("PUT", "upstream", {name: "", "probe": False})
        assert "none is set" in run(child, "upstream", "set", "none", "--replica", code=1)
        assert as_json(child, "upstream", "show") == before
        said = run(child, "upstream", "set", parent.base, "--account-name", "a b", "--no-probe", code=1)
        assert "`none`" in said
        assert as_json(child, "upstream", "set", "NONE", "--ca", "NONE", "--account-name", "None")["upstream"]["ca_file"] is None
        assert as_json(child, "upstream", "show")["source"] is None
    finally:
        run(child, "upstream", "set", "none", "--account-name", "none")


def test_ntlm_only_stays_until_basic_is_allowed_again(child, tmp_path):
    password = tmp_path / "password"
    password.write_text("hunter2\n")
    url = ("upstream", "set", "http://127.0.0.1:1", "--no-probe")
    user = ("--proxy-password-file", str(password), "--proxy-user")
    try:
        run(child, *url, "--proxy", "http://127.0.0.1:3128", "--proxy-ntlm-only")
        assert "by NTLM only" in run(child, "upstream", "show")
        assert as_json(child, *url, *user, "sync")["upstream"]["proxy_basic"] is False
        assert "by NTLM only" in run(child, *url, *user, "other")
        assert "readable (Basic)" in run(child, *url, "--proxy-basic")
        assert as_json(child, "upstream", "show")["proxy_basic"] is True
        assert "--proxy-basic" in run(child, *url, "--proxy-basic", "--proxy-ntlm-only", code=2)
    finally:
        run(child, "upstream", "set", "none", "--proxy", "none", "--proxy-user", "none")


def test_a_port_that_cannot_be_is_refused_though_nothing_is_tried(child):
    for words, port in (
        (("http://127.0.0.1:99999",), "99999"),
        (("http://127.0.0.1:0",), "127.0.0.1:0"),
        (("http://127.0.0.1:1", "--proxy", "127.0.0.1:70000"), "70000"),
        (("http://127.0.0.1:1", "--tls-proxy", "http://127.0.0.1:0"), "`0`"),
    ):
        said = run(child, "upstream", "set", *words, "--no-probe", code=1)
        assert port in said and "1 to 65535" in said
    shown = as_json(child, "upstream", "show")
    assert (shown["source"], shown["proxy"], shown["tls_proxy"]) == (None, None, None)


def test_what_is_excluded_is_shown_and_taken_back(child):
    said = run(child, "sync", "filter", "set", "--exclude", "preview", "--exclude", "architecture=ARM64")
    assert "Excluded" in said and "architecture=arm64, preview" in said
    assert as_json(child, "filters", "list")["filters"] == ["architecture=arm64", "preview"]
    assert "colour=red" in run(child, "sync", "filter", "set", "--exclude", "colour=red", code=1)
    assert "Excluded" not in run(child, "sync", "filter", "set", "--exclude-nothing")
    assert as_json(child, "sync", "filter", "show")["exclude"] == []


def test_another_choice_of_languages_says_first_what_it_means(child):
    before = as_json(child, "sync", "filter", "show")["languages"]
    said = run(child, "sync", "filter", "set", "--language", "en", "--dry-run")
    assert "more files" in said and "Texts need no fetching" in said
    meant = as_json(child, "sync", "filter", "set", "--language", "en", "--dry-run")
    assert meant["fetched"] == {"files": 0, "bytes": 0}
    assert as_json(child, "sync", "filter", "show")["languages"] == before, "nothing was saved"
    said = run(child, "sync", "filter", "set", "--language", "en")
    assert said.index("more files") < said.index("Languages")
    run(child, "sync", "filter", "set", "--language", "all")


def test_languages_that_choose_nothing_are_refused_or_warned_of(child):
    before = as_json(child, "sync", "filter", "show")["languages"]
    assert "`pt_br` is no language" in run(child, "sync", "filter", "set", "--language", "pt_br", code=1)
    said = run(child, "sync", "filter", "set", "--language", "all", "--language", "en", code=1)
    assert "`all` beside others" in said
    assert as_json(child, "sync", "filter", "show")["languages"] == before
    said = run(child, "sync", "filter", "set", "--language", "english", "--dry-run")
    assert "Warning" in said and "do you mean `en`?" in said
    said = run(child, "sync", "filter", "set", "--language", "english")
    assert said.count("Warning") == 1 and "english" in said
    run(child, "sync", "filter", "set", "--language", "all")


def test_the_mirror_is_in_the_help_of_serve():
    helped = subprocess.run([str(binary()), "serve", "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert "--microsoft-update-mirror" in helped.stdout


def test_diagnosing_a_server_without_an_upstream_says_what_is_missing(child):
    def diagnosed(*words):
        command = [str(binary()), "diagnose", *words, "--data", str(child.data)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert ran.returncode == 11, ran.stdout + ran.stderr
        return ran.stdout

    said = diagnosed()
    assert "upstream set" in said and "P-21" in said, said
    found = json.loads(diagnosed("--json"))
    assert found["first_failure"] == "upstream-set" and found["checks"][0]["result"] == "passed", found


def test_a_first_synchronization_is_called_so_while_it_goes_on(child):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run(child, "upstream", "set", f"http://127.0.0.1:{silent.getsockname()[1]}", "--no-probe")
        run(child, "sync", "now")
        said = run(child, "sync", "status")
        assert "First synchronization, 0 of" in said and "authorization" in said
        part = as_json(child, "status")["sync"]
        assert part["running"] is True and part["first"] is True and part["phase"] == "authorization"
        run(child, "sync", "cancel")
    run(child, "upstream", "set", "none")


def test_synchronizing_brings_the_catalog_and_says_what_it_brought(parent, child):
    run(child, "upstream", "set", parent.base)
    run(child, "sync", "content", "never")
    said = run(child, "sync", "now", "--wait")
    assert "6 new" in said and "0 held back" in said
    ended = as_json(child, "sync", "now", "--wait")
    assert ended["outcome"] == "succeeded" and ended["counts"]["new"] == 0
    history = rows(as_json(child, "sync", "history"), "runs")
    assert [one["counts"]["new"] for one in history] == [0, 6]
    assert "succeeded" in run(child, "sync", "history", "--limit", "1")
    assert "--limit" in run(child, "sync", "history", "--limit", "0", code=2)
    status = as_json(child, "sync", "status")
    assert status["running"] is False and status["last_run"] == history[0]
    assert "Last synchronization" in run(child, "sync", "status")
    assert "No synchronization is under way" in run(child, "sync", "cancel")
    begun = as_json(child, "sync", "now")
    assert begun["run"] == 3


def test_a_synchronization_that_fails_is_told_by_the_exit_code(child):
    run(child, "upstream", "set", "http://127.0.0.1:1", "--no-probe")
    waiting = subprocess.Popen(
        [str(binary()), "sync", "now", "--wait", "--data", str(child.data)], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    # It would be tried again for some time.
    while not as_json(child, "sync", "status")["running"] and waiting.poll() is None:
        pass
    run(child, "sync", "cancel")
    _, said = waiting.communicate(timeout=60)
    assert waiting.returncode == 1 and b"synchronization" in said
    [run_] = rows(as_json(child, "sync", "history", "--limit", "1"), "runs")
    told = run(child, "sync", "history")
    assert "CODE" in told and run_["error_code"] and run_["error_code"] in told


def test_a_synchronization_that_ended_with_the_server_has_a_code_of_its_own():
    codes = {"killed": "Interrupted/ServerEnded", "stopped": "Interrupted"}
    with ServerUnderTest() as server, socket.create_server(("127.0.0.1", 0)) as silent:
        run(server, "upstream", "set", f"http://127.0.0.1:{silent.getsockname()[1]}", "--no-probe")
        for how, code in codes.items():
            run(server, "sync", "now")
            assert as_json(server, "sync", "status")["running"]
            if how == "killed":
                server.process.kill()
                server.process.wait()
            else:
                server.stop()
            before = len(server.log.read_text())
            server.start()
            [ended] = rows(as_json(server, "sync", "history", "--limit", "1"), "runs")
            assert (ended["outcome"], ended["error_code"], ended["problem"]) == ("interrupted", code, None), ended
            assert f"server {'ended' if how == 'killed' else 'was stopped'}" in ended["error"], ended
            assert code in run(server, "sync", "history", "--limit", "1")
            assert as_json(server, "sync", "status")["last_run"] == ended
            assert ("Interrupted/ServerEnded" in server.log.read_text()[before:]) == (how == "killed")
        assert [one["error_code"] for one in rows(as_json(server, "sync", "history"), "runs")] == [*codes.values()][::-1]


def test_schedule_filter_and_content_are_typed(parent, child):
    assert "only on request" in run(child, "sync", "schedule")
    assert "4 times a day, the first at 03:00" in run(child, "sync", "schedule", "--times", "4", "--at", "03:00")
    assert as_json(child, "sync", "schedule")["schedule"] == "4@03:00+30"
    assert as_json(child, "sync", "schedule", "--times", "1", "--at", "22:15", "--spread", "0")["schedule"] == "1@22:15"
    said = run(child, "sync", "schedule", "--times", "1", "--at", "22:15", "--spread", "1", "--patience", "1")
    assert "1 time a day" in said and "up to 1 minute later" in said and "for 1 minute is ended" in said
    said = run(child, "sync", "schedule", "--times", "1", "--at", "22:15", "--spread", "0", "--patience", "30")
    assert "each on the minute" in said
    assert "24" in run(child, "sync", "schedule", "--times", "25", "--at", "03:00", code=1)
    assert "--times" in run(child, "sync", "schedule", "--spread", "5", code=2)
    for time in ("24:00", "03:60", "noon"):
        said = run(child, "sync", "schedule", "--times", "1", "--at", time, code=1)
        assert f"`{time}`" in said and "00:00 to 23:59" in said and "TIMES@" not in said
    assert as_json(child, "sync", "schedule")["schedule"] == "1@22:15"
    assert "--spread" in run(child, "sync", "schedule", "manual", "--spread", "5", code=2)
    assert "only on request" in run(child, "sync", "schedule", "manual")
    assert "for 45 minutes is ended" in run(child, "sync", "schedule", "--patience", "45")
    assert as_json(child, "sync", "schedule")["schedule"] == "manual", "the schedule stays as it was"
    assert "1440" in run(child, "sync", "schedule", "--patience", "0", code=1)

    run(child, "upstream", "set", parent.base)
    run(child, "sync", "content", "never")
    run(child, "sync", "now", "--wait")
    shown = run(child, "sync", "filter", "set", "--product", "CLI product", "--language", "en", "--language", "de")
    assert "cli product" in shown and "de, en" in shown
    said = run(child, "sync", "filter", "set", "--product", "cli prodct", code=1)
    assert "`cli product`" in said
    filter_ = as_json(child, "sync", "filter", "set", "--product", "all", "--classification", "cli classification")
    assert filter_["products"] == "all" and filter_["classifications"][0]["title"] == "cli classification"
    assert "cli classification" in run(child, "sync", "filter", "show")

    assert "all updates" in run(child, "sync", "content", "all", "--express")
    assert as_json(child, "sync", "content") == {"when": "all", "express": True}
    assert "approved updates are fetched, express files too" in run(child, "sync", "content", "approved")
    assert as_json(child, "sync", "content", "never") == {"when": "never", "express": True}, "it was not named"
    assert as_json(child, "sync", "content", "--express=false") == {"when": "never", "express": False}
    assert as_json(child, "sync", "content", "--express") == {"when": "never", "express": True}
    assert as_json(child, "sync", "content", "approved", "--express=false") == {"when": "approved", "express": False}
    assert as_json(child, "sync", "content") == {"when": "approved", "express": False}


def test_a_replica_takes_decisions_and_files_and_refuses_its_own(parent, child):
    assert "replica" in run(child, "upstream", "set", parent.base, "--replica")
    said = run(child, "sync", "now", "--wait")
    assert "; 1 file (" in said
    ours, theirs = decided(child), decided(parent)
    assert ours[0] == theirs[0]
    *_, fix, tool = catalog()
    assert [(a["group"], a["action"]) for a in as_json(child, "updates", "show", fix.id)["approvals"]] == [("Büro ?>", "install")]
    said = run(child, "decline", fix.id, code=1)
    assert parent.base in said
    run(child, "upstream", "set", parent.base, "--autonomous")
    run(child, "groups", "create", "Mine")


def test_downstream_servers_are_listed_allowed_and_disallowed(parent, child):
    run(child, "upstream", "set", parent.base)
    run(child, "sync", "content", "never")
    run(child, "sync", "now", "--wait")
    own = as_json(child, "status")["server_id"]
    assert own in run(parent, "downstream", "list")
    listed = {one["id"]: one for one in rows(as_json(parent, "downstream", "list"), "servers")}
    assert listed[own]["allowed"] is True and listed[own]["last_contact"]
    try:
        assert "Only these" in run(parent, "downstream", "allow", "someone.else")
        assert run(child, "sync", "now", "--wait", code=1)
        run(parent, "downstream", "allow", own)
        run(child, "sync", "now", "--wait")
        assert own not in as_json(parent, "downstream", "disallow", own)["allowed"]
        assert "empty list" in run(parent, "downstream", "disallow", "someone.else", code=1)
    finally:
        assert "Every server" in run(parent, "downstream", "allow", "--all")
    run(child, "sync", "now", "--wait")


def test_a_misspelt_server_is_warned_of_and_a_name_no_host_can_have_refused(parent):
    try:
        said = run(parent, "downstream", "allow", "midle")
        assert "Only these" in said and "Warning" in said and "`midle`" in said and "No server that was here" in said
        assert as_json(parent, "downstream", "list")["never_seen"] == ["midle"]
        assert "letters, digits" in run(parent, "downstream", "allow", "a b", code=1)
        assert as_json(parent, "downstream", "list")["allowed"] == ["midle"]
    finally:
        run(parent, "downstream", "allow", "--all")


def test_a_misspelt_server_is_not_disallowed_and_turning_the_list_on_is_said(parent, child):
    run(child, "upstream", "set", parent.base, "--account-name", "north")
    run(child, "sync", "content", "never")
    run(child, "sync", "now", "--wait")
    own = as_json(child, "status")["server_id"]
    try:
        said = run(parent, "downstream", "disallow", "nort", code=1)
        assert "`nort`" in said and "nothing was changed" in said and "downstream list" in said
        assert as_json(parent, "downstream", "list")["everybody"] is True
        said = run(parent, "downstream", "allow", own)
        assert f"Only these may synchronize: north ({own})." in said and "downstream allow NAME" in said
        assert f"north ({own})" in run(parent, "downstream", "list")
        assert "Until now" not in run(parent, "downstream", "allow", "elsewhere")
        assert "`nort`" in run(parent, "downstream", "disallow", "nort", "elsewhere", code=1)
        assert as_json(parent, "downstream", "list")["allowed"] == sorted([own, "elsewhere"])
    finally:
        run(parent, "downstream", "allow", "--all")
        run(child, "upstream", "set", parent.base, "--account-name", "none")


def test_an_allowed_server_that_is_renamed_and_refused_is_told_apart_in_the_list(parent, child):
    own = as_json(child, "status")["server_id"]
    known = lambda: {one["id"]: one["allowed"] for one in rows(as_json(parent, "downstream", "list"), "servers")}[own]
    try:
        run(child, "upstream", "set", parent.base, "--account-name", "early")
        run(child, "sync", "content", "never")
        run(child, "sync", "now", "--wait")
        run(parent, "downstream", "allow", "early")
        assert known() is True
        run(child, "upstream", "set", parent.base, "--account-name", "late", "--no-probe")
        run(child, "sync", "now", "--wait", code=1)
        said = run(parent, "downstream", "list")
        assert f"Refused: late ({own}), which was here as early, last at" in said
        assert known() is False
        run(parent, "downstream", "allow", "late")
        assert "Refused" not in run(parent, "downstream", "list")
        run(child, "sync", "now", "--wait")
        assert known() is True and as_json(parent, "downstream", "list")["refused"] == []
        run(parent, "downstream", "disallow", "late")  # "early" is on the list still, and nobody's name.
        assert as_json(parent, "downstream", "list")["never_seen"] == ["early"]
    finally:
        run(parent, "downstream", "allow", "--all")
        run(child, "upstream", "set", parent.base, "--account-name", "none")


def test_a_server_is_forgotten_until_it_comes_again(parent, child):
    run(child, "upstream", "set", parent.base, "--account-name", "forgetme")
    run(child, "sync", "content", "never")
    run(child, "sync", "now", "--wait")
    own = as_json(child, "status")["server_id"]
    computer = leaf(child)
    run(child, "sync", "now", "--wait", "--retry-failed")
    said = run(parent, "downstream", "forget", "FORGETME")
    assert "Forgot forgetme, and 1 computer it told of" in said
    assert own not in run(parent, "downstream", "list")
    assert computer.id.lower() not in run(parent, "downstream", "computers")
    assert "downstream list" in run(parent, "downstream", "forget", "forgetme", code=1)
    run(child, "sync", "now", "--wait")
    assert own in run(parent, "downstream", "list")
    assert as_json(parent, "downstream", "forget", own)["name"] == "forgetme"


def test_computers_of_downstream_servers_are_listed_and_shown(parent, child):
    run(child, "upstream", "set", parent.base)
    run(child, "sync", "content", "never")
    run(child, "sync", "now", "--wait")
    own = as_json(child, "status")["server_id"]
    computer = leaf(child)
    run(child, "sync", "now", "--wait", "--retry-failed")
    listed = rows(as_json(parent, "downstream", "computers"), "computers")
    assert [(one["id"], one["server"]) for one in listed if one["server"] == own] == [(computer.id.lower(), own)]
    assert computer.id.lower() in run(parent, "downstream", "computers", "--of", own)
    assert "No server" in run(parent, "downstream", "computers", "--search", "no such name")
    assert as_json(parent, "downstream", "computers", computer.id)["id"] == computer.id.lower()
    assert "no server below this one has told of a computer" in run(parent, "downstream", "computers", "nobody", code=1)
    assert "downstream list" in run(parent, "downstream", "computers", "--of", "nowhere", code=1)


def test_a_name_that_no_upstream_takes_is_refused_where_it_is_set(child):
    with pytest.raises(AssertionError, match="letters, digits, hyphens"):
        child.admin.call("PUT", "upstream", {"account_name": "my server"})
    child.admin.call("PUT", "upstream", {"account_name": "my-server.example.net"})
    assert as_json(child, "upstream", "show")["account_name"] == "my-server.example.net"


def test_the_next_run_is_known_as_soon_as_the_schedule_is_set(parent, child):
    run(child, "upstream", "set", parent.base)
    for _ in range(8):
        run(child, "sync", "schedule", "manual")
        assert as_json(child, "sync", "status")["next_run"] is None
        child.admin.call("PUT", "sync/schedule", {"schedule": "2@03:00+10"})
        assert child.admin.call("GET", "sync")["next_run"] is not None
    # With the upstream too: without one nothing is planned.
    run(child, "upstream", "set", "none")
    assert child.admin.call("GET", "sync")["next_run"] is None
    child.admin.call("PUT", "upstream", {"source": parent.base})
    assert child.admin.call("GET", "sync")["next_run"] is not None
