"""MS-WSUSSS 3.1.4.1: GetAuthConfig."""

import pytest

from conformance.wire.answers import child, child_text, children, items
from conformance.wire.downstream import Downstream
from conformance.wire.http import exchange
from conformance.wire.soap import SERVER_SYNC, Reply, Version, envelope


@pytest.mark.wsusss("3.1.4.1")
def test_there_is_one_plug_in_with_a_relative_address(stranger):
    result = stranger.auth_config()
    assert children(result)[:2] == ["LastChange", "AuthInfo"]
    (plug_in,) = items(result, "AuthInfo")
    assert child_text(plug_in, "PlugInID") == "DssTargeting"
    assert child_text(plug_in, "ServiceUrl").lower() == "dssauthwebservice/dssauthwebservice.asmx"


@pytest.mark.observed("8")
def test_allowed_event_ids_are_left_out(stranger):
    assert child(stranger.auth_config(), "AllowedEventIds") is None


@pytest.mark.observed("1.1")
@pytest.mark.parametrize("version", list(Version), ids=["soap11", "soap12"])
def test_an_answer_has_the_version_of_the_question(subject, version):
    answer = Downstream(subject, version).send(SERVER_SYNC, "GetAuthConfig", "")
    reply = Reply(answer)
    assert reply.result() is not None and reply.version is version


@pytest.mark.observed("1.3")
def test_answers_begin_with_a_declaration(stranger):
    answer = stranger.send(SERVER_SYNC, "GetAuthConfig", "")
    assert answer.body.startswith(b'<?xml version="1.0" encoding="utf-8"?>')
    assert answer.header("Cache-Control") == "private, max-age=0"


@pytest.mark.observed("1.1")
def test_paths_match_in_any_letter_case(subject):
    body = envelope(SERVER_SYNC, "GetAuthConfig", "")
    headers = Version.V11.content_headers(SERVER_SYNC.action("GetAuthConfig"))
    assert exchange(subject, "POST", SERVER_SYNC.path.upper(), headers, body).status == 200


@pytest.mark.observed("8")
def test_xpress_works_here_too(stranger):
    answer = stranger.send(SERVER_SYNC, "GetAuthConfig", "", accept="xpress")
    assert answer.encoding == "xpress" and Reply(answer).result() is not None
