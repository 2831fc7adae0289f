"""Trouble at seeded points of a synchronization. However often it is disturbed, it ends where an undisturbed one
does, no file is fetched again that was verified, and the top knows of the same computers. Half of the points are
first synchronizations; the others bring a replica that is in step what changed since.

`SLUICEGATE_CHAOS_POINTS` sets how many points (200 in the long form), `SLUICEGATE_CHAOS_SEED` the first seed; a
failing point is repeated with its seed and one point."""

import http.client
import os
import random
import re
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.bench import payload
from tests.support.server import faketime_library

from .leaf import FAILED, leaf, lists, reports, told
from .node import Node
from .relay import CLASSES, Relay, class_of
from .shelf import Shelf

POINTS = int(os.environ.get("SLUICEGATE_CHAOS_POINTS", "20"))
SEED = int(os.environ.get("SLUICEGATE_CHAOS_SEED", "960"))
ATTEMPTS = 12

# Every code a server can fail with (MS-WSUSSS 2.2.9.3), and some that only clients should ever see.
FAULTS = [
    "InvalidCookie", "CookieExpired", "ConfigChanged", "ServerChanged", "InternalServerError", "ServerBusy",
    "InvalidParameters", "InvalidAuthorizationCookie", "FileDigestsMissing", "IncompatibleProtocolVersion",
    "RegistrationRequired", "NobodyKnowsThisCode",
]
CALLS = list(CLASSES)
ANY = [*CALLS, "file"]
# Each kind of trouble with the classes of requests it can happen to.
KINDS = {
    "cut before": ANY, "cut": ANY, "truncate": ANY, "busy": ANY, "cancel": ANY,
    "corrupt blob": ["data"], "corrupt markup": CALLS, "corrupt file": ["file"],
    "kill downstream before": ANY, "kill downstream within": ANY, "kill downstream after": ANY,
    "kill upstream before": ANY, "kill upstream within": ANY, "kill upstream after": ANY,
}  # fmt: skip
# What happened in all points of this run, by kind and by class.
HAPPENED: Counter = Counter()


class Scene:
    """The upstream; what an undisturbed synchronization from nothing and one from a replica in step bring; and how
    many requests of each class they take."""

    def __init__(self, top: Node, shelf: Shelf, folder: Path, relay: Relay):
        # One relay for all: a replica in step has to find its upstream where it was.
        self.top, self.shelf, self.folder, self.relay = top, shelf, folder, relay
        shelf.stock(top)
        top.admin.create_group("Desks")
        top.admin.approve(shelf.fixes[0].id, "Desks")
        top.admin.approve(shelf.fixes[2].id, "All Computers")
        top.admin.approve(shelf.bundle.id, "All Computers")
        top.admin.decline(shelf.fixes[1].id)
        below = self.started(folder / "template", 26)
        assert below.try_sync()["outcome"] == "succeeded"
        below.stop()
        self.change()
        self.wanted, self.files, self.takes, self.known = {}, {}, {}, {}
        for delta in (False, True):
            below = self.begin(delta, 0)
            computers = working(below, shelf)
            run = below.try_sync()
            assert run["outcome"] == "succeeded" and not run["warning"], run
            self.takes[delta] = Counter(class_of(one.name) for one in relay.passed)
            self.wanted[delta], self.files[delta] = below.state(), below.content()
            self.known[delta] = [rolled_up(top, computer) for computer in computers]
            finish(below)
        assert self.takes[True]["data"] > 0 and self.takes[True]["file"] < self.takes[False]["file"]
        assert all(self.known[True]), "what the computers reported reaches the top"
        self.state = top.state()

    def change(self) -> None:
        """What the replica that is in step lacks: a new revision, an expired one, a decision that was taken back."""
        top, fixes = self.top, self.shelf.fixes
        files = [payload(self.shelf.named("newer.cab"), 9_000)]
        newer = replace(fixes[0], revision=101, title="Newer", files=files)
        long = replace(self.shelf.long, revision=101)
        late = self.shelf.fix("late", size=20_000)
        top.put(newer, long, late, replace(fixes[3], revision=101, publication="Expired"))
        top.put_files(newer, late)
        top.admin.unapprove(fixes[2].id)
        top.admin.create_group("Chairs")
        top.admin.approve(late.id, "Chairs")

    def begin(self, delta: bool, behind: int) -> Node:
        """A replica below the relay: a fresh one, or one that was in step before the change."""
        self.relay.troubles.clear()
        self.relay.done.clear()
        self.relay.forget()
        folder = Path(tempfile.mkdtemp(prefix="point-", dir=self.folder)) / "data"
        if delta:
            shutil.copytree(self.folder / "template", folder)
        return self.started(folder, behind)

    def started(self, folder: Path, behind: int) -> Node:
        """A replica below the relay that wants all files. Its clock is behind, so that it can be let pass."""
        folder.mkdir(parents=True, exist_ok=True)
        below = Node("below", data=folder, behind=behind)
        try:
            below.start()
            upstream = {"source": self.relay.base, "mode": "replica", "account_name": "below"}
            below.admin.call("PUT", "upstream", upstream)
            below.admin.call("PUT", "sync/content", {"when": "all"})
        except BaseException:
            below.stop()
            raise
        return below


@pytest.fixture(scope="module")
def scene():
    if faketime_library() is None:
        pytest.skip("what came damaged is asked for after an hour; letting it pass needs libfaketime (faketime)")
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-chaos-"))
    try:
        with Node("top") as top, Relay(lambda: top.base) as relay:
            yield Scene(top, Shelf("chaos", updates=24), folder, relay)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def finish(below: Node) -> None:
    below.stop()
    shutil.rmtree(below.data.parent, ignore_errors=True)


def working(below: Node, shelf: Shelf) -> list:
    """Two computers that have something to tell."""
    computers = [leaf(below), leaf(below)]
    lists(computers[0], needed=[shelf.fixes[0], shelf.fixes[4]], installed=[shelf.fixes[5]])
    lists(computers[1], needed=[shelf.fixes[5]])
    reports(computers[1], FAILED, shelf.fixes[5], -2147467259)
    return computers


def rolled_up(top: Node, computer) -> dict[str, str]:
    """The states of updates on a computer, as the top was told them."""
    updates = top.admin.call("GET", f"downstream/computers/{computer.id}")["updates"]
    return {update["update_id"]: update["state"] for update in updates}


def plan(seed: int, scene: Scene, delta: bool, below: Node) -> list[str]:
    """Sets one to three troubles; answers what they are, for messages. Kinds, classes and faults are walked through
    in order, so that few points meet them all; where in the run and in the answer is drawn."""
    draw = random.Random(seed)
    kinds = list(KINDS)
    first = kinds[seed % len(kinds)]
    of = KINDS[first][(seed // len(kinds) + seed) % len(KINDS[first])]
    troubles = [(first, of), (f"fault {FAULTS[seed % len(FAULTS)]}", CALLS[seed % len(CALLS)])]
    if draw.random() < 0.5:
        kind = draw.choice(kinds)
        troubles.append((kind, draw.choice(KINDS[kind])))
    said = []
    for kind, of in troubles:
        at, part = draw.randrange(max(scene.takes[delta][of], 1)), draw.random()
        if kind == "corrupt blob":
            at = 0  # Few answers have one.
        act, done = (lambda: None), kind
        if kind == "cancel":
            act, done = (lambda: below.admin.call("POST", "sync/cancel", {})), "act before"
        elif kind.startswith("kill downstream"):
            act, done = (lambda: below.process.kill()), kind.replace(" downstream", "")
        elif kind.startswith("kill upstream"):
            act, done = (lambda: killed_and_started(scene.top)), kind.replace(" upstream", "")
        scene.relay.trouble(done, at, part, act, of)
        scene.relay.troubles[-1].story = (kind, of)
        said.append(f"{kind} at {of} {at}, {part:.2f} of its answer")
    return said


def killed_and_started(node: Node) -> None:
    node.process.kill()
    node.process.wait()
    node.start()


def paths(content: dict[str, str]) -> set[str]:
    return {"/Content/" + path for path in content}


def quarantined(node: Node) -> list:
    held = node.admin.quarantine()
    return held if isinstance(held, list) else next(iter(held.values()))


def bring_to_end(below: Node, relay: Relay, files: dict[str, str], story: str) -> None:
    """Synchronizes until a run succeeds with everything; holds every attempt against what was verified before."""
    runs = []
    for _ in range(ATTEMPTS):
        verified, begun = paths(below.content()), len(relay.passed)
        run = None
        try:
            run = below.try_sync(90)
        except (OSError, http.client.HTTPException):
            # Its connections end a moment before it does.
            below.process.wait(10)
        asked = relay.passed[begun:]
        again = verified & {one.name for one in asked}
        assert not again, f"{story}: verified, and asked for again: {again}"
        whole = [one.name for one in asked if one.whole and one.name.startswith("/Content/")]
        assert len(whole) == len(set(whole)), f"{story}: a whole file came twice"
        for path, sha1 in below.content().items():
            assert re.search(r"([0-9A-F]{40})", path)[1] == sha1, f"{story}: a file that is not what it says"
        if below.process.poll() is not None:
            below.process.wait()
            below.start()
            runs.append("killed")
            continue
        runs.append((run["outcome"], run["error_code"], run["counts"]["files_failed"]))
        if run["outcome"] != "succeeded":
            continue
        if below.content() == files and not quarantined(below):
            return
        # What came damaged is asked for again when some time has passed.
        below.stop()
        below.behind = 0
        below.start()
    raise AssertionError(f"{story}: not done after {ATTEMPTS} attempts: {runs}\n{below.tail()}")


@pytest.mark.parametrize("seed", range(SEED, SEED + POINTS))
def test_a_disturbed_synchronization_ends_like_an_undisturbed_one(scene, seed):
    # Each kind of trouble meets both beginnings.
    delta = (seed + seed // len(KINDS)) % 2 == 1
    wanted, files = scene.wanted[delta], scene.files[delta]
    below, relay = scene.begin(delta, 26), scene.relay
    try:
        computers = working(below, scene.shelf)
        drawn = "; ".join(plan(seed, scene, delta, below))
        story = f"seed {seed}, {'in step' if delta else 'from nothing'}: {drawn}"
        bring_to_end(below, relay, files, story)
        for trouble in relay.done:
            kind, of = trouble.story
            HAPPENED[kind.split(" ")[0] if kind.startswith("fault") else kind] += 1
            HAPPENED[of] += 1
            HAPPENED[kind] += kind.startswith("fault")
        assert relay.done, f"{story}: nothing happened"
        relay.troubles.clear()
        below.try_sync()  # A rollup that failed is made up for.
        relay.forget()
        last = below.try_sync()
        assert last["outcome"] == "succeeded" and not last["warning"], f"{story}: {last}"
        assert last["counts"]["new"] == 0 and not relay.files(), f"{story}: {last}, {relay.files()}"
        assert below.content() == files, story
        state = below.state()
        assert state["groups"] == wanted["groups"], story
        for update, one in wanted["updates"].items():
            assert state["updates"].get(update) == one, story
        assert state == wanted, story
        assert told(leaf(below), scene.shelf.bundle) == (100, "Install"), story
        assert [rolled_up(scene.top, one) for one in computers] == scene.known[delta], story
        if any("kill" in trouble.kind for trouble in relay.done):
            assert scene.top.state() == scene.state, f"{story}: the upstream lost something"
    finally:
        finish(below)


def test_every_kind_of_trouble_happened_and_to_every_class_of_request():
    if POINTS < 20:
        pytest.skip("single points do not meet everything")
    missed = [one for one in [*KINDS, *ANY, "fault"] if not HAPPENED[one]]
    assert not missed, f"{missed} never happened: {HAPPENED}"
    if POINTS >= 120:
        missed = [code for code in FAULTS if not HAPPENED[f"fault {code}"]]
        assert not missed, f"{missed} were never answered: {HAPPENED}"
