"""Our downstream against the recorded answers of a real upstream: what it sends is what the protocol says, the
recorded documents arrive, and what it then gives to servers below it is what was recorded, byte for byte."""

import re
import uuid
from base64 import b64decode

import pytest
from lxml import etree

from conformance.wire.downstream import Downstream
from conformance.wire.soap import DSS_AUTH, SERVER_REPORTING, SERVER_SYNC
from tests.contract import wsdls
from tests.hierarchy.node import Node

from . import between_servers, recorded
from .between_servers import Session, assert_same
from .scripted import DOCUMENTS, Upstream
from .standins import CLASSIFICATION, PRODUCT, for_documents
from .test_server_sync import identity_of

SERVICES = {one.path.lower(): one for one in (DSS_AUTH, SERVER_SYNC, SERVER_REPORTING)}
PROTOCOL = r"1\.\d+"


@pytest.fixture(scope="module")
def held():
    documents = recorded.documents()
    found = {identity_of(data): data for data in documents.values()}
    return found | {(one.id, one.revision): one.bytes() for one in for_documents(documents)}


@pytest.fixture(scope="module")
def upstream(held):
    script = Upstream(held)
    yield script
    script.close()


@pytest.fixture(scope="module")
def runs(upstream):
    """The server after two synchronizations, and what it asked in each."""
    with Node("child.example.test") as node:
        node.cli("upstream", "set", upstream.base, "--autonomous", "--no-probe")
        node.admin.call("PUT", "upstream", {"account_name": node.name})
        node.cli("sync", "content", "never")
        asked = []
        for _ in range(2):
            before = len(upstream.asked)
            node.sync()
            asked.append(upstream.asked[before:])
        yield node, *asked


def operations(asked) -> list[str]:
    """In order, without rollup, repeats as one."""
    names = [one.operation for one in asked if one.path.lower() != SERVER_REPORTING.path.lower()]
    return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


def test_the_order_is_that_of_the_protocol(runs):
    """MS-WSUSSS 3.2.4: authorization, configuration, categories, then updates."""
    _, first, _ = runs
    assert operations(first) == [
        "GetAuthConfig",
        "GetAuthorizationCookie",
        "GetCookie",
        "GetConfigData",
        "GetRevisionIdList",
        "GetUpdateData",
        "GetRevisionIdList",
        "GetUpdateData",
    ]
    lists = [one.text("GetConfig") for one in first if one.operation == "GetRevisionIdList"]
    assert lists == ["true", "false"]


def test_every_request_is_valid_and_names_its_action(runs, tmp_path):
    _, first, second = runs
    if wsdls.published("server-sync") is None:
        pytest.skip("the published definitions (SLUICEGATE_SHARED/wsdl) are not here")
    schemas = {}
    for one in first + second:
        service = SERVICES[one.path.lower()]
        if service.name not in schemas:
            folder = tmp_path / service.name
            folder.mkdir()
            schemas[service.name] = wsdls.schema(wsdls.published(service.name), folder)
        schema = schemas[service.name]
        assert schema.validate(etree.fromstring(etree.tostring(one.payload))), f"{one.operation}: {schema.error_log}"
        assert one.headers["soapaction"] == f'"{service.action(one.operation)}"'
        assert one.headers["content-type"].lower().startswith("text/xml")


def test_the_handshake_hands_on_what_it_was_given(runs, upstream):
    _, first, _ = runs
    by_name = {one.operation: one for one in first}
    ticket = by_name["GetAuthorizationCookie"]
    assert ticket.text("accountName") == "child.example.test"
    assert uuid.UUID(ticket.text("accountGuid"))
    given = re.search(r"<CookieData>([^<]*)<", upstream.answers["GetAuthorizationCookie"])[1]
    assert by_name["GetCookie"].text("PlugInId") == "DssTargeting"
    assert by_name["GetCookie"].text("CookieData") == given
    assert re.fullmatch(PROTOCOL, by_name["GetCookie"].text("protocolVersion"))
    for one in first:
        if one.operation in ("GetConfigData", "GetRevisionIdList", "GetUpdateData"):
            assert one.text("EncryptedData") == upstream.cookie, one.operation


def test_each_revision_is_asked_for_once_and_within_the_limit(runs, held):
    _, first, _ = runs
    calls = [one.identities() for one in first if one.operation == "GetUpdateData"]
    assert all(0 < len(ids) <= 100 for ids in calls)
    ids = [identity for call in calls for identity in call]
    assert sorted(ids) == sorted(held)


def test_a_second_run_sends_the_anchors_and_asks_for_no_document(runs):
    _, first, second = runs
    assert "GetUpdateData" not in operations(second)
    lists = {one.text("GetConfig"): one for one in second if one.operation == "GetRevisionIdList"}
    assert set(lists) == {"true", "false"}
    for config, number in {"true": 6, "false": 9}.items():
        given = re.search(r"<Anchor>([^<]*)<", between_servers.of(number).response)[1]
        assert lists[config].text("Anchor") == given
    for one in first:
        assert not one.text("Anchor"), "nothing is known before the first run"
    for one in first + second:
        if one.text("Delta") is not None:
            assert (one.text("Delta") == "true") is bool(one.text("Anchor"))


def test_the_recorded_documents_arrive(runs):
    node, _, _ = runs
    below = Downstream(node.base).authorized()
    documents = {identity_of(data): data.decode() for data in recorded.documents().values()}
    assert len(documents) == 9
    served, _ = below.update_data(sorted(documents))
    assert {one.identity: one.document() for one in served} == documents


@pytest.mark.parametrize("number", DOCUMENTS)
def test_what_was_received_is_passed_on_as_it_was(runs, number):
    """Blobs of the recorded server, LZX, byte for byte, and the addresses it gave for files."""
    node, _, _ = runs
    session = Session(node.base)
    for handshake in (1, 2, 3):
        session.send(between_servers.of(handshake))
    one = between_servers.of(number)
    assert_same(one.response, session.send(one).body.decode())


def test_a_filter_is_sent_as_one_product_and_one_classification(runs, upstream):
    node, _, _ = runs
    node.cli("sync", "filter", "set", "--product", PRODUCT, "--classification", CLASSIFICATION)
    before = len(upstream.asked)
    node.sync()
    (one,) = [
        one
        for one in upstream.asked[before:]
        if one.operation == "GetRevisionIdList" and one.text("GetConfig") == "false"
    ]
    lists = {etree.QName(node).localname: [entry[0].text.lower() for entry in node] for node in one.payload[1]}
    assert (lists["Categories"], lists["Classifications"]) == ([PRODUCT], [CLASSIFICATION])
    asked_again = [each for each in upstream.asked[before:] if each.operation == "GetUpdateData"]
    assert asked_again == [], "what is held is not asked for again"


def test_the_recorded_blobs_are_cabinets_of_the_kind_we_pass_on():
    for number in DOCUMENTS:
        found = re.search(r"<XmlUpdateBlobCompressed>([^<]*)<", between_servers.of(number).response)
        assert (found is None) == (number == 15)
        if found:
            assert b64decode(found[1])[:4] == b"MSCF"
