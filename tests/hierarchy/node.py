"""One server of a tree: a process with an upstream, synchronized by its command line or its admin API."""

import hashlib
import json
import subprocess
import time
from pathlib import Path

from conformance.wire.http import exchange
from tests.support.documents import Document
from tests.support.places import binary
from tests.support.server import ServerUnderTest

RUN_SECONDS = 300


class Node(ServerUnderTest):
    """A server of a tree. `name` is what its upstream knows it by."""

    def __init__(self, name: str, data: Path | None = None, **more):
        super().__init__(data, **more)
        self.name = name

    # What an administrator types.

    def cli(self, *words: str, code: int = 0) -> str:
        """Runs a command against this server; answers what it printed."""
        command = [*self.within, str(binary()), *words, "--data", str(self.data)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
        said = ran.stdout + ran.stderr
        assert ran.returncode == code, f"{self.name}: {' '.join(words)}: code {ran.returncode}: {said}\n{self.tail()}"
        return ran.stdout if code == 0 else said

    def shown(self, *words: str):
        """What a command prints for programs."""
        return json.loads(self.cli(*words, "--json"))

    def below(self, upstream: "str | Node", *options: str) -> "Node":
        """Makes this server a downstream of `upstream`, given as a server or an address."""
        base = upstream if isinstance(upstream, str) else upstream.base
        self.cli("upstream", "set", base, *options)
        self.admin.call("PUT", "upstream", {"account_name": self.name})
        return self

    def sync(self) -> dict:
        """One synchronization that has to succeed; answers its record."""
        run = self.shown("sync", "now", "--wait")
        assert run["outcome"] == "succeeded", run
        self.in_service()
        return run

    # The same through the admin API, also when it fails.

    def try_sync(self, seconds: float = RUN_SECONDS) -> dict:
        """One synchronization, however it ends; answers its record."""
        run = self.admin.call("POST", "sync/now", {})["run"]
        return self.ended(run, seconds)

    def ended(self, run: int, seconds: float = RUN_SECONDS) -> dict:
        """Waits until a run has ended; answers its record."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            status = self.admin.call("GET", "sync")
            if not status["running"]:
                self.in_service()
                return next(r for r in self.admin.call("GET", "sync/history")["runs"] if r["run"] == run)
            time.sleep(0.03)
        raise AssertionError(f"{self.name}: run {run} has not ended: {status}\n{self.tail()}")

    def in_service(self, seconds: float = 20) -> None:
        """Waits until computers are told what a run brought: that is published a moment after its end."""
        wanted, until = self.admin.call("GET", "status")["anchor"], time.monotonic() + seconds
        while time.monotonic() < until:
            health = json.loads(exchange(self.base, "GET", "/healthz").raw)
            if (health["snapshot"] or {}).get("anchor", 0) >= wanted:
                return
            time.sleep(0.02)

    # Catalog, decisions, files.

    def put(self, *documents: Document) -> dict:
        """Imports documents."""
        return self.admin.import_all({f"{d.name} {d.revision}.xml": d.bytes() for d in documents})

    def put_files(self, *documents: Document) -> None:
        """Adds the files of documents, licence texts too."""
        for document in documents:
            for file in [*document.files, *([document.eula] if document.eula else [])]:
                self.admin.add_content(file.name, file.data)

    def rows(self) -> dict[str, dict]:
        """All updates by id."""
        listed = self.admin.updates(limit=100_000, everything="true")
        return {row["update_id"]: row for row in listed["updates"]}

    def update(self, update: str | Document) -> dict:
        update = update.id if isinstance(update, Document) else update
        return self.admin.call("GET", f"updates/{update}")

    def decisions(self, update: str | Document) -> set[tuple]:
        """Group, action and deadline of each approval of an update."""
        return {(one["group"], one["action"], one["deadline"]) for one in self.update(update)["approvals"]}

    def groups(self) -> set[tuple]:
        return {(group["id"], group["name"], group["parent"]) for group in self.admin.groups()["groups"]}

    def holds(self, document: Document) -> bool:
        """Whether all files of the update are here, by the bytes this server gives for them."""
        for file in document.files:
            answer = exchange(self.base, "GET", file.path)
            if answer.status != 200:
                return False
            assert hashlib.sha1(answer.raw).digest() == file.sha1, f"{self.name} serves another {file.name}"
        return True

    def state(self, decided: bool = True) -> dict:
        """All that synchronization brings, in a form that is equal on equal servers: numbers that belong to one
        server alone and times of arrival are left out. Without `decided`, the catalog and files alone."""
        updates = {}
        for update in sorted(self.rows()):
            shown = self.update(update)
            one = {
                "revisions": sorted(revision["revision"] for revision in shown["revisions"]),
                "shown": shown["revision"],
                "title": shown["title"],
                "expired": shown.get("expired"),
                "superseded_by": sorted(shown.get("superseded_by", [])),
                "bundles": sorted(json.dumps(bundle, sort_keys=True) for bundle in shown.get("bundles", [])),
                "files": sorted((file["name"], file["size"], file["held"]) for file in shown["files"]),
            }
            if decided:
                one["approval"] = shown["approval"]
                approvals = shown["approvals"]
                one["approvals"] = sorted((a["group_id"], a["action"], a["deadline"] or "") for a in approvals)
            updates[update] = one
        state = {"updates": updates}
        if decided:
            state["groups"] = sorted(self.groups(), key=str)
        return state

    def content(self) -> dict[str, str]:
        """SHA-1 of every finished file below the content folder, by its path there."""
        folder = self.data / "Content"
        found = {}
        for path in folder.rglob("*"):
            if path.is_file() and len(path.parent.name) == 2:
                found[str(path.relative_to(folder))] = hashlib.sha1(path.read_bytes()).hexdigest().upper()
        return found
