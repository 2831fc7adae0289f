"""MS-WSUSSS 3.1.4.2: GetAuthorizationCookie of the DSS Authorization service."""

import uuid

import pytest

from conformance.judging import fault_of
from conformance.wire.soap import DSS_AUTH, text


@pytest.mark.observed("8")
def test_a_server_nobody_registered_gets_a_cookie(stranger):
    plug_in, data = stranger.authorization()
    assert plug_in == "DssTargeting" and len(data) > 40
    assert stranger.id not in data


@pytest.mark.wsusss("3.1.4.2")
@pytest.mark.parametrize("name", ["", "a b", "<x>", "a..b"])
def test_the_name_must_be_one_of_dns(stranger, name):
    answer = stranger.send(DSS_AUTH, "GetAuthorizationCookie", stranger.authorization_content(name=name))
    fault = fault_of(answer)
    assert fault.error_code == "InvalidParameters" and "accountName" in fault["Message"]


@pytest.mark.wsusss("3.1.4.2")
@pytest.mark.parametrize("account", ["", "x", "6f1c2f6e-3f0b-4d3a-9b1e", "{}"])
def test_the_account_must_be_a_guid(stranger, account):
    answer = stranger.send(DSS_AUTH, "GetAuthorizationCookie", stranger.authorization_content(account=account))
    fault = fault_of(answer)
    assert fault.error_code == "InvalidParameters" and "accountGuid" in fault["Message"]


@pytest.mark.wsusss("3.1.4.2")
@pytest.mark.parametrize("missing", ["accountName", "accountGuid"])
def test_name_and_account_must_both_be_there(stranger, missing):
    there = {"accountName": stranger.name, "accountGuid": str(uuid.uuid4())}
    content = "".join(text(name, value) for name, value in there.items() if name != missing)
    fault = fault_of(stranger.send(DSS_AUTH, "GetAuthorizationCookie", content))
    assert fault.error_code == "InvalidParameters" and missing in fault["Message"]
