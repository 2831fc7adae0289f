"""Every operation of the three services, through zeep, in SOAP 1.1 and 1.2, over the published definitions
and over our own. The caller validates each answer against the schema; the tests assert what it says."""

import uuid
from base64 import b64decode
from datetime import UTC, datetime

import pytest
import zeep

from conformance.wire.answers import Cookie
from conformance.wire.client import COMPUTER_INFO

from . import wsdls

ALL_KINDS = ["Extended", "LocalizedProperties", "Eula"]


def as_zeep(cookie: Cookie) -> dict:
    """zeep takes bytes for base64 and a moment for times."""
    return {"Expiration": cookie.expires, "EncryptedData": b64decode(cookie.data)}


def this_moment() -> datetime:
    return datetime.now(UTC)


@pytest.fixture()
def client(callers):
    return callers["client"]


@pytest.fixture()
def reporting(callers):
    return callers["client-reporting"]


@pytest.fixture()
def cookie(computer):
    return as_zeep(computer.cookie)


@pytest.fixture(scope="session")
def held(computer):
    """What the computer's cache holds after a scan."""
    return computer.scan()


def event(event_id: int, target: str) -> dict:
    return {
        "BasicData": {
            "TargetID": {"Sid": target},
            "SequenceNumber": 0,
            "TimeAtTarget": this_moment(),
            "EventInstanceID": str(uuid.uuid4()),
            "NamespaceID": 1,
            "EventID": event_id,
            "SourceID": 101,
            "UpdateID": {"UpdateID": str(uuid.UUID(int=0)), "RevisionNumber": 0},
            "Win32HResult": 0,
            "AppName": "contract",
        },
        "ExtendedData": {
            "ReplacementStrings": {"string": ["3"]},
            "MiscData": {"string": ["G=1507.2601.30012.0"]},
            "ComputerBrand": "Contoso",
            "ComputerModel": "Workbench 1",
            "BiosRevision": "1.0",
            "ProcessorArchitecture": "Amd64Compatible",
            "OSVersion": {
                "Major": 10,
                "Minor": 0,
                "Build": 26200,
                "Revision": 65792,
                "ServicePackMajor": 0,
                "ServicePackMinor": 0,
            },
            "OSLocaleID": 1033,
        },
        "PrivateData": {},
    }


def test_get_authorization_cookie(callers):
    result = callers["simple-auth"]("GetAuthorizationCookie", clientId=str(uuid.uuid4()), dnsName="pc.example.test")
    assert result.PlugInId == "SimpleTargeting"
    assert len(result.CookieData) > 0


def test_get_config(client):
    result = client("GetConfig", protocolVersion="1.8")
    assert result.IsRegistrationRequired is True
    (plug_in,) = result.AuthInfo.AuthPlugInInfo
    assert (plug_in.PlugInID, plug_in.ServiceUrl) == ("SimpleTargeting", "SimpleAuthWebService/SimpleAuth.asmx")
    names = [entry.Name for entry in result.Properties.ConfigurationProperty]
    assert names[0] == "MaxExtendedUpdatesPerRequest" and "ProtocolVersion" in names


def test_the_whole_handshake(callers, client):
    """GetConfig, GetAuthorizationCookie, GetCookie, RegisterComputer and a first SyncUpdates, on zeep alone."""
    config = client("GetConfig", protocolVersion="1.8")
    ticket = callers["simple-auth"]("GetAuthorizationCookie", clientId=str(uuid.uuid4()), dnsName="zeep.example.test")
    cookie = client(
        "GetCookie",
        authCookies={"AuthorizationCookie": [{"PlugInId": ticket.PlugInId, "CookieData": ticket.CookieData}]},
        lastChange=config.LastChange,
        currentTime=this_moment(),
        protocolVersion="1.8",
    )
    assert 0 < (cookie.Expiration - this_moment()).total_seconds() <= 24 * 3600
    info = COMPUTER_INFO | {"DnsName": "zeep.example.test", "BiosReleaseDate": datetime(2025, 2, 3, tzinfo=UTC)}
    token = {"Expiration": cookie.Expiration, "EncryptedData": cookie.EncryptedData}
    assert client("RegisterComputer", cookie=token, computerInfo=info) is None
    first = client("SyncUpdates", cookie=token, parameters={"ExpressQuery": False, "SkipSoftwareSync": False})
    assert first.NewUpdates.UpdateInfo and first.NewCookie.EncryptedData


def test_start_category_scan(client, bench):
    known, unknown = bench["product"].id, str(uuid.uuid4())
    wanted = [{"IndexOfAndGroup": 0, "CategoryId": known}, {"IndexOfAndGroup": 1, "CategoryId": unknown}]
    result = client("StartCategoryScan", requestedCategories={"CategoryRelationship": wanted})
    assert result.preferredCategoryIds.guid == [known]
    assert result.requestedCategoryIdsInError.guid == [unknown]


def test_sync_updates_software(client, cookie, bench):
    result = client("SyncUpdates", cookie=cookie, parameters={"ExpressQuery": False, "SkipSoftwareSync": False})
    assert result.Truncated is False
    found = {update.Xml.split('UpdateID="')[1][:36].lower(): update for update in result.NewUpdates.UpdateInfo}
    assert bench["company"].id in found
    assert found[bench["company"].id].Deployment.Action == "Evaluate"
    assert found[bench["company"].id].IsLeaf is False


def test_sync_updates_with_every_optional_part(client, cookie, bench, held):
    """Out-of-scope, cached and changed lists, filters and hardware in one answer that must fit the schema."""
    device = {
        "HardwareIDs": {"string": [bench.adapter]},
        "CompatibleIDs": {"string": [bench.generic]},
        "installedDriver": {
            "DriverVerDate": datetime(1970, 1, 1, tzinfo=UTC),
            "DriverVerVersion": 0,
            "MatchingComputerHWID": zeep.xsd.Nil,
            "DriverRank": -1,
        },
    }
    result = client(
        "SyncUpdates",
        cookie=cookie,
        parameters={
            "ExpressQuery": False,
            "InstalledNonLeafUpdateIDs": {"int": sorted(held.installed)},
            "SystemSpec": {"Device": [device]},
            "SkipSoftwareSync": True,
            "NeedTwoGroupOutOfScopeUpdates": True,
            "ComputerSpec": {"HardwareIDs": {"guid": [str(uuid.uuid4())]}},
            "FeatureScoreMatchingKey": "AMD64.10.0",
        },
    )
    offered = [update.Deployment.HardwareIds.string for update in result.NewUpdates.UpdateInfo]
    assert any(bench.adapter.lower() in [one.lower() for one in ids] for ids in offered), offered


def test_sync_updates_reports_what_left_the_scope(client, cookie, held, bench):
    gone = 2_000_000_000
    result = client(
        "SyncUpdates",
        cookie=cookie,
        parameters={"ExpressQuery": False, "OtherCachedUpdateIDs": {"int": [gone]}, "SkipSoftwareSync": False},
    )
    assert result.OutOfScopeRevisionIDs.int == [gone]


def test_sync_printer_catalog(client, cookie, held, bench):
    result = client(
        "SyncPrinterCatalog",
        cookie=cookie,
        installedNonLeafUpdateIDs={"int": sorted(held.installed)},
        printerUpdateIDs={"int": []},
    )
    assert [bench["printer driver"].id in update.Xml.lower() for update in result.NewUpdates.UpdateInfo] == [True]


def test_refresh_cache(client, cookie, bench):
    known = bench["plain"]
    wanted = [
        {"UpdateID": known.id, "RevisionNumber": known.revision},
        {"UpdateID": str(uuid.uuid4()), "RevisionNumber": 1},
    ]
    result = client("RefreshCache", cookie=cookie, globalIDs={"UpdateIdentity": wanted})
    (entry,) = result
    assert entry.GlobalID.UpdateID == known.id and entry.GlobalID.RevisionNumber == known.revision
    assert entry.RevisionID > 0 and entry.Deployment.Action in ("Install", "PreDeploymentCheck")


def test_get_extended_update_info(client, cookie, held, bench):
    ids = sorted(held.by_id(bench[name].id).id for name in ("plain", "licensed"))
    result = client(
        "GetExtendedUpdateInfo",
        cookie=cookie,
        revisionIDs={"int": ids},
        infoTypes={"XmlUpdateFragmentType": ALL_KINDS},
        locales={"string": ["de-DE", "en"]},
    )
    texts = [update.Xml for update in result.Updates.Update]
    assert any("Ein schlichtes Update" in text for text in texts) or any("A plain update" in text for text in texts)
    assert any(text.startswith("<ExtendedProperties") for text in texts)
    digests = {location.FileDigest for location in result.FileLocations.FileLocation}
    # A licence is a file too; whether its location is given is the server's choice.
    digests.discard(bench["licensed"].eula.sha1)
    assert digests == {file.sha1 for name in ("plain", "licensed") for file in bench[name].files}
    assert all(location.Url.startswith("http://") for location in result.FileLocations.FileLocation)


def test_get_extended_update_info_2(client, cookie, bench):
    plain = bench["plain"]
    result = client(
        "GetExtendedUpdateInfo2",
        cookie=cookie,
        updateIDs={"UpdateIdentity": [{"UpdateID": plain.id, "RevisionNumber": plain.revision}]},
        infoTypes={"XmlUpdateFragmentType": ["Extended", "FileUrl"]},
        locales={"string": ["en"]},
    )
    assert any(update.Xml.startswith("<ExtendedProperties") for update in result.Updates.Update)
    assert {location.FileDigest for location in result.FileLocations.FileLocation} == {
        file.sha1 for file in plain.files
    }


def test_get_file_locations(client, cookie, bench):
    file = bench["plain"].files[0]
    result = client("GetFileLocations", cookie=cookie, fileDigests={"base64Binary": [file.sha1]})
    (location,) = result.FileLocations.FileLocation
    assert location.FileDigest == file.sha1
    assert location.Url.endswith(file.path)
    assert result.NewCookie.EncryptedData


def test_report_event_batch(reporting, cookie, computer):
    batch = {"ReportingEvent": [event(147, computer.id)]}
    assert reporting("ReportEventBatch", cookie=cookie, clientTime=this_moment(), eventBatch=batch) is True


def test_report_event_batch_2(reporting, computer):
    batch = {"ReportingEvent": [event(147, computer.id)]}
    assert reporting("ReportEventBatch2", computerId=computer.id, clientTime=this_moment(), eventBatch=batch) is True


def test_get_required_inventory_type(reporting, cookie):
    result = reporting("GetRequiredInventoryType", cookie=cookie, rulesId=str(uuid.uuid4()), rulesVersion="1.0")
    assert isinstance(result, int)


def test_report_inventory(reporting, cookie):
    inventory = {"IsCompressed": False, "RawXml": "<Inventory />"}
    assert reporting("ReportInventory", cookie=cookie, clientTime=this_moment(), inventory=inventory) is True


def test_a_fault_reaches_the_client_as_a_fault(callers, client):
    """zeep raises its own exception only when envelope, HTTP code and fault shape fit the SOAP version."""
    spoiled = {"Expiration": this_moment(), "EncryptedData": b"not a cookie of this server"}
    with pytest.raises(zeep.exceptions.Fault) as caught:
        client("SyncUpdates", cookie=spoiled, parameters={"ExpressQuery": False, "SkipSoftwareSync": False})
    names = [node.tag for node in caught.value.detail]
    assert names == ["ErrorCode", "Message", "ID", "Method"]
    assert caught.value.detail.findtext("ErrorCode") == "InvalidCookie"
    assert uuid.UUID(caught.value.detail.findtext("ID"))
    assert client.recorder.last.status_code == 500


@pytest.mark.parametrize("name", ["simple-auth", "client", "client-reporting"])
def test_the_own_definition_describes_every_operation_agents_call(name, stocked):
    expected = {
        "simple-auth": {"GetAuthorizationCookie"},
        "client": {
            "GetConfig",
            "GetCookie",
            "RegisterComputer",
            "StartCategoryScan",
            "SyncUpdates",
            "SyncPrinterCatalog",
            "RefreshCache",
            "GetExtendedUpdateInfo",
            "GetExtendedUpdateInfo2",
            "GetFileLocations",
        },
        "client-reporting": {"ReportEventBatch", "ReportEventBatch2", "GetRequiredInventoryType", "ReportInventory"},
    }
    definition = wsdls.own(stocked.base, name)
    assert expected[name] <= wsdls.operations(definition)
    addresses = [
        node.get("location") for node in definition.iterfind(".//w:port/*", wsdls.SPACES) if node.get("location")
    ]
    assert addresses and all(address.lower().startswith(stocked.base.lower()) for address in addresses), addresses
