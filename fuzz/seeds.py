#!/usr/bin/env python3
"""Writes the first inputs of every fuzz target into fuzz/corpus: small, valid, made here."""

import struct
import sys
import zlib
from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[1] / "crates/doctor/samples"
CORPUS = Path(__file__).resolve().parent / "corpus"
SERVER = "http://www.microsoft.com/SoftwareDistribution"
CLIENT = SERVER + "/Server/ClientWebService"
AUTH = SERVER + "/Server/SimpleAuthWebService"
SOAP = {"11": "http://schemas.xmlsoap.org/soap/envelope/", "12": "http://www.w3.org/2003/05/soap-envelope"}
GUID = "6f1c2a52-9d0e-4b57-8a33-1d2e3f4a5b6c"
COOKIE = "<cookie><Expiration>2026-01-02T03:04:05.5Z</Expiration><EncryptedData>AAECAwQ=</EncryptedData></cookie>"
IDENTITY = f"<UpdateIdentity><UpdateID>{GUID}</UpdateID><RevisionNumber>200</RevisionNumber></UpdateIdentity>"


def ints(*values: int) -> str:
    return "".join(f"<int>{value}</int>" for value in values)


COMPUTER = (
    "<DnsName>pc.example</DnsName><OSMajorVersion>10</OSMajorVersion><OSMinorVersion>0</OSMinorVersion>"
    "<OSBuildNumber>26200</OSBuildNumber><OSServicePackMajorNumber>0</OSServicePackMajorNumber>"
    "<OSServicePackMinorNumber>0</OSServicePackMinorNumber><OSLocale>en-US</OSLocale>"
    "<ComputerManufacturer>Example</ComputerManufacturer><ComputerModel>One</ComputerModel><BiosVersion>1</BiosVersion>"
    "<BiosName>B</BiosName><BiosReleaseDate>2025-01-01T00:00:00</BiosReleaseDate>"
    "<ProcessorArchitecture>AMD64</ProcessorArchitecture><SuiteMask>256</SuiteMask><OldProductType>1</OldProductType>"
    "<NewProductType>48</NewProductType><SystemMetrics>0</SystemMetrics>"
)
DEVICE = (
    "<Device><HardwareIDs><string>PCI\\VEN_8086&amp;DEV_1533</string></HardwareIDs><CompatibleIDs><string>PCI\\CC_0200"
    "</string></CompatibleIDs><installedDriver><MatchingID>PCI\\VEN_8086</MatchingID><DriverVerDate>2024-01-01T00:00:00"
    "</DriverVerDate><DriverVerVersion>281474976710656</DriverVerVersion><Class>Net</Class><Manufacturer>M</Manufacturer>"
    "<Provider>P</Provider><Model>X</Model><MatchingRank>16711680</MatchingRank></installedDriver></Device>"
)
EVENT = (
    f"<ReportingEvent><BasicData><TargetID><Sid>{GUID}</Sid></TargetID><SequenceNumber>0</SequenceNumber>"
    f"<TimeAtTarget>2026-01-02T03:04:05Z</TimeAtTarget><EventInstanceID>{GUID}</EventInstanceID><NamespaceID>1</NamespaceID>"
    f"<EventID>156</EventID><SourceID>101</SourceID>{IDENTITY.replace('UpdateIdentity', 'UpdateID', 1).replace('/UpdateIdentity', '/UpdateID')}"
    "<Win32HResult>-2145124338</Win32HResult><AppName>a</AppName></BasicData><ExtendedData><ReplacementStrings><string>r</string>"
    f"</ReplacementStrings><MiscData><string>U={GUID.upper()}</string></MiscData><ComputerBrand>b</ComputerBrand>"
    "<ComputerModel>m</ComputerModel><BiosRevision>1</BiosRevision><ProcessorArchitecture>Amd64Compatible"
    "</ProcessorArchitecture><OSVersion><Major>10</Major><Minor>0</Minor><Build>26200</Build><Revision>65792</Revision>"
    "<ServicePackMajor>0</ServicePackMajor><ServicePackMinor>0</ServicePackMinor></OSVersion><OSLocaleID>1033</OSLocaleID>"
    "</ExtendedData><PrivateData><ComputerDnsName /><UserAccountName /></PrivateData></ReportingEvent>"
)
OPERATIONS = {
    "GetConfig": (CLIENT, "<protocolVersion>2.90</protocolVersion>"),
    "GetCookie": (
        CLIENT,
        "<authCookies><AuthorizationCookie><PlugInId>SimpleTargeting</PlugInId><CookieData>AAAA</CookieData>"
        "</AuthorizationCookie></authCookies><oldCookie><Expiration>2026-01-01T00:00:00Z</Expiration></oldCookie>"
        "<lastChange>2026-01-01T00:00:00.1234567Z</lastChange><currentTime>2026-01-02T00:00:00Z</currentTime>"
        "<protocolVersion>2.90</protocolVersion>",
    ),
    "RegisterComputer": (CLIENT, f"{COOKIE}<computerInfo>{COMPUTER}</computerInfo>"),
    "StartCategoryScan": (
        CLIENT,
        f"<requestedCategories><CategoryRelationship><IndexOfAndGroup>0</IndexOfAndGroup><CategoryId>{GUID}</CategoryId>"
        "</CategoryRelationship></requestedCategories>",
    ),
    "SyncUpdates": (
        CLIENT,
        f"{COOKIE}<parameters><ExpressQuery>false</ExpressQuery><InstalledNonLeafUpdateIDs>{ints(1, 22, 333)}"
        f"</InstalledNonLeafUpdateIDs><OtherCachedUpdateIDs>{ints(4, 50)}</OtherCachedUpdateIDs><SystemSpec>{DEVICE}"
        "</SystemSpec><SkipSoftwareSync>true</SkipSoftwareSync><FilterCategoryIds><CategoryIdentifier><Id>"
        f"{GUID}</Id></CategoryIdentifier></FilterCategoryIds><NeedTwoGroupOutOfScopeUpdates>true"
        f"</NeedTwoGroupOutOfScopeUpdates><ComputerSpec><HardwareIDs><guid>{GUID}</guid></HardwareIDs></ComputerSpec>"
        "<FeatureScoreMatchingKey>AMD64.10.0</FeatureScoreMatchingKey></parameters>",
    ),
    "SyncPrinterCatalog": (
        CLIENT,
        f"{COOKIE}<installedNonLeafUpdateIDs>{ints(1)}</installedNonLeafUpdateIDs><printerUpdateIDs>{ints(2)}"
        f"</printerUpdateIDs><deviceAttributes>A=1;</deviceAttributes>",
    ),
    "RefreshCache": (CLIENT, f"{COOKIE}<globalIDs>{IDENTITY}</globalIDs>"),
    "GetExtendedUpdateInfo": (
        CLIENT,
        f"{COOKIE}<revisionIDs>{ints(7)}</revisionIDs><infoTypes><XmlUpdateFragmentType>Extended</XmlUpdateFragmentType>"
        "</infoTypes><locales><string>en-US</string></locales><geoId>USA</geoId>",
    ),
    "GetExtendedUpdateInfo2": (
        CLIENT,
        f"{COOKIE}<updateIDs>{IDENTITY}</updateIDs><infoTypes><XmlUpdateFragmentType>Extended</XmlUpdateFragmentType>"
        "</infoTypes><locales><string>en</string></locales><deviceAttributes>E:x=1</deviceAttributes>",
    ),
    "GetFileLocations": (
        CLIENT,
        f"{COOKIE}<fileDigests><base64Binary>AAAAAAAAAAAAAAAAAAAAAAAAAAA=</base64Binary></fileDigests>",
    ),
    "GetAuthorizationCookie": (
        AUTH,
        f"<clientId>{GUID}</clientId><targetGroupName>Lab</targetGroupName><dnsName>pc.example</dnsName>",
    ),
    "ReportEventBatch": (
        SERVER,
        f"{COOKIE}<clientTime>2026-01-02T03:04:05Z</clientTime><eventBatch>{EVENT}</eventBatch>",
    ),
    "GetRequiredInventoryType": (SERVER, f"{COOKIE}<rulesId>{GUID}</rulesId><rulesVersion>1</rulesVersion>"),
}


def envelope(soap: str, namespace: str, operation: str, body: str, prefix: str = "s") -> bytes:
    return (
        f'<{prefix}:Envelope xmlns:{prefix}="{soap}"><{prefix}:Body><{operation} xmlns="{namespace}">{body}'
        f"</{operation}></{prefix}:Body></{prefix}:Envelope>"
    ).encode()


def soap_requests():
    for operation, (namespace, body) in OPERATIONS.items():
        for version, soap in SOAP.items():
            yield f"{operation}-{version}", envelope(soap, namespace, operation, body)
    yield "declared", b'<?xml version="1.0" encoding="utf-8"?>\r\n' + envelope(
        SOAP["11"], CLIENT, "GetConfig", "<protocolVersion>1.8</protocolVersion>", "soap"
    )
    # Characters that no XML may contain, in a value and in a name: to be refused.
    yield "control", envelope(SOAP["11"], AUTH, "GetAuthorizationCookie", f"<clientId>{GUID}</clientId><dnsName>p\x1cc</dnsName>")
    yield "doctype", b'<!DOCTYPE a [<!ENTITY b "c">]>' + envelope(SOAP["11"], CLIENT, "GetConfig", "&b;")


DSS = SERVER + "/Server/DssAuthWebService"
PASS = "<cookie><Expiration>9999-12-31T23:59:59.9999999</Expiration><EncryptedData /></cookie>"
TIME = "2026-01-02T03:04:05.5Z"
ID = f"<UpdateID>{GUID}</UpdateID><RevisionNumber>200</RevisionNumber>"
DIGEST = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
BETWEEN_SERVERS = {
    "GetAuthConfig": "",
    "GetAuthConfigResponse": f"<GetAuthConfigResult><LastChange>{TIME}</LastChange><AuthInfo><AuthPlugInInfo><PlugInID>DssTargeting"
    "</PlugInID><ServiceUrl>DssAuthWebService/DssAuthWebService.asmx</ServiceUrl><Parameter /></AuthPlugInInfo></AuthInfo>"
    "</GetAuthConfigResult>",
    "GetCookie": "<authCookies><AuthorizationCookie><PlugInId>DssTargeting</PlugInId><CookieData>AAAA</CookieData>"
    "</AuthorizationCookie></authCookies><oldCookie><Expiration>2026-01-01T00:00:00Z</Expiration></oldCookie>"
    "<protocolVersion>1.20</protocolVersion>",
    "GetCookieResponse": f"<GetCookieResult><Expiration>{TIME}</Expiration><EncryptedData>AAEC</EncryptedData></GetCookieResult>",
    "GetConfigData": f"{COOKIE}<configAnchor>1,{TIME}</configAnchor>",
    "GetConfigDataResponse": "<GetConfigDataResult><CatalogOnlySync>false</CatalogOnlySync><LazySync>true</LazySync>"
    "<ServerHostsPsfFiles>false</ServerHostsPsfFiles><MaxNumberOfComputerHardwareIds>0</MaxNumberOfComputerHardwareIds>"
    "<MaxNumberOfUpdatesPerRequest>100</MaxNumberOfUpdatesPerRequest><NewConfigAnchor>1,2</NewConfigAnchor>"
    "<ProtocolVersion>1.20</ProtocolVersion><LanguageUpdateList><ServerSyncLanguageData><LanguageID>0</LanguageID>"
    "<ShortLanguage>all</ShortLanguage><LongLanguage>all</LongLanguage><Enabled>true</Enabled></ServerSyncLanguageData>"
    "</LanguageUpdateList></GetConfigDataResult>",
    "GetRevisionIdList": f"{COOKIE}<filter><Anchor>3,{TIME}</Anchor><GetConfig>false</GetConfig><Get63LanguageOnly>false"
    f"</Get63LanguageOnly><Categories><IdAndDelta><Id>{GUID}</Id><Delta>true</Delta></IdAndDelta></Categories><Classifications>"
    f"<IdAndDelta><Id>{GUID}</Id><Delta>false</Delta></IdAndDelta></Classifications><Languages><LanguageAndDelta><Id>1033</Id>"
    "<Delta>false</Delta></LanguageAndDelta></Languages></filter>",
    "GetRevisionIdListResponse": f"<GetRevisionIdListResult><Anchor>4,{TIME}</Anchor><NewRevisions><UpdateIdentity>{ID}"
    "</UpdateIdentity></NewRevisions></GetRevisionIdListResult>",
    "GetUpdateData": f"{COOKIE}<updateIds><UpdateIdentity>{ID}</UpdateIdentity></updateIds>",
    "GetUpdateDataResponse": f"<GetUpdateDataResult><updates><ServerSyncUpdateData><Id>{ID}</Id><FileDigestList><base64Binary>"
    f"{DIGEST}</base64Binary></FileDigestList><XmlUpdateBlob>&lt;a/&gt;</XmlUpdateBlob></ServerSyncUpdateData></updates><fileUrls>"
    f"<ServerSyncUrlData><FileDigest>{DIGEST}</FileDigest><MUUrl>http://x.invalid/a</MUUrl><UssUrl /></ServerSyncUrlData></fileUrls>"
    "</GetUpdateDataResult>",
    "GetDeployments": f"{COOKIE}<deploymentAnchor>1,{TIME}</deploymentAnchor><syncAnchor>2,{TIME}</syncAnchor>",
    "GetDeploymentsResponse": f"<GetDeploymentsResult><Anchor>1</Anchor><Groups><ServerSyncTargetGroup><TargetGroupID>{GUID}"
    f"</TargetGroupID><ParentGroupId>{GUID}</ParentGroupId><Name>N</Name><IsBuiltin>false</IsBuiltin></ServerSyncTargetGroup></Groups>"
    f"<Deployments><ServerSyncDeployment><UpdateId>{GUID}</UpdateId><RevisionNumber>1</RevisionNumber><Action>0</Action>"
    f"<AdminName>A</AdminName><Deadline>{TIME}</Deadline><IsAssigned>true</IsAssigned><GoLiveTime>{TIME}</GoLiveTime>"
    f"<DeploymentGuid>{GUID}</DeploymentGuid><TargetGroupId>{GUID}</TargetGroupId><DownloadPriority>2</DownloadPriority>"
    f"</ServerSyncDeployment></Deployments><DeadDeployments><guid>{GUID}</guid></DeadDeployments><HiddenUpdates />"
    f"<AcceptedEulas><guid>{GUID}</guid></AcceptedEulas></GetDeploymentsResult>",
    "DownloadFiles": f"{COOKIE}<fileDigestList><base64Binary>{DIGEST}</base64Binary></fileDigestList>",
    "DownloadFilesResponse": "",
    "GetRollupConfiguration": PASS,
    "RollupComputers": f'{PASS}<clientTime>{TIME}</clientTime><computers><ComputerRollupInfo ComputerId="{GUID}" LastSyncTime="{TIME}" '
    f'LastSyncResult="1" LastReportedRebootTime="{TIME}" LastReportedStatusTime="{TIME}" LastInventoryTime="{TIME}" '
    f'ParentServerId="{GUID}" /></computers>',
    "RollupComputersResponse": f'<RollupComputersResult><ChangedComputer ComputerId="{GUID}" Change="NewParent" /></RollupComputersResult>',
    "GetOutOfSyncComputers": f'{PASS}<parentServerId>{GUID}</parentServerId><lastRollupNumbers><ComputerLastRollupNumber ComputerId="{GUID}" '
    'RollupNumber="3" /></lastRollupNumbers>',
    "GetOutOfSyncComputersResponse": f"<GetOutOfSyncComputersResult><string>{GUID}</string></GetOutOfSyncComputersResult>",
    "RollupComputerStatus": f'{PASS}<clientTime>{TIME}</clientTime><parentServerId>{GUID}</parentServerId><computers>'
    f'<ComputerStatusRollupInfo InstanceId="{GUID}" ComputerId="{GUID}" EffectiveLastDetectionTime="{TIME}" RollupNumber="1" '
    f'IsFullRollup="true"><UpdateStatus><ComputerStatusRollupUpdateStatus UpdateId="{GUID}" SummarizationState="4" '
    f'LastChangeTime="{TIME}" /></UpdateStatus></ComputerStatusRollupInfo></computers>',
    "RollupComputerStatusResponse": "<RollupComputerStatusResult>true</RollupComputerStatusResult>",
}


def server_messages():
    for operation, body in BETWEEN_SERVERS.items():
        yield operation, envelope(SOAP["11"], SERVER, operation, body, "soap")
    yield "GetAuthorizationCookie", envelope(
        SOAP["11"], DSS, "GetAuthorizationCookie", f"<accountName>north.example</accountName><accountGuid>{GUID}</accountGuid>"
    )
    yield "fault", envelope(SOAP["11"], SOAP["11"], "soap:Fault", "<faultcode>soap:Client</faultcode>", "soap")


def block(original: int, payload: bytes) -> bytes:
    return struct.pack("<ii", original, len(payload)) + payload


def xpress_bodies():
    yield "stored", block(5, b"plain")
    yield "literals", block(33, b"\0\0\0\0" + bytes(range(32)) + b"\x7f\xff\xff\xff" + b"x")
    yield "run", block(300, bytes.fromhex("ffffff1f6162631700 0fff2601"))
    yield "lengths", bytes.fromhex("ffffff1f6162631700 0fff2601")
    yield "shared", bytes.fromhex("ffffff5f78070031 79 0700".replace(" ", ""))
    yield "two", block(300, bytes.fromhex("ffffff1f6162631700 0fff2601")) + block(2, b"ok")
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    yield "gzip", compressor.compress(b"<a/>" * 50) + compressor.flush()


def cabinet(scheme: int, members: dict[str, bytes], blocks: list[tuple[int, bytes]]) -> bytes:
    """One folder; each block with its uncompressed size; no checksums, so that mutations get past them."""
    directory, offset = b"", 0
    for name, data in members.items():
        directory += struct.pack("<IIHHHH", len(data), offset, 0, 0, 0, 0) + name.encode() + b"\0"
        offset += len(data)
    head = b"MSCF" + struct.pack("<IIIIIBBHHHHH", 0, 0, 0, 44, 0, 3, 1, 1, len(members), 0, 0, 0)
    head += struct.pack("<IHH", 44 + len(directory), len(blocks), scheme)
    return head + directory + b"".join(struct.pack("<IHH", 0, len(data), size) + data for size, data in blocks)


def mszip(data: bytes, history: bytes = b"") -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=history) if history else zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"CK" + compressor.compress(data) + compressor.flush()


def cabinets():
    one, two = b"detect, download, install", b"report, report, report"
    yield "stored", cabinet(0, {"a": one, "b": two}, [(30, (one + two)[:30]), (17, (one + two)[30:])])
    yield "mszip", cabinet(1, {"a": one, "b": two}, [(47, mszip(one + two))])
    yield "mszip-two", cabinet(1, {"a": one, "b": two}, [(25, mszip(one)), (22, mszip(two, one))])
    # An uncompressed LZX block: no E8 translation, type 3, size, three repeated offsets, bytes, padding.
    header = 0b011 << 28 | len(one) << 4
    lzx = struct.pack("<HHIII", header >> 16, header & 0xFFFF, 1, 1, 1) + one + b"\0"
    for window in (15, 21):
        yield f"lzx-{window}", cabinet(window << 8 | 3, {"a": one}, [(len(one), lzx)])


MSUS = "http://schemas.microsoft.com/msus/2002/12/"


def documents():
    head = (
        f'<upd:Update xmlns:upd="{MSUS}Update" xmlns:pub="{MSUS}Publishing" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xmlns:bar="{MSUS}BaseApplicabilityRules" xmlns:lar="{MSUS}LogicalApplicabilityRules" xmlns:cat="{MSUS}UpdateHandlers/Category" '
        f'xmlns:cmd="{MSUS}UpdateHandlers/CommandLineInstallation" xmlns:drv="{MSUS}UpdateHandlers/WindowsDriver">'
        f'<upd:UpdateIdentity UpdateID="{GUID}" RevisionNumber="100" />'
    )
    texts = (
        '<upd:LocalizedPropertiesCollection><upd:LocalizedProperties><upd:Language>en</upd:Language><upd:Title>T</upd:Title>'
        "<upd:Description>D</upd:Description></upd:LocalizedProperties></upd:LocalizedPropertiesCollection>"
    )
    category = (
        f'{head}<upd:Properties UpdateType="Category" DefaultPropertiesLanguage="en" Handler="{MSUS}UpdateHandlers/Category" '
        f'CreationDate="2020-01-02T03:04:05Z" PublisherID="{GUID}" />{texts}<upd:Relationships><upd:Prerequisites>'
        f'<upd:UpdateIdentity UpdateID="{GUID[:-1]}d" /></upd:Prerequisites></upd:Relationships><upd:ApplicabilityRules>'
        '<upd:IsInstalled><lar:True /></upd:IsInstalled></upd:ApplicabilityRules><upd:HandlerSpecificData xsi:type="cat:Category">'
        '<cat:CategoryInformation CategoryType="Product" ProhibitsSubcategories="true" ProhibitsUpdates="false" '
        'ExcludedByDefault="false" /></upd:HandlerSpecificData></upd:Update>'
    )
    software = (
        f'{head}<upd:Properties UpdateType="Software" DefaultPropertiesLanguage="en" ExplicitlyDeployable="true" MaxDownloadSize="10" '
        f'MinDownloadSize="0" Handler="{MSUS}UpdateHandlers/CommandLineInstallation" CreationDate="2020-01-02T03:04:05Z" PublisherID="{GUID}" '
        'PublicationState="Published" MsrcSeverity="Critical" EulaID="{0}"><upd:InstallationBehavior RebootBehavior="NeverReboots" />'
        "<upd:KBArticleID>4052623</upd:KBArticleID><upd:SecurityBulletinID>MS1</upd:SecurityBulletinID></upd:Properties>"
        f"{texts}<upd:Relationships><upd:Prerequisites><upd:AtLeastOne IsCategory=\"true\"><upd:UpdateIdentity UpdateID=\"{GUID[:-1]}e\" />"
        f'</upd:AtLeastOne></upd:Prerequisites><upd:SupersededUpdates><upd:UpdateIdentity UpdateID="{GUID[:-1]}f" /></upd:SupersededUpdates>'
        f'<upd:BundledUpdates><upd:AtLeastOne><upd:UpdateIdentity UpdateID="{GUID[:-1]}0" RevisionNumber="1" /></upd:AtLeastOne>'
        "</upd:BundledUpdates></upd:Relationships><upd:ApplicabilityRules><upd:IsInstalled><lar:And><bar:RegDword "
        'Key="HKEY_LOCAL_MACHINE" Subkey="A\\B" Value="C" Comparison="EqualTo" Data="1" /><lar:Not><bar:FileExists Path="a.dll" Csidl="37" />'
        "</lar:Not></lar:And></upd:IsInstalled></upd:ApplicabilityRules><upd:Files><upd:File Digest=\"AAAAAAAAAAAAAAAAAAAAAAAAAAA=\" "
        'DigestAlgorithm="SHA1" FileName="a.exe" Size="10" Modified="2020-01-02T03:04:05Z"><upd:AdditionalDigest Algorithm="SHA256">'
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=</upd:AdditionalDigest></upd:File></upd:Files><upd:HandlerSpecificData "
        'xsi:type="cmd:CommandLineInstallation"><cmd:InstallCommand Program="a.exe" Arguments="/q" /></upd:HandlerSpecificData></upd:Update>'
    ).replace("{0}", GUID)
    driver = (
        f'{head}<upd:Properties UpdateType="Driver" DefaultPropertiesLanguage="en" CreationDate="2020-01-02T03:04:05Z" PublisherID="{GUID}" />'
        f'{texts}<upd:ApplicabilityRules><upd:Metadata><drv:WindowsDriverMetaData HardwareID="PCI\\VEN_1" WhqlDriverID="1" Manufacturer="M" '
        'Company="C" Provider="P" DriverVerDate="2020-01-02" DriverVerVersion="1.2.3.4" Class="Net" Model="X"><drv:FeatureScore '
        f'OperatingSystem="AMD64.10.0" FeatureScore="255" /><drv:TargetComputerHardwareId>{GUID}</drv:TargetComputerHardwareId>'
        "</drv:WindowsDriverMetaData></upd:Metadata></upd:ApplicabilityRules></upd:Update>"
    )
    for name, text in {"category": category, "software": software, "driver": driver}.items():
        yield name, text.encode()
    yield "control", software.replace("bar:FileExists ", "bar:FileEx\x08ists ").encode()
    yield "utf16", b"\xff\xfe" + category.encode("utf-16le")
    yield "utf16-bare", category.encode("utf-16le")


def cookies():
    """The content of a cookie as crates/server/src/cookie.rs lays it out, unsealed; and shapes near it."""
    times = struct.pack("<qq16sq", 17 * 10**15, 17 * 10**15 + 36 * 10**9, bytes(16), 10**15)
    fixed = times + struct.pack("<IHH6Q", 1, 2, 90, 5, 6, 7, 2**63, 8, 9)
    for groups in (0, 1, 3):
        yield f"groups-{groups}", fixed + struct.pack("<H", 4) + b"pc-1" + bytes([groups]) + bytes(16) * groups
    yield "short", fixed
    yield "sealed-shape", b"\x02\x02" + bytes(12 + 100 + 16)


def logs():
    """The doctor's samples that are small; the files of one folder are parted by a record separator."""
    for sample in sorted(SAMPLES.glob("*/*")):
        files = sorted(sample.iterdir()) if sample.is_dir() else [sample]
        data = b"\x1e".join(file.read_bytes() for file in files if file.is_file())
        if len(data) <= 8192:
            yield f"{sample.parent.name}-{sample.name}", data
    text = "2023/01/10 10:00:00.1 1000 2000 Agent *FAILED* [80072EE2] x\r\n"
    yield "utf16", b"\xff\xfe" + text.encode("utf-16le")
    yield "utf16-big", text.encode("utf-16be")
    yield "code-page", text.replace("x", "\xfcber").encode("cp1252")
    request = "2026-01-02 03:04:05 10.0.0.1 POST /ClientWebService/client.asmx - 8530 - 10.0.0.9 A - 503 0 0 4\n"
    yield "iis", ("#Fields: date time s-ip cs-method cs-uri-stem sc-status\n" + request * 3).encode()


TARGETS = {
    "soap_request": soap_requests,
    "server_messages": server_messages,
    "xpress": xpress_bodies,
    "cabinet": cabinets,
    "update_document": documents,
    "cookie": cookies,
    "doctor_logs": logs,
}


def main() -> None:
    for target, seeds in TARGETS.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds():
            (folder / f"seed-{name}").write_bytes(data)
    print(f"seeds: {len(TARGETS)} targets in {CORPUS}", file=sys.stderr)


if __name__ == "__main__":
    main()
