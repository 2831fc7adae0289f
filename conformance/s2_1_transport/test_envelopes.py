"""MS-WUSP 2.1, 2.2: what may vary in a request, and how answers are written."""

import re

import pytest

from conformance.wire.client import Computer
from conformance.wire.soap import CLIENT, REPORTING, SIMPLE_AUTH, SOAP11, Reply, element, text

ASK = text("protocolVersion", "1.8")


def config_reply(computer: Computer, body: str, **more) -> Reply:
    return computer.call(CLIENT, "GetConfig", "", body=body.encode(), **more)


@pytest.mark.spec("2.1")
@pytest.mark.parametrize(
    "body",
    [
        f'<?xml version="1.0" encoding="utf-8"?>\r\n<soap:Envelope xmlns:soap="{SOAP11}">\r\n <soap:Body>\r\n'
        f'  <GetConfig xmlns="{CLIENT.namespace}">\r\n   {ASK}\r\n  </GetConfig>\r\n </soap:Body>\r\n</soap:Envelope>\r\n',
        f'<Envelope xmlns="{SOAP11}"><Body><c:GetConfig xmlns:c="{CLIENT.namespace}">'
        "<c:protocolVersion>1.8</c:protocolVersion></c:GetConfig></Body></Envelope>",
        f'<x:Envelope xmlns:x="{SOAP11}" xmlns:c="{CLIENT.namespace}"><x:Header><c:Other>1</c:Other></x:Header>'
        "<x:Body><c:GetConfig><c:protocolVersion>1.8</c:protocolVersion></c:GetConfig></x:Body></x:Envelope>",
        f'<!-- a remark --><s:Envelope xmlns:s="{SOAP11}"><!-- another --><s:Body><GetConfig xmlns="{CLIENT.namespace}">'
        "<protocolVersion>1.<!-- in the middle -->8</protocolVersion></GetConfig></s:Body></s:Envelope>",
        f'\ufeff<s:Envelope xmlns:s="{SOAP11}"><s:Body><GetConfig xmlns="{CLIENT.namespace}">'
        "<protocolVersion>&#49;&#x2E;8</protocolVersion></GetConfig></s:Body></s:Envelope>",
        f'<s:Envelope xmlns:s="{SOAP11}"><s:Body><GetConfig xmlns="{CLIENT.namespace}">'
        "<protocolVersion><![CDATA[1.8]]></protocolVersion></GetConfig></s:Body></s:Envelope>",
    ],
    ids=["declaration and blanks", "default prefix", "header", "comments", "byte order mark, references", "cdata"],
)
def test_the_same_request_may_be_written_in_many_ways(stranger, body):
    assert config_reply(stranger, body).result() is not None


@pytest.mark.observed("1.1")
@pytest.mark.parametrize("quote", ['"', ""])
def test_the_action_is_taken_with_and_without_quotes(stranger, quote):
    action = [("SOAPAction", f"{quote}{CLIENT.action('GetConfig')}{quote}")]
    assert stranger.call(CLIENT, "GetConfig", ASK, headers=action).result() is not None


@pytest.mark.observed("3.1")
def test_elements_the_definition_does_not_have_are_passed_over(computer):
    """The native agent sends some (AlsoPerformRegularSync, ProductsParameters), and nil under a local prefix."""
    content = computer.sync_content(also_regular=True)
    products = element(
        "ProductsParameters",
        text("SyncCurrentVersionOnly", False),
        text("DeviceAttributes", "App=WU_OS;OSVersion=10.0.26200.8037;"),
        text("CallerAttributes", "Interactive=0;SheddingAware=1;"),
        "<Products/>",
    )
    nil = '<SomethingNew a:nil="true" xmlns:a="http://www.w3.org/2001/XMLSchema-instance"/>'
    content = content.replace("</parameters>", products + nil + "</parameters>")
    assert computer.call(CLIENT, "SyncUpdates", content).result() is not None


@pytest.mark.observed("1.3")
def test_the_client_service_writes_its_envelopes_plainly(stranger):
    body = stranger.send(CLIENT, "GetConfig", ASK).body.decode()
    assert body.startswith(f'<s:Envelope xmlns:s="{SOAP11}"><s:Body xmlns:xsi=')
    assert re.match(
        r'<s:Envelope xmlns:s="[^"]*"><s:Body xmlns:xsi="[^"]*" xmlns:xsd="[^"]*"><GetConfigResponse xmlns="', body
    )
    assert body.endswith("</GetConfigResponse></s:Body></s:Envelope>")


@pytest.mark.observed("1.3")
@pytest.mark.parametrize("name", ["simple-auth", "reporting"])
def test_the_other_services_write_a_declaration_and_the_prefix_soap(computer, name):
    if name == "simple-auth":
        answer = computer.send(SIMPLE_AUTH, "GetAuthorizationCookie", computer.authorization_content())
    else:
        answer = computer.send(REPORTING, "ReportEventBatch", computer.report_content([computer.event(147)]))
    body = answer.body.decode()
    assert re.match(
        r'<\?xml version="1\.0" encoding="utf-8"\?>\s*<soap:Envelope xmlns:soap="[^"]*" xmlns:xsi="[^"]*" xmlns:xsd="[^"]*"><soap:Body>',
        body,
    ), body[:300]


@pytest.mark.observed("1.3")
def test_empty_arrays_are_left_out_by_the_client_service(computer):
    """Driver pass of a computer without devices: no NewUpdates element at all."""
    sync = computer.sync(skip_software=True, devices=[])
    names = [child.tag.split("}")[1] for child in sync.node]
    assert names == ["Truncated", "NewCookie", "DriverSyncNotNeeded"]


@pytest.mark.observed("1.3")
def test_times_are_utc_without_trailing_zeros(stranger):
    config = stranger.get_config()
    last_change = config.findtext(CLIENT.tag("LastChange"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?Z", last_change), last_change
