//! The admin API: who may use it, what it answers, and what it says when it cannot.

use crate::support;

use serde_json::{Value, json};
use std::io::Write as _;
use support::catalog::{self, BUNDLE, COMPANY, MEMBER_A, PLAIN, update};
use support::{Agent, Site};

#[tokio::test]
async fn only_the_token_opens_it() {
    let site = Site::start().await;
    for headers in [vec![], vec![("Authorization", "Bearer wrong")], vec![("Authorization", "Basic YTpi")]] {
        let answer = site.request("GET", "/api/v1/status", &headers, b"").await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
        assert_eq!(answer.json()["error"]["code"], "unauthorized");
    }
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(site.dir.path().join("admin-token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let listen = std::fs::read_to_string(site.dir.path().join("listen")).unwrap();
    assert_eq!(listen.trim(), format!("http://{}", site.addr));
    assert_eq!(site.manage("GET", "status", json!(null)).await["catalog"]["updates"], 0);
}

#[tokio::test]
async fn refusals_say_what_and_why_with_an_id() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let approve = |n| format!("updates/{}/approve", update(n));
    let cases = [
        ("GET", "nothing".to_owned(), json!(null), 404, "no-such-path"),
        ("DELETE", "groups".to_owned(), json!(null), 405, "method"),
        ("GET", "updates/not-a-guid".to_owned(), json!(null), 400, "invalid"),
        ("GET", format!("updates/{}", update(77)), json!(null), 404, "unknown"),
        ("POST", approve(77), json!({ "group": "All Computers" }), 404, "unknown"),
        ("POST", approve(BUNDLE), json!({ "group": "Nobody" }), 404, "unknown"),
        ("POST", approve(BUNDLE), json!({}), 400, "invalid"),
        ("POST", approve(BUNDLE), json!({ "group": "All Computers", "action": "burn" }), 400, "invalid"),
        ("POST", approve(BUNDLE), json!({ "group": "All Computers", "deadline": "soon" }), 400, "invalid"),
        ("POST", approve(MEMBER_A), json!({ "group": "All Computers" }), 409, "not-possible"),
        ("POST", approve(COMPANY), json!({ "group": "All Computers" }), 409, "not-possible"),
        ("POST", "groups".to_owned(), json!({ "name": "all computers" }), 409, "not-possible"),
        ("POST", "groups".to_owned(), json!({ "name": "" }), 400, "invalid"),
        ("POST", "groups".to_owned(), json!([1]), 400, "invalid"),
        (
            "POST",
            "computers/nobody/move".to_owned(),
            json!({ "group": "Unassigned Computers" }),
            404,
            "unknown",
        ),
        ("PUT", "config".to_owned(), json!({ "targeting": "both" }), 400, "invalid"),
        ("PUT", "config".to_owned(), json!({ "colour": "red" }), 404, "unknown"),
        ("GET", "updates?approval=maybe".to_owned(), json!(null), 400, "invalid"),
        ("GET", "computers?status=maybe".to_owned(), json!(null), 400, "invalid"),
        ("GET", "updates?limit=many".to_owned(), json!(null), 400, "invalid"),
    ];
    for (method, path, body, status, code) in cases {
        let (got, value) = site.admin(method, &path, body).await;
        assert_eq!((got, value["error"]["code"].as_str()), (status, Some(code)), "{method} {path}: {value}");
        let said = value["error"]["message"].as_str().unwrap();
        assert!(
            !said.is_empty() && (!path.ends_with("=maybe") || said.contains(", any, not `maybe`")),
            "{said}"
        );
        assert!(value["error"]["id"].as_str().unwrap().parse::<sluicegate_terms::Guid>().is_ok());
    }
}

#[tokio::test]
async fn updates_are_listed_found_and_shown() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let list = site.manage("GET", "updates", json!(null)).await;
    assert_eq!(list["total"], 2, "what can be approved: {list}");
    let found = site.manage("GET", "updates?search=kb5000002", json!(null)).await;
    assert_eq!(found["updates"][0]["update_id"], update(PLAIN).to_string());
    let by_class =
        site.manage("GET", "updates?classification=fixes&product=Contoso%20Desk&limit=1", json!(null)).await;
    assert_eq!((by_class["total"].as_u64(), by_class["updates"].as_array().unwrap().len()), (Some(2), 1));
    let shown = site.manage("GET", &format!("updates/{}", update(PLAIN)), json!(null)).await;
    assert_eq!(shown["kb"], json!(["5000002"]));
    assert_eq!(shown["classification"], "Fixes");
    assert_eq!(shown["products"], json!(["Contoso Desk"]));
    assert_eq!(shown["files"][0]["sha1"], catalog::FILE_SHA1);
    assert_eq!(shown["files"][0]["held"], false);
    assert_eq!(shown["approval"], "unapproved");
    let member = site.manage("GET", &format!("updates/{}", update(MEMBER_A)), json!(null)).await;
    assert_eq!(member["bundled_by"], json!([update(BUNDLE).to_string()]));
    assert_eq!(member["follows"], json!(update(BUNDLE).to_string()));
}

#[tokio::test]
async fn approvals_come_and_go() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let group = site.manage("POST", "groups", json!({ "name": "Pilots", "parent": "All Computers" })).await;
    assert_eq!(group["parent"], "All Computers");
    let path = |action: &str| format!("updates/{}/{action}", update(PLAIN));
    let approved = site
        .manage(
            "POST",
            &path("approve"),
            json!({ "group": group["id"], "action": "uninstall", "deadline": "2026-12-01" }),
        )
        .await;
    assert_eq!(
        (approved["action"].as_str(), approved["deadline"].as_str()),
        (Some("uninstall"), Some("2026-12-01T00:00:00Z"))
    );
    let shown = site.manage("GET", &format!("updates/{}", update(PLAIN)), json!(null)).await;
    assert_eq!(shown["approvals"][0]["group"], "Pilots");
    assert_eq!(site.manage("GET", "updates?approval=approved", json!(null)).await["total"], 1);
    site.manage("POST", &path("unapprove"), json!({ "group": "Pilots" })).await;
    let (status, again) = site.admin("POST", &path("unapprove"), json!({})).await;
    assert_eq!(status, 409, "{again}");
    site.manage("POST", &path("decline"), json!(null)).await;
    assert_eq!(site.manage("GET", "updates?approval=declined", json!(null)).await["total"], 1);
}

#[tokio::test]
async fn one_bad_document_does_not_stop_the_others() {
    let site = Site::start().await;
    let good = catalog::small();
    let texts: Vec<String> = good.iter().map(|d| d.to_xml()).collect();
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(texts[0].encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let mut files: Vec<(&str, &[u8])> =
        vec![("first.xml", &utf16), ("bad.xml", b"<upd:Update"), ("dtd.xml", b"<!DOCTYPE x><x/>")];
    files.extend(texts.iter().skip(1).map(|text| ("rest.xml", text.as_bytes())));
    let report = site.import_files(&files).await;
    assert_eq!(report["report"]["added"], 8, "{report}");
    let held = report["report"]["quarantined"].as_array().unwrap();
    let sources: Vec<&str> = held.iter().map(|h| h["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["bad.xml", "dtd.xml"]);
    assert!(held.iter().all(|h| !h["reason"].as_str().unwrap().is_empty()));
    let listed = site.manage("GET", "catalog/quarantine", json!(null)).await;
    assert_eq!(listed["quarantine"].as_array().unwrap().len(), 2);
    let again = site.import_files(&[("rest.xml", texts[1].as_bytes())]).await;
    assert_eq!(
        (again["report"]["unchanged"].as_u64(), again["report"]["added"].as_u64()),
        (Some(1), Some(0))
    );
}

#[tokio::test]
async fn packages_are_unpacked() {
    let site = Site::start().await;
    let mut metadata = String::new();
    for document in catalog::small() {
        sluicegate_catalog::package::push_metadata_line(&mut metadata, document.identity, &document.to_xml());
    }
    let cab = sluicegate_soap::cabinet::write(&[
        ("metadata.txt", metadata.as_bytes()),
        ("package.xml", b"<ExportPackage />"),
    ])
    .unwrap();
    let report = site.import_files(&[("export.cab", &cab)]).await;
    assert_eq!(report["report"]["added"], 8, "{report}");
    let xml = catalog::plain(60, 1, "Packed").to_xml();
    let mut line = String::new();
    sluicegate_catalog::package::push_metadata_line(&mut line, catalog::identity(60, 1), &xml);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(line.as_bytes()).unwrap();
    let report = site
        .import_files(&[("export.xml.gz", &gz.finish().unwrap()), ("broken.cab", b"MSCF nonsense")])
        .await;
    assert_eq!(report["report"]["added"], 1, "{report}");
    assert_eq!(report["report"]["quarantined"][0]["source"], "broken.cab");
}

#[tokio::test]
async fn packages_of_another_major_version_are_held_back_whole() {
    let site = Site::start().await;
    let xml = catalog::plain(60, 1, "Packed").to_xml();
    let mut line = String::new();
    sluicegate_catalog::package::push_metadata_line(&mut line, catalog::identity(60, 1), &xml);
    let list = b"<ExportPackage FormatVersion=\"9.0\"><Files></Files></ExportPackage>";
    let members: [(&str, &[u8]); 2] = [("metadata.txt", line.as_bytes()), ("package.xml", list)];
    let cab = sluicegate_soap::cabinet::write(&members).unwrap();
    let report = site.import_files(&[("export.cab", &cab)]).await;
    assert_eq!(report["report"]["added"], 0, "{report}");
    let reason = report["report"]["quarantined"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("FormatVersion 9.0"), "{reason}");
}

#[tokio::test]
async fn an_import_that_breaks_off_leaves_nothing() {
    let site = Site::start().await;
    let xml = catalog::small()[0].to_xml();
    let head = format!("{{\"name\":\"a.xml\",\"size\":{}}}\n", xml.len());
    let body = format!("{head}{xml}{head}{}", &xml[..40]);
    let bearer = format!("Bearer {}", site.token());
    let answer =
        site.request("POST", "/api/v1/catalog/import", &[("Authorization", &bearer)], body.as_bytes()).await;
    let text = answer.text();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert!(last["error"]["message"].as_str().unwrap().contains("broke off"), "{last}");
    assert_eq!(site.manage("GET", "status", json!(null)).await["catalog"]["revisions"], 0);
}

#[tokio::test]
async fn computers_show_what_they_said() {
    let site = Site::start().await;
    let mut agent = Agent::new(&site, "PC-1");
    agent.join().await;
    agent.sync(support::agent::held(&[], &[])).await;
    let list = site.manage("GET", "computers", json!(null)).await;
    let row = &list["computers"][0];
    assert_eq!((row["id"].as_str(), row["dns_name"].as_str()), (Some("pc-1"), Some("PC-1.example.net")));
    assert_eq!(row["os"], "Windows 11 Pro (10.0.26200)");
    assert_eq!(row["groups"], json!(["Unassigned Computers"]));
    assert_eq!(row["client_version"], "1507.0.0.0");
    assert_eq!(row["last_sync"], "2026-10-04T12:00:00Z");
    let shown = site.manage("GET", "computers/pc-1", json!(null)).await;
    assert_eq!(shown["inventory"]["manufacturer"], "Contoso");
    let named = site.manage("GET", "computers/pc-1.EXAMPLE.net", json!(null)).await;
    assert_eq!(named["id"], "pc-1", "a name does as well");
    let groups = site.manage("GET", "groups", json!(null)).await;
    let unassigned =
        groups["groups"].as_array().unwrap().iter().find(|g| g["name"] == "Unassigned Computers").unwrap();
    assert_eq!(unassigned["computers"], 1);
    let group = json!({ "group": "Unassigned Computers" });
    let moved = site.manage("POST", "computers/PC-1.example.net/move", group.clone()).await;
    assert_eq!(moved["id"], "pc-1");
    let mut twin = Agent::new(&site, "PC-2");
    twin.dns_name = "pc-1.example.NET".to_owned();
    twin.join().await;
    for (method, path) in [("GET", "computers/pc-1.example.net"), ("POST", "computers/pc-1.example.net/move")]
    {
        let (status, refused) = site.admin(method, path, group.clone()).await;
        let said = refused["error"]["message"].as_str().unwrap();
        assert!(status == 400 && said.contains("by its id: pc-1, pc-2"), "{said}");
    }
}
