"""Computers at the leaves: what they are told of an update, and what they report."""

from conformance.wire.client import Computer
from tests.support.documents import Document

# Reported by agents (observed-behaviour 6): an installation that succeeded, and one that failed.
INSTALLED, FAILED, STATUS = 183, 182, 156


def leaf(node, group: str | None = None) -> Computer:
    return Computer(node.base, group).handshake()


def told(node_or_computer, update: Document | str, group: str | None = None) -> tuple[int, str] | None:
    """Revision and action of what a fresh computer is told of an update, None when of nothing. Fails when the
    update is in the answers twice."""
    update = (update if isinstance(update, str) else update.id).lower()
    computer = node_or_computer
    if not isinstance(computer, Computer):
        computer = leaf(node_or_computer, group)
    scan = computer.scan()
    found = [one for one in scan.updates.values() if one.update_id == update]
    assert len(found) <= 1, f"{update} is there {len(found)} times"
    seen = [one.id for _, page in scan.pages for one in page.new]
    assert len(seen) == len(set(seen)), "a revision was told twice"
    return (found[0].revision, found[0].action) if found else None


def lists(computer: Computer, needed: list[Document] = (), installed: list[Document] = ()) -> None:
    """Reports the status of updates, as agents do after each scan (event 156)."""
    misc = [
        letter + "=" + ";".join(one.id.upper() for one in updates)
        for letter, updates in (("U", needed), ("V", installed))
        if updates
    ]
    assert computer.report([computer.event(STATUS, misc=misc)]) == "true"


def reports(computer: Computer, event: int, update: Document, result: int = 0) -> None:
    words = [f"0x{result & 0xFFFFFFFF:08X}", update.name] if result else [update.name]
    assert computer.report([computer.event(event, update.identity, result, words)]) == "true"
