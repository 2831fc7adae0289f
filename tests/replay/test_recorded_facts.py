"""The conformance suite's own claims, held against the recordings: what it asks of servers, the recorded one did."""

import re

import pytest

from conformance.wire.answers import DEPLOYMENT_ORDER, SYNC_ORDER, Sync, children
from conformance.wire.http import Answer
from conformance.wire.soap import CLIENT, SOAP11, Reply

from . import recorded
from .allowed import TIME

SYNCS = [("client-scan", f"{number:06}") for number in (6, 7, 8, 9)] + [("client-flow", "000001")]
ANSWERED = [
    *(("client-scan", f"{number:06}") for number in (3, 5, 6, 7, 8, 9, 10)),
    *(("client-flow", number) for number in ("000001", "000015", "000016", "000017", "000018")),
]


def reply(parts) -> Reply:
    exchange = recorded.exchange(*parts)
    return Reply(Answer(exchange.status, exchange.response_headers, exchange.response))


@pytest.mark.parametrize("parts", ANSWERED, ids="/".join)
def test_every_recorded_answer_is_read_as_a_result(parts):
    found = reply(parts)
    assert found.fault is None
    assert found.result().tag.endswith("Response")
    assert found.version.value == SOAP11


@pytest.mark.parametrize("parts", SYNCS, ids="/".join)
def test_recorded_scans_keep_the_order_the_suite_asks_for(parts):
    (node,) = reply(parts).result()
    names = children(node)
    assert names == [name for name in SYNC_ORDER if name in names]
    for update in Sync(node).new:
        assert children(update.node) == ["ID", "Deployment", "IsLeaf", "Xml"]
        found = children(update.deployment)
        assert found == [name for name in DEPLOYMENT_ORDER if name in found] and len(found) == 7
        assert update.action == "Evaluate"


@pytest.mark.parametrize("parts", SYNCS, ids="/".join)
def test_recorded_scans_satisfy_prerequisites_from_the_installed_list(parts):
    """Where the recording tells which ids the prerequisites have."""
    known = {"56309036-4c77-4dd9-951a-99ee9c246a94": 108226, "6964aab4-c5b5-43bd-a17d-ffb4346a8e1d": 108231}
    request = recorded.exchange(*parts).request
    block = re.search(rb"<InstalledNonLeafUpdateIDs>(.*?)</InstalledNonLeafUpdateIDs>", request)
    installed = {int(number) for number in re.findall(rb"<int>(\d+)</int>", block[1])} if block else set()
    for update in Sync(reply(parts).result()[0]).new:
        for clause in update.clauses:
            ids = {known[one] for one in clause if one in known}
            assert not ids or ids & installed


def test_recorded_times_have_the_form_the_comparison_levels():
    for parts in ANSWERED:
        body = recorded.exchange(*parts).response.decode()
        for stamp in re.findall(r"<Expiration>([^<]*)</Expiration>", body):
            assert re.fullmatch(TIME, stamp), stamp


def test_recorded_client_answers_are_written_plainly_and_the_others_with_a_declaration():
    for parts in ANSWERED:
        body = recorded.exchange(*parts).response
        if CLIENT.namespace.encode() in body:
            assert body.startswith(b'<s:Envelope xmlns:s="')
        else:
            assert body.startswith(b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope')
