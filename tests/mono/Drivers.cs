// The driver calls on the classic .NET SOAP stack. The published definitions leave them out, so the proxies are those
// that Mono's wsdl tool writes from the definitions the server gives of itself. A line per check: PASS name, or
// FAIL name: why.
//
// Arguments: base URL, a hardware id, id and revision of a driver for it, id of the category it stands in.

using System;
using System.Linq;
using System.Web.Services.Protocols;
using System.Xml;
using OwnSync;

static class Drivers
{
    static int failures;

    static void Check(string name, bool holds, string detail)
    {
        Console.WriteLine(holds ? "PASS " + name : "FAIL " + name + ": " + detail);
        if (!holds) failures++;
    }

    static int Main(string[] arguments)
    {
        try
        {
            Ask(arguments[0], arguments[1], Guid.Parse(arguments[2]), int.Parse(arguments[3]), Guid.Parse(arguments[4]));
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

    static void Ask(string root, string hardware, Guid driver, int revision, Guid category)
    {
        var auth = new OwnDssAuth.DssAuthWebService { Url = root + "/DssAuthWebService/DssAuthWebService.asmx" };
        var ticket = auth.GetAuthorizationCookie("drivers.example.test", Guid.NewGuid().ToString(), null);
        var sync = new ServerSyncProxy { Url = root + "/ServerSyncWebService/ServerSyncWebService.asmx" };
        var tickets = new[] { new AuthorizationCookie { PlugInId = ticket.PlugInId, CookieData = ticket.CookieData } };
        Cookie cookie = sync.GetCookie(tickets, null, "1.20");

        var wish = new ServerSyncDriverFilter
        {
            Categories = new[] { new IdAndDelta { Id = category, Delta = false } },
            ComputerIds = new[] { new IdAndDelta { Id = Guid.NewGuid(), Delta = false } },
            PnpHardwareIds = new[] { new HardwareIdAndDelta { Id = hardware, Delta = false } }
        };
        DriverSetAndRevisionIdList list = sync.GetDriverIdList(cookie, wish);
        Check("GetDriverIdList hit", list.NewRevisions.Any(one => one.UpdateID == driver && one.RevisionNumber == revision), list.NewRevisions.Length + " drivers, not this one");
        Check("GetDriverIdList anchor", !string.IsNullOrEmpty(list.Anchor), "none");
        Check("GetDriverIdList sets", None(list.NewDriverSets) && None(list.RemovedDriverSets), "some");

        wish.Anchor = list.Anchor;
        wish.Categories[0].Delta = wish.PnpHardwareIds[0].Delta = true;
        int news = sync.GetDriverIdList(cookie, wish).NewRevisions.Length;
        Check("GetDriverIdList delta", news == 0, news + " drivers");

        ServerDriverSetData sets = sync.GetDriverSetData(cookie, new[] { Guid.NewGuid() });
        Check("GetDriverSetData", sets.DriverSets == null || sets.DriverSets.Length == 0, "sets that nobody knows");
        try
        {
            sync.GetDriverSetData(cookie, Enumerable.Range(0, 10001).Select(one => Guid.NewGuid()).ToArray());
            Check("GetDriverSetData of too many", false, "taken");
        }
        catch (SoapException fault)
        {
            XmlNode code = fault.Detail.SelectSingleNode("ErrorCode");
            Check("GetDriverSetData of too many", code != null && code.InnerText == "InvalidParameters", fault.Detail.OuterXml);
        }
    }

    static bool None(Guid[] sets)
    {
        return sets == null || sets.Length == 0;
    }
}
