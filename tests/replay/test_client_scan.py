"""The recorded first contact of a computer: handshake, category scan, driver pass, extended information."""

import pytest

from conformance.wire.answers import Cookie, Sync, child, child_text
from conformance.wire.soap import CLIENT, Reply
from tests.support.server import ServerUnderTest

from . import recorded
from .allowed import assert_extended_ascending, assert_same
from .sending import Session, assert_headers
from .standins import for_documents

# Recorded revision ids of client-scan, by UpdateIdentity.
KNOWN = {
    ("56309036-4c77-4dd9-951a-99ee9c246a94", 101): 108226,
    ("6964aab4-c5b5-43bd-a17d-ffb4346a8e1d", 100): 108231,
    ("dd78b8a1-0b20-45c1-add6-4da72e9364cf", 202): 72571,
}
# What the recorded server's own name and the recorded cookie add to answers recorded by length only.
LONGEST_SERVER_NAME = 63
RECORDED_AUTHORIZATION = 664  # Base64 of 496 bytes (observed-behaviour 2).


@pytest.fixture(scope="module")
def session():
    documents = recorded.documents()
    with ServerUnderTest() as server:
        report = server.admin.import_all({f"{one.id}.xml": one.bytes() for one in for_documents(documents)} | documents)
        assert report["added"] >= len(documents)
        yield Session(server.base)


class TestClientScan:
    """In the recorded order; each step uses what the earlier ones brought."""

    def answer(self, session, number: int):
        """Sends one exchange; headers must agree."""
        exchange = recorded.exchange("client-scan", f"{number:06}")
        answer = session.send(exchange)
        assert_headers(exchange, answer)
        return exchange, answer

    def test_1_get_config(self, session):
        """Recorded without its body: the length must be explained by the server's name alone."""
        exchange, answer = self.answer(session, 1)
        result = child(Reply(answer).result(), "GetConfigResult")
        session.last_change = child_text(result, "LastChange")
        share = next(node[1].text for node in child(result, "Properties") if node[0].text == "PackageServerShare")
        fixed = len(answer.body) - len(session.last_change) - len(share)
        name = exchange.response_length - fixed - len("2026-10-04T13:17:07.59Z") - len("\\\\\\UpdateServicesPackages")
        assert 1 <= name <= LONGEST_SERVER_NAME

    def test_2_get_authorization_cookie(self, session):
        """Recorded without its body: the length must be that of the envelope and the recorded cookie."""
        exchange, answer = self.answer(session, 2)
        result = child(Reply(answer).result(), "GetAuthorizationCookieResult")
        session.authorization = child_text(result, "CookieData")
        assert len(answer.body) - len(session.authorization) + RECORDED_AUTHORIZATION == exchange.response_length

    def test_3_get_cookie(self, session):
        exchange, answer = self.answer(session, 3)
        session.cookie = Cookie.read(child(Reply(answer).result(), "GetCookieResult"))
        assert_same(exchange.response, answer.body)

    def test_4_register_computer(self, session):
        """Recorded without its body, which has nothing of its own: the length must be equal."""
        exchange, answer = self.answer(session, 4)
        assert len(Reply(answer).result()) == 0
        assert len(answer.body) == exchange.response_length

    def test_5_start_category_scan(self, session):
        exchange, answer = self.answer(session, 5)
        assert_same(exchange.response, answer.body)

    @pytest.mark.parametrize("number", [6, 7, 8])
    def test_6_to_8_the_category_tree_level_by_level(self, session, number):
        exchange, answer = self.answer(session, number)
        sync = Sync(child(Reply(answer).result(), "SyncUpdatesResult"))
        for update in sync.new:
            identity = (update.update_id, update.revision)
            assert identity in KNOWN, f"{identity} was not in the recorded answer"
            session.ids[KNOWN[identity]] = update.id
        session.cookie = sync.cookie
        assert_same(exchange.response, answer.body, our_ids=session.back)

    def test_9_the_driver_pass(self, session):
        """Forty-six kilobytes of devices, and no driver for any."""
        exchange, answer = self.answer(session, 9)
        assert_same(exchange.response, answer.body)

    def test_10_get_extended_update_info(self, session):
        exchange, answer = self.answer(session, 10)
        assert_extended_ascending(exchange.response)
        assert_extended_ascending(answer.body)
        assert_same(exchange.response, answer.body, our_ids=session.back)
        assert CLIENT.tag("GetExtendedUpdateInfoResponse") == Reply(answer).result().tag
