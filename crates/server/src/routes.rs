//! Which endpoint a path names. Agents and administrators write paths in any letter case
//! (observed-behaviour 1.1), so nothing here distinguishes it.

use sluicegate_soap::Service;

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route<'a> {
    /// A SOAP service.
    Soap(Service),
    /// A file of the content directory; the path below `/Content/`.
    Content(&'a str),
    /// A file of the self-update directory; the path below `/SelfUpdate/`.
    SelfUpdate(&'a str),
    /// The admin API; the path below `/api/v1/`.
    Admin(&'a str),
    /// How the server is, as JSON.
    Health,
    /// How the server is, for Prometheus.
    Metrics,
    /// The front door.
    Root,
    /// Nothing of ours.
    Nowhere,
}

const SERVICES: &[(&str, &str, Service)] = &[
    ("SimpleAuthWebService", "SimpleAuth.asmx", Service::SimpleAuth),
    ("ClientWebService", "Client.asmx", Service::Client),
    ("ReportingWebService", "ReportingWebService.asmx", Service::Reporting),
    // The address in the published WSDL; agents use the one above (observed-behaviour 1.1).
    ("ReportingWebService", "WebService.asmx", Service::Reporting),
    ("DssAuthWebService", "DssAuthWebService.asmx", Service::DssAuth),
    // The address in the published WSDL, ServerSyncProxy.asmx, is 404 on real servers (observed-behaviour 1.1).
    ("ServerSyncWebService", "ServerSyncWebService.asmx", Service::ServerSync),
];

/// Finds the endpoint of a path. A base URL that ends in a slash makes agents ask for paths that begin
/// with two, so repeated slashes at the start count as one.
#[must_use]
pub fn route(path: &str) -> Route<'_> {
    let path = path.trim_start_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let is = |name: &str| first.eq_ignore_ascii_case(name);
    if let Some((.., service)) =
        SERVICES.iter().find(|(folder, file, _)| is(folder) && rest.eq_ignore_ascii_case(file))
    {
        return Route::Soap(*service);
    }
    match rest {
        "" if first.is_empty() => Route::Root,
        "" if is("healthz") => Route::Health,
        "" if is("metrics") => Route::Metrics,
        _ if is("Content") => Route::Content(rest),
        _ if is("SelfUpdate") => Route::SelfUpdate(rest),
        _ if is("api") => match rest.split_once('/') {
            Some((version, rest)) if version.eq_ignore_ascii_case("v1") => Route::Admin(rest),
            _ => Route::Nowhere,
        },
        _ => Route::Nowhere,
    }
}

/// The path of a service, as answers and help texts write it.
#[must_use]
pub const fn path_of(service: Service) -> &'static str {
    match service {
        Service::SimpleAuth => "/SimpleAuthWebService/SimpleAuth.asmx",
        Service::Client => "/ClientWebService/Client.asmx",
        Service::Reporting => "/ReportingWebService/ReportingWebService.asmx",
        Service::DssAuth => "/DssAuthWebService/DssAuthWebService.asmx",
        Service::ServerSync => "/ServerSyncWebService/ServerSyncWebService.asmx",
    }
}

/// Undoes `%XX` escapes; `None` when one is malformed or the result is not UTF-8.
#[must_use]
pub fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_found_in_any_letter_case() {
        for path in [
            "/ClientWebService/client.asmx",
            "/clientwebservice/CLIENT.ASMX",
            "//ClientWebService/Client.asmx",
        ] {
            assert_eq!(route(path), Route::Soap(Service::Client), "{path}");
        }
        assert_eq!(route("/SimpleAuthWebService/SimpleAuth.asmx"), Route::Soap(Service::SimpleAuth));
        assert_eq!(route("/ReportingWebService/webservice.asmx"), Route::Soap(Service::Reporting));
        assert_eq!(route("/dssauthwebservice/DSSAUTHWEBSERVICE.asmx"), Route::Soap(Service::DssAuth));
        assert_eq!(
            route("/serversyncwebservice/serversyncwebservice.ASMX"),
            Route::Soap(Service::ServerSync)
        );
        assert_eq!(route("/ServerSyncWebService/ServerSyncProxy.asmx"), Route::Nowhere);
        for service in Service::ALL {
            assert_eq!(route(path_of(service)), Route::Soap(service));
        }
    }

    #[test]
    fn folders_keep_the_rest_of_the_path() {
        assert_eq!(route("/content/AB/X.exe"), Route::Content("AB/X.exe"));
        assert_eq!(route("/SELFUPDATE/wuident.cab"), Route::SelfUpdate("wuident.cab"));
        assert_eq!(route("/api/v1/computers/a%20b"), Route::Admin("computers/a%20b"));
        assert_eq!(route("/Content"), Route::Content(""));
    }

    #[test]
    fn other_paths_are_nowhere() {
        for path in ["/ClientWebService", "/ClientWebService/other.asmx", "/api/v2/x", "/healthz/x", "/x"] {
            assert_eq!(route(path), Route::Nowhere, "{path}");
        }
        assert_eq!(route("/"), Route::Root);
        assert_eq!(route("/HealthZ"), Route::Health);
        assert_eq!(route("/metrics"), Route::Metrics);
    }

    #[test]
    fn escapes_are_undone_or_refused() {
        assert_eq!(percent_decode("B%C3%BCro%20%26").as_deref(), Some("Büro &"));
        for bad in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(percent_decode(bad), None, "{bad}");
        }
    }
}
