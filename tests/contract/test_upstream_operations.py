"""Every operation that downstream servers call, through zeep, in SOAP 1.1 and 1.2, over the published definitions
and over our own. The caller validates each answer against the schema; the tests assert what it says."""

import uuid
from base64 import b64decode
from datetime import UTC, datetime

import pytest
import zeep

from conformance.wire.downstream import CONFIG_ORDER, SUMMARY, Downstream, extracted

from . import wsdls

NEVER = datetime(1753, 1, 1, tzinfo=UTC)
LONG_PAST_ANY_DEADLINE = 9999


def this_moment() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="session")
def child(stocked) -> Downstream:
    """An authorized downstream server, for ids and cookies."""
    return Downstream(stocked.base).authorized()


@pytest.fixture()
def cookie(child):
    return {"Expiration": child.cookie.expires, "EncryptedData": b64decode(child.cookie.data)}


@pytest.fixture()
def sync(callers):
    return callers["server-sync"]


@pytest.fixture()
def rollup(callers):
    return callers["server-reporting"]


def identity(document) -> dict:
    return {"UpdateID": document.id, "RevisionNumber": document.revision}


def named(result) -> set[tuple[str, int]]:
    found = result.NewRevisions.UpdateIdentity if result.NewRevisions else []
    return {(one.UpdateID.lower(), one.RevisionNumber) for one in found}


def revision_filter(**more) -> dict:
    return {"GetConfig": False, "Get63LanguageOnly": False} | more


def delta(ids, changes: bool = False) -> dict:
    return {"IdAndDelta": [{"Id": one, "Delta": changes} for one in ids]}


def test_the_whole_handshake(callers, sync):
    """GetAuthConfig, GetAuthorizationCookie, GetCookie and GetConfigData, on zeep alone."""
    config = sync("GetAuthConfig")
    (plug_in,) = config.AuthInfo.AuthPlugInInfo
    assert (plug_in.PlugInID, plug_in.ServiceUrl) == ("DssTargeting", "DssAuthWebService/DssAuthWebService.asmx")
    ticket = callers["dss-auth"](
        "GetAuthorizationCookie",
        accountName="zeep.example.test",
        accountGuid=str(uuid.uuid4()),
        programKeys={"guid": []},
    )
    assert ticket.PlugInId == "DssTargeting" and ticket.CookieData
    cookies = {"AuthorizationCookie": [{"PlugInId": ticket.PlugInId, "CookieData": ticket.CookieData}]}
    cookie = sync("GetCookie", authCookies=cookies, protocolVersion="1.20")
    assert 0 < (cookie.Expiration - this_moment()).total_seconds() <= 4 * 3600
    token = {"Expiration": cookie.Expiration, "EncryptedData": cookie.EncryptedData}
    data = sync("GetConfigData", cookie=token, configAnchor="")
    assert list(data) == CONFIG_ORDER
    assert (data.MaxNumberOfUpdatesPerRequest, data.ProtocolVersion) == (100, "1.20")
    assert len(data.LanguageUpdateList.ServerSyncLanguageData) == 39
    renewed = sync("GetCookie", authCookies=cookies, oldCookie=token, protocolVersion="1.20")
    assert renewed.EncryptedData != cookie.EncryptedData


def test_get_revision_id_list_of_categories(sync, cookie, bench):
    result = sync("GetRevisionIdList", cookie=cookie, filter=revision_filter(GetConfig=True))
    expected = {(one.id, one.revision) for one in bench.all if one.kind in ("Category", "Detectoid")}
    assert named(result) == expected
    count, _, _ = result.Anchor.partition(",")
    assert int(count) > 0


def test_get_revision_id_list_with_every_part_of_the_filter(sync, cookie, bench):
    whole = revision_filter(
        DssProtocolVersion={},
        Categories=delta([bench["product"].id]),
        Classifications=delta([bench["security"].id]),
        Languages={"LanguageAndDelta": [{"Id": 1033, "Delta": False}]},
    )
    result = sync("GetRevisionIdList", cookie=cookie, filter=whole)
    assert (bench["plain"].id, bench["plain"].revision) in named(result)
    changes = revision_filter(
        Anchor=result.Anchor,
        Categories=delta([bench["product"].id], True),
        Classifications=delta([bench["security"].id], True),
    )
    assert named(sync("GetRevisionIdList", cookie=cookie, filter=changes)) == set()


def test_get_update_data_as_text_and_as_cabinet(sync, cookie, bench):
    result = sync("GetRevisionIdList", cookie=cookie, filter=revision_filter())
    wanted = [{"UpdateID": update, "RevisionNumber": number} for update, number in sorted(named(result))][:100]
    documents = {(one.id, one.revision): one for one in bench.all}
    data = sync("GetUpdateData", cookie=cookie, updateIds={"UpdateIdentity": wanted})
    assert len(data.updates.ServerSyncUpdateData) == len(wanted)
    for served in data.updates.ServerSyncUpdateData:
        document = documents[(served.Id.UpdateID, served.Id.RevisionNumber)]
        blob = served.XmlUpdateBlobCompressed
        assert (blob is None) != (served.XmlUpdateBlob is None)
        text = served.XmlUpdateBlob if blob is None else extracted(blob).decode("utf-16-le")
        assert text == document.xml()
        digests = served.FileDigestList.base64Binary if served.FileDigestList else []
        assert {file.sha1 for file in document.files} <= set(digests)
    known = {one.FileDigest for one in data.fileUrls.ServerSyncUrlData}
    assert {file.sha1 for file in bench["plain"].files} <= known


def test_get_update_decryption_data(sync, cookie, bench):
    wanted = {"UpdateIdentity": [identity(bench["plain"])]}
    result = sync("GetUpdateDecryptionData", cookie=cookie, updateIds=wanted)
    assert result is None, "no file of the bench is encrypted, and zeep reads an empty list as nothing"
    assert b"<UpdateFileDecryptionData />" in sync.recorder.last.content


def test_get_deployments(sync, cookie, bench):
    anchor = sync("GetRevisionIdList", cookie=cookie, filter=revision_filter()).Anchor
    result = sync("GetDeployments", cookie=cookie, deploymentAnchor="", syncAnchor=anchor)
    groups = {one.Name: one for one in result.Groups.ServerSyncTargetGroup}
    assert groups["Pilots"].IsBuiltin is False and groups["All Computers"].IsBuiltin is True
    (deployment,) = result.Deployments.ServerSyncDeployment
    assert (deployment.UpdateId, deployment.RevisionNumber) == (bench["plain"].id, bench["plain"].revision)
    assert deployment.TargetGroupId == groups["Pilots"].TargetGroupID
    assert deployment.Action == 0 and deployment.IsAssigned is True, "0 is Install (MS-WSUSSS 3.1.4.10.3.3)"
    assert deployment.Deadline.year == LONG_PAST_ANY_DEADLINE
    again = sync("GetDeployments", cookie=cookie, deploymentAnchor=result.Anchor, syncAnchor=anchor)
    assert again.Deployments is None and again.Groups is not None


def test_download_files(sync, cookie, bench):
    known = [file.sha1 for file in bench["plain"].files]
    assert sync("DownloadFiles", cookie=cookie, fileDigestList={"base64Binary": known}) is None
    with pytest.raises(zeep.exceptions.Fault) as caught:
        sync("DownloadFiles", cookie=cookie, fileDigestList={"base64Binary": [b"\0" * 20]})
    assert caught.value.detail.findtext("ErrorCode") == "FileDigestsMissing"


def test_get_related_revisions_for_updates(sync, cookie, bench):
    ids = {"guid": [bench["plain"].id]}
    assert not sync("GetRelatedRevisionsForUpdates", cookie=cookie, updateIDs=ids), "reserved: always empty"


def test_the_driver_calls(sync, cookie, bench, definitions):
    """In the text of MS-WSUSSS 3.1.4.7 and 3.1.4.8 only; the published definition has no place for them."""
    if "GetDriverIdList" not in sync.operations:
        assert "GetDriverIdList" not in wsdls.operations(definitions["server-sync"])
        return
    ids = {"HardwareIdAndDelta": [{"Id": bench.adapter, "Delta": False}]}
    driver_filter = {"Anchor": "", "PnpHardwareIds": ids}
    result = sync("GetDriverIdList", cookie=cookie, filter=driver_filter)
    assert named(result) and result.Anchor
    unknown = {"guid": [str(uuid.uuid4())]}
    assert not sync("GetDriverSetData", cookie=cookie, driverSets=unknown), "a set nobody knows is passed over"


@pytest.mark.parametrize("name", ["dss-auth", "server-sync", "server-reporting"])
def test_ping(callers, name):
    """MonitoredServicesResponse; what it says is the server's choice, that it fits the schema is not."""
    result = callers[name]("Ping", pingLevel=0)
    assert result is not None


@pytest.fixture(scope="session")
def told(stocked) -> Downstream:
    """A downstream server that authorized itself and may tell of itself."""
    return Downstream(stocked.base).authorized()


def open_cookie() -> dict:
    """The cookie of rollup: it never expires and holds nothing (MS-WSUSSS 3.2.4.5)."""
    return {"Expiration": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "EncryptedData": b""}


def server_info(server: Downstream, parent: str = str(uuid.UUID(int=0))) -> dict:
    activity = {
        "UpdateId": str(uuid.uuid4()),
        "RevisionNumber": 200,
        "InstallSuccessCount": 2,
        "InstallFailureCount": 1,
    }
    computers = {
        "OSMajorVersion": 10,
        "OSMinorVersion": 0,
        "OSBuildNumber": 26200,
        "OSServicePackMajorNumber": 0,
        "OSServicePackMinorNumber": 0,
        "OSLocale": "en-US",
        "SuiteMask": 256,
        "OldProductType": 1,
        "NewProductType": 48,
        "SystemMetrics": 0,
        "ProcessorArchitecture": "AMD64",
        "Count": 3,
        "ActivitySummaries": {"DownstreamServerRollupClientActivitySummary": [activity]},
    }
    return {
        "ServerId": server.id,
        "FullDomainName": server.name,
        "LastSyncTime": this_moment(),
        "ParentServerId": parent,
        "Version": "10.0.26100.1",
        "IsReplica": True,
        "LastRollupTime": this_moment(),
        "ServerSummary": dict.fromkeys(SUMMARY, 0),
        "ClientSummaries": {"DownstreamServerRollupClientSummary": [computers]},
    }


def computer_info(server: Downstream, name: str) -> dict:
    details = {
        "TargetGroupIdList": {"guid": [str(uuid.uuid4())]},
        "RequestedTargetGroupNames": {"string": ["Pilots"]},
        "IPAddress": "192.0.2.7",
        "FullDomainName": f"{name}.example.test",
        "OSMajorVersion": 10,
        "OSMinorVersion": 0,
        "OSBuildNumber": 26200,
        "OSServicePackMajorNumber": 0,
        "OSServicePackMinorNumber": 0,
        "BiosReleaseDate": datetime(2025, 2, 3, tzinfo=UTC),
        "SuiteMask": 256,
        "OldProductType": 1,
        "NewProductType": 48,
        "SystemMetrics": 0,
    }
    return {
        "Details": details,
        "ComputerId": name,
        "LastSyncTime": this_moment(),
        "LastSyncResult": 1,
        "LastReportedRebootTime": NEVER,
        "LastReportedStatusTime": NEVER,
        "LastInventoryTime": NEVER,
        "ParentServerId": server.id,
    }


def test_get_rollup_configuration(rollup):
    result = rollup("GetRollupConfiguration", cookie=open_cookie())
    assert result.DoDetailedRollup is True
    limits = (
        result.RollupDownstreamServersMaxBatchSize,
        result.RollupComputersMaxBatchSize,
        result.GetOutOfSyncComputersMaxBatchSize,
        result.RollupComputerStatusMaxBatchSize,
    )
    assert limits == (5_000, 1_500, 20_000, 500)
    assert uuid.UUID(result.ServerId) and uuid.UUID(result.RollupResetGuid)


def test_a_whole_rollup(rollup, told):
    """Servers, their computers, which of them need a full status, and that status."""
    servers = {"DownstreamServerRollupInfo": [server_info(told)]}
    common = dict(cookie=open_cookie(), clientTime=this_moment())
    assert rollup("RollupDownstreamServers", **common, downstreamServers=servers) is None
    name = f"pc-{uuid.uuid4()}"
    computers = {"ComputerRollupInfo": [computer_info(told, name)]}
    assert not rollup("RollupComputers", **common, computers=computers), "nothing changed its place"
    numbers = {"ComputerLastRollupNumber": [{"ComputerId": name, "RollupNumber": 1}]}
    asked = dict(cookie=open_cookie(), parentServerId=told.id, lastRollupNumbers=numbers)
    assert rollup("GetOutOfSyncComputers", **asked) == [name]
    status = {"UpdateId": str(uuid.uuid4()), "SummarizationState": 4, "LastChangeTime": this_moment()}
    report = {
        "InstanceId": str(uuid.uuid4()),
        "ComputerId": name,
        "EffectiveLastDetectionTime": this_moment(),
        "RollupNumber": 1,
        "IsFullRollup": True,
        "UpdateStatus": {"ComputerStatusRollupUpdateStatus": [status]},
    }
    reports = {"ComputerStatusRollupInfo": [report]}
    assert rollup("RollupComputerStatus", **common, parentServerId=told.id, computers=reports) is True
    assert not rollup("GetOutOfSyncComputers", **asked)


def test_details_of_a_computer_are_asked_for_where_it_is_new(rollup, stocked):
    """ChangedComputer has attributes only. First the computer is new, then under another server than before."""
    common = dict(cookie=open_cookie(), clientTime=this_moment())
    name = f"pc-{uuid.uuid4()}"
    for _ in range(2):
        server = Downstream(stocked.base).authorized()
        brief = computer_info(server, name)
        del brief["Details"]
        changed = rollup("RollupComputers", **common, computers={"ComputerRollupInfo": [brief]})
        assert [(entry.ComputerId, entry.Change) for entry in changed] == [(name, "NewParent")]
        assert not rollup("RollupComputers", **common, computers={"ComputerRollupInfo": [brief]})


def test_a_server_of_an_unknown_parent_is_refused(rollup, stocked):
    orphan = server_info(Downstream(stocked.base), parent=str(uuid.uuid4()))
    with pytest.raises(zeep.exceptions.Fault) as caught:
        rollup(
            "RollupDownstreamServers",
            cookie=open_cookie(),
            clientTime=this_moment(),
            downstreamServers={"DownstreamServerRollupInfo": [orphan]},
        )
    assert [node.tag for node in caught.value.detail][:1] == ["ErrorCode"]


def test_a_fault_reaches_a_server_as_a_fault(sync):
    spoiled = {"Expiration": this_moment(), "EncryptedData": b"not a cookie of this server"}
    with pytest.raises(zeep.exceptions.Fault) as caught:
        sync("GetConfigData", cookie=spoiled)
    assert [node.tag for node in caught.value.detail] == ["ErrorCode", "Message", "ID", "Method"]
    assert caught.value.detail.findtext("ErrorCode") == "InvalidCookie"
    assert sync.recorder.last.status_code == 500


@pytest.mark.parametrize("name", ["dss-auth", "server-sync", "server-reporting"])
def test_the_own_definition_describes_every_operation_of_the_published_one(name, stocked):
    found = wsdls.published(name)
    if found is None:
        pytest.skip("the published definitions (SLUICEGATE_SHARED/wsdl) are not here")
    own = wsdls.own(stocked.base, name)
    assert wsdls.operations(found) <= wsdls.operations(own)
    assert wsdls.operations(own) - wsdls.operations(found) <= {"GetDriverIdList", "GetDriverSetData"}
    addresses = [node.get("location") for node in own.iterfind(".//w:port/*", wsdls.SPACES) if node.get("location")]
    assert addresses and all(address.lower().startswith(stocked.base.lower()) for address in addresses), addresses
