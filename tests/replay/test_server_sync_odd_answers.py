"""Our downstream against recorded answers that are no plain success: faults, lists that are empty, and a list of
revisions in the middle of others."""

import re
import uuid

import pytest

from tests.hierarchy.node import Node

from . import between_servers, recorded
from .scripted import NO_ANCHOR, NO_COOKIE, Upstream
from .standins import for_documents
from .test_server_sync import identity_of

# Lists after an anchor, and of one product without its classification or of neither, that were recorded empty.
EMPTY = (7, 8, 11, 12)
FULL = 10


@pytest.fixture
def upstream():
    documents = recorded.documents()
    held = {identity_of(data): data for data in documents.values()}
    script = Upstream(held | {(one.id, one.revision): one.bytes() for one in for_documents(documents)})
    yield script
    script.close()


@pytest.fixture
def node(upstream):
    with Node("child.example.test") as node:
        node.cli("upstream", "set", upstream.base, "--autonomous", "--no-probe")
        node.admin.call("PUT", "upstream", {"account_name": node.name})
        node.cli("sync", "content", "never")
        yield node


def counted(upstream, operation: str) -> int:
    return sum(one.operation == operation for one in upstream.asked)


def test_a_revision_that_spoils_a_batch_is_found_by_halving_and_the_others_arrive(upstream, node):
    """Exchange 17."""
    wanted = sorted(identity for identity in upstream.held if identity in upstream.of_kind(False))
    upstream.spoilt = wanted[len(wanted) // 2]
    run = node.sync()
    assert run["counts"]["quarantined"] == 1
    # Members and prerequisites of what does not come wait with it.
    answered = [one.identities() for one in upstream.asked if one.operation == "GetUpdateData"]
    spoiling = [ids for ids in answered if upstream.spoilt in ids]
    assert [upstream.spoilt] in spoiling and len(spoiling) > 1, "asked for in ever smaller batches, at last alone"
    assert all(len(after) < len(before) for before, after in zip(spoiling, spoiling[1:], strict=False))
    good = {identity for ids in answered if upstream.spoilt not in ids for identity in ids}
    assert good == set(upstream.held) - {upstream.spoilt}
    assert upstream.spoilt[0] in str(node.admin.quarantine()).lower(), "and it is shown why it is not here"


@pytest.mark.parametrize("operation", ["GetConfigData", "GetRevisionIdList", "GetUpdateData"])
def test_a_cookie_that_is_not_taken_is_replaced_and_the_call_repeated(upstream, node, operation):
    """Exchange 19."""
    upstream.instead[operation] = [NO_COOKIE]
    run = node.sync()
    assert run["counts"]["quarantined"] == 0 and run["counts"]["new"] == len(upstream.held)
    assert counted(upstream, "GetCookie") == 2 and counted(upstream, "GetAuthorizationCookie") == 2
    asked = [one.operation for one in upstream.asked]
    at = asked.index(operation)
    assert "GetCookie" in asked[at:] and operation in asked[at + 1 :]


def test_an_anchor_that_is_not_taken_ends_the_run_with_the_upstreams_words_and_the_next_one_goes_on(upstream, node):
    """Exchange 18."""
    node.sync()
    upstream.instead["GetRevisionIdList"] = [NO_ANCHOR]
    run = node.try_sync()
    assert (run["outcome"], run["error_code"]) == ("failed", "UssFault/InvalidParameters"), run
    assert "94327110-fc7e-4c3c-878d-186ab273d9fd" in run["error"], "the fault's id, to look for in the upstream's log"
    assert node.sync()["counts"]["new"] == 0


@pytest.mark.parametrize("number", EMPTY)
def test_a_recorded_empty_list_brings_nothing_and_its_anchor_is_the_next_to_ask_with(upstream, node, number):
    node.sync()
    before = counted(upstream, "GetUpdateData")
    # The list of categories first, then that of updates.
    upstream.instead["GetRevisionIdList"] = [number, number]
    assert node.sync()["counts"]["new"] == 0
    assert counted(upstream, "GetUpdateData") == before
    begun = len(upstream.asked)
    node.sync()
    given = re.search(r"<Anchor>([^<]*)<", between_servers.of(number).response)[1]
    lists = [one.text("Anchor") for one in upstream.asked[begun:] if one.operation == "GetRevisionIdList"]
    assert lists == [given, given]


def test_a_recorded_list_of_changes_is_asked_for_as_far_as_it_is_not_here(upstream, node):
    """Exchange 10: revisions of which only some were recorded; the others fail alone, and say so."""
    node.sync()
    listed = between_servers.of(FULL).revisions
    assert listed
    unknown = listed - set(upstream.held)
    begun = len(upstream.asked)
    upstream.instead["GetRevisionIdList"] = [12, FULL]
    run = node.try_sync()
    asked = {i for one in upstream.asked[begun:] if one.operation == "GetUpdateData" for i in one.identities()}
    assert asked == unknown, "what is here is not asked for again"
    assert all(uuid.UUID(update) for update, _ in asked)
    if len(unknown) > 25:
        # An upstream that lists much and gives none of it gives nothing.
        assert run["error_code"] == "UssFault/InternalServerError", run
    else:
        assert run["outcome"] == "succeeded" and run["counts"]["quarantined"] == len(unknown), run
