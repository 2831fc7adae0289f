// A downstream server on the classic .NET SOAP stack: the proxies that Mono's wsdl tool writes from the published
// definitions, every operation between servers, and a line per check: PASS name, or FAIL name: why.
//
// Arguments: base URL, id and revision of an approved update, the name of the group it is approved for, the
// Base64 SHA-1 of its first file, a folder to leave blobs and texts in.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Web.Services.Protocols;
using System.Xml;
using SyncProxy;

static class Downstream
{
    static int failures;

    static void Check(string name, bool holds, string detail)
    {
        Console.WriteLine(holds ? "PASS " + name : "FAIL " + name + ": " + detail);
        if (!holds) failures++;
    }

    static int Main(string[] arguments)
    {
        string root = arguments[0], group = arguments[3], folder = arguments[5];
        var approved = new UpdateIdentity { UpdateID = Guid.Parse(arguments[1]), RevisionNumber = int.Parse(arguments[2]) };
        byte[] digest = Convert.FromBase64String(arguments[4]);
        Guid server = Guid.NewGuid();
        try
        {
            var sync = new ServerSyncProxy { Url = root + "/ServerSyncWebService/ServerSyncWebService.asmx" };
            Cookie cookie = Enter(sync, root, server);
            Synchronize(sync, cookie, approved, digest, folder);
            Decisions(sync, cookie, approved, group);
            Refused(sync, cookie);
            Rollup(root, server);
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

    static Cookie Enter(ServerSyncProxy sync, string root, Guid server)
    {
        ServerAuthConfig config = sync.GetAuthConfig();
        AuthPlugInInfo plugIn = config.AuthInfo[0];
        Check("GetAuthConfig", config.AuthInfo.Length == 1 && plugIn.PlugInID == "DssTargeting", "" + plugIn.PlugInID);

        var auth = new DssAuthProxy.DssAuthWebService { Url = root + "/" + plugIn.ServiceUrl };
        var ticket = auth.GetAuthorizationCookie("mono.example.test", server.ToString(), null);
        Check("GetAuthorizationCookie", ticket.PlugInId == "DssTargeting" && ticket.CookieData.Length > 0, "" + ticket.PlugInId);
        Check("Ping of DssAuth", auth.Ping(0) != null, "null");

        var tickets = new[] { new AuthorizationCookie { PlugInId = ticket.PlugInId, CookieData = ticket.CookieData } };
        Cookie cookie = sync.GetCookie(tickets, null, "1.20");
        TimeSpan life = cookie.Expiration.ToUniversalTime() - DateTime.UtcNow;
        Check("GetCookie", cookie.EncryptedData.Length > 0 && life > TimeSpan.Zero && life <= TimeSpan.FromHours(4), life.ToString());
        Check("GetCookie again", sync.GetCookie(tickets, cookie, "1.20").EncryptedData.Length > 0, "empty");
        Check("Ping of ServerSync", sync.Ping(0) != null, "null");

        ServerSyncConfigData data = sync.GetConfigData(cookie, null);
        Check("GetConfigData limits", data.MaxNumberOfUpdatesPerRequest == 100 && data.MaxUpdatesPerRequestInGetUpdateDecryptionData == 100,
            "" + data.MaxNumberOfUpdatesPerRequest);
        Check("GetConfigData version", data.ProtocolVersion == "1.20", data.ProtocolVersion);
        Check("GetConfigData languages", data.LanguageUpdateList.Any(one => one.ShortLanguage == "en" && one.LanguageID == 1033), "no en");
        ServerSyncConfigData later = sync.GetConfigData(cookie, data.NewConfigAnchor);
        Check("GetConfigData unchanged", later.LanguageUpdateList.Length == 0, later.LanguageUpdateList.Length + " languages");
        return cookie;
    }

    static void Synchronize(ServerSyncProxy sync, Cookie cookie, UpdateIdentity approved, byte[] digest, string folder)
    {
        RevisionIdList categories = sync.GetRevisionIdList(cookie, new ServerSyncFilter { GetConfig = true });
        RevisionIdList updates = sync.GetRevisionIdList(cookie, new ServerSyncFilter());
        Check("GetRevisionIdList categories", categories.NewRevisions.Length > 0, "none");
        Check("GetRevisionIdList updates", updates.NewRevisions.Any(one => Same(one, approved)), updates.NewRevisions.Length + ", not the approved one");
        Check("GetRevisionIdList apart", !categories.NewRevisions.Any(one => Same(one, approved)), "an update among the categories");
        var news = sync.GetRevisionIdList(cookie, new ServerSyncFilter { Anchor = updates.Anchor });
        Check("GetRevisionIdList with an anchor", news.NewRevisions.Length == 0, news.NewRevisions.Length + " revisions");

        UpdateIdentity[] all = categories.NewRevisions.Concat(updates.NewRevisions).ToArray();
        var got = new List<ServerSyncUpdateData>();
        var urls = new List<ServerSyncUrlData>();
        while (got.Count < all.Length)
        {
            ServerUpdateData page = sync.GetUpdateData(cookie, all.Skip(got.Count).Take(100).ToArray());
            if (page.updates.Length == 0) break;
            got.AddRange(page.updates);
            urls.AddRange(page.fileUrls);
        }
        Check("GetUpdateData all", got.Count == all.Length && all.Zip(got, (id, data) => Same(id, data.Id)).All(same => same), got.Count + " of " + all.Length);
        Check("GetUpdateData one form", got.All(one => (one.XmlUpdateBlob == null) != (one.XmlUpdateBlobCompressed == null)), "both or neither");
        Check("GetUpdateData both forms", got.Any(one => one.XmlUpdateBlob != null) && got.Any(one => one.XmlUpdateBlobCompressed != null), "one form only");
        ServerSyncUpdateData wanted = got.First(one => Same(one.Id, approved));
        Check("GetUpdateData digests", wanted.FileDigestList.Any(one => one.SequenceEqual(digest)), "not there");
        Check("GetUpdateData files", urls.Any(one => one.FileDigest.SequenceEqual(digest)), "not there");
        foreach (ServerSyncUpdateData one in got)
        {
            string name = Path.Combine(folder, one.Id.UpdateID + "-" + one.Id.RevisionNumber);
            if (one.XmlUpdateBlobCompressed != null) File.WriteAllBytes(name + ".cab", one.XmlUpdateBlobCompressed);
            else File.WriteAllText(name + ".xml", one.XmlUpdateBlob);
        }
        ServerDecryptionData keys = sync.GetUpdateDecryptionData(cookie, new[] { approved });
        Check("GetUpdateDecryptionData", keys.UpdateFileDecryptionData.Length == 0, keys.UpdateFileDecryptionData.Length + " keys");
        sync.DownloadFiles(cookie, new[] { digest });
        Check("DownloadFiles", true, "");
        UpdateIdentity[] related = sync.GetRelatedRevisionsForUpdates(cookie, new[] { approved.UpdateID });
        Check("GetRelatedRevisionsForUpdates", related == null || related.Length == 0, "not empty");
    }

    static bool Same(UpdateIdentity one, UpdateIdentity other)
    {
        return one.UpdateID == other.UpdateID && one.RevisionNumber == other.RevisionNumber;
    }

    static void Decisions(ServerSyncProxy sync, Cookie cookie, UpdateIdentity approved, string group)
    {
        string anchor = sync.GetRevisionIdList(cookie, new ServerSyncFilter()).Anchor;
        ServerSyncDeploymentResult told = sync.GetDeployments(cookie, null, anchor);
        ServerSyncTargetGroup target = told.Groups.FirstOrDefault(one => one.Name == group);
        Check("GetDeployments groups", target != null && !target.IsBuiltin, string.Join(", ", told.Groups.Select(one => one.Name)));
        ServerSyncDeployment one_ = told.Deployments.FirstOrDefault(one => one.UpdateId == approved.UpdateID);
        Check("GetDeployments approval", one_ != null && one_.Action == 0 && one_.TargetGroupId == target.TargetGroupID, told.Deployments.Length + " deployments");
        Check("GetDeployments no deadline", one_.Deadline.Year == 9999, one_.Deadline.ToString("o"));
        Check("GetDeployments unchanged", sync.GetDeployments(cookie, told.Anchor, anchor).Deployments.Length == 0, "told again");
    }

    // A fault must surface as SoapException with the detail of MS-WSUSSS 2.2.9.3.
    static void Refused(ServerSyncProxy sync, Cookie cookie)
    {
        try
        {
            sync.GetConfigData(new Cookie { Expiration = cookie.Expiration, EncryptedData = new byte[] { 1, 2, 3 } }, null);
            Check("fault", false, "a spoiled cookie was taken");
        }
        catch (SoapException fault)
        {
            XmlNode code = fault.Detail.SelectSingleNode("ErrorCode");
            Check("fault", code != null && code.InnerText == "InvalidCookie", fault.Detail.OuterXml);
            Check("fault code", fault.Code == SoapException.ClientFaultCode, fault.Code.ToString());
        }
    }

    static void Rollup(string root, Guid server)
    {
        var rollup = new RollupProxy.WebService { Url = root + "/ReportingWebService/ReportingWebService.asmx" };
        var open = new RollupProxy.Cookie { Expiration = DateTime.MaxValue, EncryptedData = new byte[0] };
        Check("Ping of Reporting", rollup.Ping(0) != null, "null");
        RollupProxy.RollupConfiguration limits = rollup.GetRollupConfiguration(open);
        Check("GetRollupConfiguration", limits.DoDetailedRollup && limits.RollupComputersMaxBatchSize == 1500 && limits.ServerId != Guid.Empty,
            "" + limits.RollupComputersMaxBatchSize);

        DateTime now = DateTime.UtcNow, never = new DateTime(1753, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        var info = new RollupProxy.DownstreamServerRollupInfo
        {
            ServerId = server, FullDomainName = "mono.example.test", LastSyncTime = now, Version = "10.0.26100.1", LastRollupTime = now,
            ServerSummary = new RollupProxy.DownstreamServerRollupServerSummary { ComputerTargetCount = 1 },
            ClientSummaries = new[] { new RollupProxy.DownstreamServerRollupClientSummary { OSMajorVersion = 10, Count = 1 } }
        };
        rollup.RollupDownstreamServers(open, now, new[] { info });
        Check("RollupDownstreamServers", true, "");

        string name = "pc-" + Guid.NewGuid();
        var computer = new RollupProxy.ComputerRollupInfo
        {
            ComputerId = name, LastSyncTime = now, LastSyncResult = 1, LastReportedRebootTime = never, LastReportedStatusTime = never,
            LastInventoryTime = never, ParentServerId = server,
            Details = new RollupProxy.ComputerRollupDetails { FullDomainName = name, BiosReleaseDate = never, OSMajorVersion = 10 }
        };
        RollupProxy.ChangedComputer[] changed = rollup.RollupComputers(open, now, new[] { computer });
        Check("RollupComputers", changed == null || changed.Length == 0, "changed");
        var numbers = new[] { new RollupProxy.ComputerLastRollupNumber { ComputerId = name, RollupNumber = 1 } };
        string[] behind = rollup.GetOutOfSyncComputers(open, server, numbers);
        Check("GetOutOfSyncComputers", behind.Length == 1 && behind[0] == name, string.Join(", ", behind));

        var status = new RollupProxy.ComputerStatusRollupUpdateStatus { UpdateId = Guid.NewGuid(), SummarizationState = 4, LastChangeTime = now };
        var report = new RollupProxy.ComputerStatusRollupInfo
        {
            InstanceId = Guid.NewGuid(), ComputerId = name, EffectiveLastDetectionTime = now, RollupNumber = 1, IsFullRollup = true, UpdateStatus = new[] { status }
        };
        Check("RollupComputerStatus", rollup.RollupComputerStatus(open, now, server, new[] { report }), "false");
        behind = rollup.GetOutOfSyncComputers(open, server, numbers);
        Check("GetOutOfSyncComputers afterwards", behind == null || behind.Length == 0, string.Join(", ", behind ?? new string[0]));

        computer.LastSyncTime = now.AddDays(-900);
        computer.ParentServerId = Guid.NewGuid();
        try
        {
            rollup.RollupComputers(open, now, new[] { computer });
            Check("RollupComputers of a stranger", false, "taken");
        }
        catch (SoapException)
        {
            Check("RollupComputers of a stranger", true, "");
        }
    }
}
