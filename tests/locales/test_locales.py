"""Nothing depends on the language, the region or the time zone of the machine (known problem P-32): the same story
told under each of them gives the same bytes, apart from what changes from run to run.

The story: documents are imported, a parent is synchronized from, computers scan and report, and the doctor reads logs.
`SLUICEGATE_LOCALES=de_CH,tr_TR` chooses some of the places."""

import json
import os
import re
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from conformance.wire.http import exchange
from tests.hierarchy.leaf import FAILED, leaf, lists, reports
from tests.hierarchy.node import Node
from tests.hierarchy.shelf import Shelf
from tests.support.documents import software

from .abroad import Abroad, locale_archive, steady

NAMES = ["de_CH", "ja_JP", "pl_PL", "nb_NO", "tr_TR"]
CHOSEN = os.environ.get("SLUICEGATE_LOCALES", ",".join(NAMES)).split(",")
SAMPLES = Path(__file__).parents[2] / "crates" / "doctor" / "samples"
# Time, level, process and thread, component, message.
COLUMNS = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC\t(Error|Warning|Info|Trace)\tsluicegate\.(\d+)\t([A-Za-z0-9.]+)\t([^\t]+)"
)
# How often the present state is published while things change is a matter of speed.
OF_SPEED = {"Server.Publisher", "Server.Browsing", "Store.Audit"}


@pytest.fixture(scope="module")
def locales(tmp_path_factory):
    return locale_archive(tmp_path_factory.mktemp("locales"), [n for n in NAMES if n in CHOSEN])


@pytest.fixture(scope="module")
def parent():
    with Node("parent") as node:
        Shelf("locale", updates=4).stock(node)
        yield node


def home() -> dict[str, str]:
    return {"LC_ALL": "C", "LANG": "C", "TZ": "UTC"}


def place(name: str, locales: Path | None) -> dict[str, str]:
    """The variables under which everything is elsewhere, and half an hour off as well."""
    full = f"{name}.UTF-8"
    made = {"LC_ALL": full, "LANG": full, "LANGUAGE": name.split("_")[0], "TZ": "Asia/Kolkata"}
    return made | ({"LOCPATH": str(locales)} if locales else {})


def story(parent: Node, variables: dict[str, str]) -> dict[str, object]:
    """Everything that is printed and logged, in a form that two runs can be compared in."""
    told: dict[str, object] = {}
    began = datetime.now(timezone.utc)
    with Abroad("child", variables) as node:
        # Letters whose other case depends on the language (I and ı), and a number with a fraction.
        own = [software(f"INDIGO title {n}", [], [], deployable=True) for n in range(2)]
        report = node.put(*own)
        told["import"] = {name: value for name, value in report.items() if isinstance(value, (int, list))}
        node.below(parent, "--autonomous")
        run = node.sync()
        told["run"] = {name: run[name] for name in ("outcome", "phase", "counts") if name in run}
        computer = leaf(node)
        awaited = Shelf("locale", updates=4).fixes[0].id
        scan = wait_for(lambda: whole_scan(computer, awaited), "what was synchronized is not in service")
        told["scan"] = sorted((u.update_id, u.revision, u.action) for u in scan.updates.values())
        # Agents tell times in whole seconds: the report must be later than what it speaks of.
        time.sleep(1.1)
        lists(computer, needed=own[:1], installed=own[1:])
        reports(computer, FAILED, own[0], -2145124318)
        told["counts"] = wait_for(lambda: counts(node, own), "what the computer reported is not counted")
        told["path in capitals"] = exchange(node.base, "GET", "/CLIENTWEBSERVICE/CLIENT.ASMX?WSDL").raw.replace(
            node.base.encode(), b"BASE"
        )
        for words in [
            ("updates", "list"),
            ("updates", "list", "--search", "indigo"),
            ("updates", "show", own[0].id),
            ("groups", "list"),
            ("sync", "filter", "show"),
            ("upstream", "show"),
            ("cleanup", "settings"),
        ]:
            told[f"{' '.join(words)}, for people"] = steady(node.cli(*words))
            told[" ".join(words)] = steady(node.cli(*words, "--json"))
        told["refusal"] = steady(node.cli("updates", "show", "NO-SUCH-ID", code=1))
        for sample in ["P-30/positive-japanese", "P-30/positive-turkish", "P-12/positive-german.log", "R-25"]:
            told[f"doctor {sample}"] = node.raw("doctor", str(SAMPLES / sample))
            told[f"doctor {sample}, for programs"] = node.raw("doctor", str(SAMPLES / sample), "--json")
            json.loads(told[f"doctor {sample}, for programs"])
        node.stop()
        log = (node.data / "SoftwareDistribution.log").read_text(encoding="utf-8")
        told["times"] = (began, [check_columns(line) for line in log.splitlines()], datetime.now(timezone.utc))
        columns = [line.split("\t") for line in log.splitlines()]
        told["log"] = sorted({steady("\t".join([c[1], c[3], c[4]])) for c in columns if c[3] not in OF_SPEED})
    return told


def wait_for(look, otherwise: str):
    """What `look` answers as soon as that is something: lists and answers follow what happened a moment later."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if seen := look():
            return seen
        time.sleep(0.1)
    raise AssertionError(otherwise)


def whole_scan(computer, awaited: str):
    scan = computer.scan()
    return scan if any(update.update_id == awaited for update in scan.updates.values()) else None


STATES = ("failed", "installed", "needed", "no_status", "not_applicable", "pending_reboot")


def counts(node, own) -> dict | None:
    """How the computer stands with each update, once everything is listed and both reports count."""
    rows = node.rows()
    stands = {id: [state for state in STATES if row[state]] for id, row in rows.items()}
    expected = {own[0].id: ["failed"], own[1].id: ["installed"]}
    whole = {document.id for document in Shelf("locale", updates=4).updates} <= stands.keys()
    return stands if whole and expected.items() <= stands.items() else None


def check_columns(line: str) -> datetime:
    """Every line has the five columns, in ASCII digits; answers its time."""
    columns = COLUMNS.fullmatch(line)
    assert columns, f"not the columns of SoftwareDistribution.log: {line!r}"
    return datetime.strptime(columns[1], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def told_at_home(parent):
    return story(parent, home())


def test_the_story_is_the_same_when_it_is_told_again(parent, told_at_home):
    """What is left out of the comparison is all that changes from run to run."""
    compare(story(parent, home()), told_at_home)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_and_logged_is_the_same_elsewhere(parent, locales, told_at_home, name):
    if name not in CHOSEN:
        pytest.skip(f"SLUICEGATE_LOCALES chooses {', '.join(CHOSEN)}")
    compare(story(parent, place(name, locales)), told_at_home)


def compare(told: dict[str, object], at_home: dict[str, object]) -> None:
    began, times, ended = told.pop("times")
    assert times, "nothing was logged"
    second = timedelta(seconds=1)
    assert all(began - second <= at <= ended + second for at in times), "a time of the log is not in UTC"
    assert told.keys() == at_home.keys() - {"times"}
    for what, said in told.items():
        assert said == at_home[what], what
    assert told["log"] and told["scan"]
