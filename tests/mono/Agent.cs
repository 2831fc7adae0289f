// An agent on the classic .NET SOAP stack: the proxies that Mono's wsdl tool writes from the published
// definitions, one whole conversation, and a line per check: PASS name, or FAIL name: why.
//
// Arguments: base URL, id of an approved update, its title, the Base64 SHA-1 of its first file,
// that file's path.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Web.Services.Protocols;
using System.Xml;
using ClientProxy;

static class Agent
{
    static int failures;

    static void Check(string name, bool holds, string detail)
    {
        Console.WriteLine(holds ? "PASS " + name : "FAIL " + name + ": " + detail);
        if (!holds) failures++;
    }

    static int Main(string[] arguments)
    {
        string root = arguments[0], approved = arguments[1], title = arguments[2];
        byte[] digest = Convert.FromBase64String(arguments[3]);
        string path = arguments[4];
        string computer = Guid.NewGuid().ToString();
        try
        {
            Converse(root, approved, title, digest, path, computer);
        }
        catch (SoapException fault)
        {
            Check("conversation", false, fault.Message + " " + (fault.Detail == null ? "" : fault.Detail.OuterXml));
        }
        catch (Exception problem)
        {
            Check("conversation", false, problem.ToString());
        }
        return failures == 0 ? 0 : 1;
    }

    static void Converse(string root, string approved, string title, byte[] digest, string path, string computer)
    {
        var client = new Client { Url = root + "/ClientWebService/client.asmx" };

        Config config = client.GetConfig("1.8");
        AuthPlugInInfo plugIn = config.AuthInfo.Length == 1 ? config.AuthInfo[0] : new AuthPlugInInfo();
        Check("GetConfig plug-in", plugIn.PlugInID == "SimpleTargeting" && config.AuthInfo.Length == 1, "" + plugIn.PlugInID);
        Check("GetConfig service", plugIn.ServiceUrl == "SimpleAuthWebService/SimpleAuth.asmx", "" + plugIn.ServiceUrl);
        Check("GetConfig registration", config.IsRegistrationRequired, "false");
        var properties = config.Properties.ToDictionary(one => one.Name, one => one.Value);
        Check("GetConfig limit", properties["MaxExtendedUpdatesPerRequest"] == "50", properties["MaxExtendedUpdatesPerRequest"]);
        Check("GetConfig version", properties["ProtocolVersion"] == "3.2", properties["ProtocolVersion"]);

        var simple = new SimpleAuthProxy.SimpleAuth { Url = root + "/" + plugIn.ServiceUrl };
        var ticket = simple.GetAuthorizationCookie(computer, null, "mono.example.test");
        Check("GetAuthorizationCookie", ticket.PlugInId == "SimpleTargeting" && ticket.CookieData.Length > 0, "" + ticket.PlugInId);

        var tickets = new[] { new AuthorizationCookie { PlugInId = ticket.PlugInId, CookieData = ticket.CookieData } };
        Cookie cookie = client.GetCookie(tickets, null, config.LastChange, DateTime.UtcNow, "1.8");
        TimeSpan life = cookie.Expiration.ToUniversalTime() - DateTime.UtcNow;
        Check("GetCookie data", cookie.EncryptedData.Length > 0, "empty");
        Check("GetCookie life", life > TimeSpan.Zero && life <= TimeSpan.FromHours(24), life.ToString());

        client.RegisterComputer(cookie, Computer());
        Check("RegisterComputer", true, "");

        Scan(client, ref cookie, approved, title, digest, path, computer, root);
    }

    static ComputerInfo Computer()
    {
        return new ComputerInfo
        {
            DnsName = "mono.example.test", OSMajorVersion = 10, OSMinorVersion = 0, OSBuildNumber = 26200,
            OSLocale = "en-US", ComputerManufacturer = "Contoso", ComputerModel = "Workbench 1", BiosVersion = "1.0",
            BiosName = "Contoso BIOS", BiosReleaseDate = new DateTime(2025, 2, 3, 0, 0, 0, DateTimeKind.Utc),
            ProcessorArchitecture = "AMD64", SuiteMask = 256, OldProductType = 1, NewProductType = 48,
            ClientVersionMajorNumber = 1507, ClientVersionMinorNumber = 2601, ClientVersionBuildNumber = 30012,
            OSDescription = "Windows 10 Pro", OEM = "Contoso", DeviceType = "Workbench 1", FirmwareVersion = "unknown",
            MobileOperator = "Not Present"
        };
    }

    // The software loop of MS-WUSP 3.1.5.7: categories and detectoids count as installed.
    static void Scan(Client client, ref Cookie cookie, string approved, string title, byte[] digest, string path, string computer, string root)
    {
        var installed = new SortedSet<int>();
        var other = new SortedSet<int>();
        var seen = new Dictionary<string, UpdateInfo>();
        int rounds = 0;
        for (bool again = true; again && rounds < 50; rounds++)
        {
            var parameters = new SyncUpdateParameters
            {
                ExpressQuery = false, SkipSoftwareSync = false,
                InstalledNonLeafUpdateIDs = installed.ToArray(), OtherCachedUpdateIDs = other.ToArray()
            };
            SyncInfo page = client.SyncUpdates(cookie, parameters);
            cookie = page.NewCookie;
            again = page.Truncated;
            foreach (UpdateInfo update in page.NewUpdates ?? new UpdateInfo[0])
            {
                var core = Fragment(update.Xml);
                string id = core.SelectSingleNode("/f/UpdateIdentity/@UpdateID").Value.ToLowerInvariant();
                string kind = core.SelectSingleNode("/f/Properties/@UpdateType").Value;
                seen[id] = update;
                bool present = !update.IsLeaf && (kind == "Category" || kind == "Detectoid");
                (present ? installed : other).Add(update.ID);
                again |= !update.IsLeaf;
            }
        }
        Check("SyncUpdates ends", rounds < 50, rounds + " rounds");
        Check("SyncUpdates delivers", seen.ContainsKey(approved), seen.Count + " updates, not the approved one");
        UpdateInfo found = seen[approved];
        Check("SyncUpdates action", found.Deployment.Action == DeploymentAction.Install, found.Deployment.Action.ToString());
        Check("SyncUpdates assigned", found.Deployment.IsAssigned, "false");
        DateTime changed;
        Check("SyncUpdates change date", DateTime.TryParse(found.Deployment.LastChangeTime, out changed), found.Deployment.LastChangeTime);

        var types = new[] { XmlUpdateFragmentType.Extended, XmlUpdateFragmentType.LocalizedProperties };
        ExtendedUpdateInfo more = client.GetExtendedUpdateInfo(cookie, new[] { found.ID }, types, new[] { "en-US", "en" }, "USA", "");
        Check("GetExtendedUpdateInfo parts", more.Updates.Length == 2 && more.Updates.All(one => one.ID == found.ID), more.Updates.Length + " parts");
        string text = Fragment(more.Updates[1].Xml).SelectSingleNode("/f/LocalizedProperties/Title").InnerText;
        Check("GetExtendedUpdateInfo title", text == title, text);
        FileLocation location = more.FileLocations.FirstOrDefault(one => one.FileDigest.SequenceEqual(digest));
        Check("GetExtendedUpdateInfo location", location != null && location.Url.StartsWith("http://") && location.Url.EndsWith(path), location == null ? "none" : location.Url);

        var reporting = new ReportingProxy.WebService { Url = root + "/ReportingWebService/ReportingWebService.asmx" };
        var ticket = new ReportingProxy.Cookie { Expiration = cookie.Expiration, EncryptedData = cookie.EncryptedData };
        bool taken = reporting.ReportEventBatch(ticket, DateTime.UtcNow, new[] { Event(computer) });
        Check("ReportEventBatch", taken, "false");

        Refused(client, cookie);
    }

    // A fault must surface as SoapException with the detail of MS-WUSP 2.2.2.4.
    static void Refused(Client client, Cookie cookie)
    {
        var spoiled = new Cookie { Expiration = cookie.Expiration, EncryptedData = new byte[] { 1, 2, 3 } };
        try
        {
            client.SyncUpdates(spoiled, new SyncUpdateParameters());
            Check("fault", false, "a spoiled cookie was taken");
        }
        catch (SoapException fault)
        {
            XmlNode code = fault.Detail.SelectSingleNode("ErrorCode");
            Check("fault", code != null && code.InnerText == "InvalidCookie", fault.Detail.OuterXml);
            Check("fault code", fault.Code == SoapException.ClientFaultCode, fault.Code.ToString());
        }
    }

    static XmlDocument Fragment(string xml)
    {
        var document = new XmlDocument();
        document.LoadXml("<f>" + xml + "</f>");
        return document;
    }

    static ReportingProxy.ReportingEvent Event(string computer)
    {
        return new ReportingProxy.ReportingEvent
        {
            BasicData = new ReportingProxy.BasicData
            {
                TargetID = new ReportingProxy.ComputerTargetIdentifier { Sid = computer },
                TimeAtTarget = DateTime.UtcNow, EventInstanceID = Guid.NewGuid(), NamespaceID = 1, EventID = 147, SourceID = 101,
                UpdateID = new ReportingProxy.UpdateRevisionIdentifier { UpdateID = Guid.Empty }
            },
            ExtendedData = new ReportingProxy.ExtendedData
            {
                ReplacementStrings = new[] { "3" }, MiscData = new[] { "G=1507.2601.30012.0" }, ComputerBrand = "Contoso",
                ComputerModel = "Workbench 1", BiosRevision = "1.0",
                ProcessorArchitecture = ReportingProxy.ProcessorArchitecture.Amd64Compatible,
                OSVersion = new ReportingProxy.DetailedVersion { Major = 10, Build = 26200, Revision = 65792 }, OSLocaleID = 1033
            },
            PrivateData = new ReportingProxy.PrivateData()
        };
    }
}
