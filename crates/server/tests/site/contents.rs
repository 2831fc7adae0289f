//! Files: taken in only when they match, served whole and in ranges as recorded from real servers.

use crate::support;

use serde_json::json;
use sluicegate_catalog::compose::Document;
use support::catalog::{self, FILE, FILE_SHA1};
use support::{Answer, Site};

async fn filled() -> Site {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let (status, value) = site.upload("Fox.EXE", FILE).await;
    assert_eq!(status, 200, "{value}");
    assert_eq!(value["updates"], json!([catalog::update(catalog::PLAIN).to_string()]));
    site
}

fn path() -> String {
    format!("/Content/12/{FILE_SHA1}.exe")
}

async fn ranged(site: &Site, range: &str) -> Answer {
    site.request("GET", &path(), &[("Range", range)], b"").await
}

#[tokio::test]
async fn only_declared_and_matching_files_enter() {
    let site = Site::start().await;
    let (status, value) = site.upload("fox.exe", FILE).await;
    assert_eq!((status, value["error"]["code"].as_str()), (422, Some("undeclared-content")), "{value}");
    assert_eq!(site.get(&path()).await.status, 404);
    site.import(&catalog::small()).await;
    assert_eq!(site.get(&path()).await.status, 404, "declared, not held");
    let (status, _) = site.upload("fox.exe", b"The quick brown fox").await;
    assert_eq!(status, 422);
    let (status, _) = site.upload("fox.exe", FILE).await;
    assert_eq!(status, 200);
    let (_, again) = site.upload("fox.exe", FILE).await;
    assert_eq!(again["already_held"], true);
    assert_eq!(site.get(&path()).await.body, FILE);
}

#[tokio::test]
async fn a_whole_file_has_the_recorded_header_fields() {
    let site = filled().await;
    let answer = site.get(&path()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, FILE);
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(answer.header("last-modified"), Some("Sun, 04 Oct 2026 12:00:00 GMT"));
    assert_eq!(answer.header("etag"), Some(format!("\"{FILE_SHA1}\"").as_str()));
    assert!(answer.header("cache-control").is_none());
    let head = site.request("HEAD", &path(), &[("Range", "bytes=0-1")], b"").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("43")));
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn paths_are_tolerant_of_letter_case_only() {
    let site = filled().await;
    assert_eq!(site.get(&path().to_lowercase()).await.body, FILE);
    assert_eq!(site.get(&format!("/Content/13/{FILE_SHA1}.exe")).await.status, 404);
    assert_eq!(site.get(&format!("/Content/12/{FILE_SHA1}")).await.status, 403);
    for escape in [
        "/Content/../admin-token",
        "/Content/12/../../admin-token",
        "/Content/%2e%2e/admin-token",
        "/SelfUpdate/../admin-token",
    ] {
        assert_eq!(site.get(escape).await.status, 404, "{escape}");
    }
    assert_eq!(site.request("POST", &path(), &[], b"").await.status, 405);
    assert_eq!(
        site.get(&format!("/Content/12/{FILE_SHA1}.cab")).await.header("content-type"),
        Some("application/vnd.ms-cab-compressed")
    );
}

#[tokio::test]
async fn files_without_a_plain_ending_are_served_where_they_are_named() {
    for name in ["README", "data.v1_2", "file.msixbundle-signature"] {
        let site = Site::start().await;
        let documents = catalog::small().into_iter().map(|document| {
            let mut document = document;
            document.files.iter_mut().for_each(|file| file.name = name.to_owned());
            document
        });
        site.import(&documents.collect::<Vec<_>>()).await;
        let (status, value) = site.upload(name, FILE).await;
        assert_eq!(status, 200, "{value}");
        for asked in ["", ".v1_2", ".msixbundle-signature", ".%00", ".a.b"] {
            let answer = site.get(&format!("/Content/12/{FILE_SHA1}{asked}")).await;
            assert_eq!((answer.status, answer.body.as_slice()), (200, FILE), "{name} as {asked}");
        }
        for elsewhere in ["/../../admin-token", ".x/../../admin-token", "/"] {
            let answer = site.get(&format!("/Content/12/{FILE_SHA1}{elsewhere}")).await;
            assert_eq!(answer.status, 404, "{elsewhere}");
        }
    }
}

#[tokio::test]
async fn single_ranges_are_served_as_recorded() {
    let site = filled().await;
    for (range, expected, content_range) in [
        ("bytes=0-8", &FILE[..9], "bytes 0-8/43"),
        ("bytes=40-", &FILE[40..], "bytes 40-42/43"),
        ("bytes=-3", &FILE[40..], "bytes 40-42/43"),
        ("bytes=0-42", FILE, "bytes 0-42/43"),
        ("bytes=4-9999", &FILE[4..], "bytes 4-42/43"),
        ("bytes=0-5,3-8", &FILE[..9], "bytes 0-8/43"),
    ] {
        let answer = ranged(&site, range).await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.body, expected, "{range}");
        assert_eq!(answer.header("content-range"), Some(content_range));
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    }
    let beyond = ranged(&site, "bytes=43-").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */43")));
    assert_eq!(ranged(&site, "bytes=9-3").await.status, 200);
    assert_eq!(ranged(&site, "lines=1-2").await.status, 200);
    // Agents send a length of zero with their GET (recorded); the test client does too.
}

#[tokio::test]
async fn several_ranges_come_as_parts() {
    let site = filled().await;
    let answer = ranged(&site, "bytes=0-2,-3").await;
    assert_eq!(answer.status, 206);
    let content_type = answer.header("content-type").unwrap().to_owned();
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let part = |range: &str, body: &str| {
        format!(
            "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {range}/43\r\n\r\n{body}"
        )
    };
    let expected = format!("{}{}\r\n--{boundary}--\r\n", part("0-2", "The"), part("40-42", "dog"));
    assert_eq!(answer.text(), expected);
    let many: Vec<String> = (0..100).map(|n| format!("{n}-{n}")).collect();
    assert_eq!(ranged(&site, &format!("bytes={}", many.join(","))).await.status, 416);
}

#[tokio::test]
async fn conditions_are_honoured() {
    let site = filled().await;
    let etag = format!("\"{FILE_SHA1}\"");
    let ask = |name: &'static str, value: String, range: bool| {
        let site = &site;
        async move {
            let mut headers = vec![(name, value.as_str())];
            if range {
                headers.push(("Range", "bytes=0-2"));
            }
            site.request("GET", &path(), &headers, b"").await.status
        }
    };
    assert_eq!(ask("If-None-Match", etag.clone(), false).await, 304);
    assert_eq!(ask("If-None-Match", "\"other\"".into(), false).await, 200);
    assert_eq!(ask("If-Modified-Since", "Sun, 04 Oct 2026 12:00:00 GMT".into(), false).await, 304);
    assert_eq!(ask("If-Modified-Since", "Sun, 04 Oct 2026 11:59:59 GMT".into(), false).await, 200);
    assert_eq!(ask("If-Match", "\"other\"".into(), false).await, 412);
    assert_eq!(ask("If-Range", etag, true).await, 206);
    assert_eq!(ask("If-Range", "\"other\"".into(), true).await, 200);
}

#[tokio::test]
async fn large_files_stream_and_ranges_join_to_the_file() {
    let site = Site::start().await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let sha1 = sluicegate_terms::Sha1Digest(digest.as_ref().try_into().unwrap());
    let mut document = Document::software(catalog::identity(50, 1), "Large");
    document.files = vec![sluicegate_catalog::FileEntry {
        name: "large.wim".into(),
        size: bytes.len() as u64,
        sha1,
        ..catalog::file()
    }];
    site.import(&[document]).await;
    let (status, value) = site.upload("large.wim", &bytes).await;
    assert_eq!(status, 200, "{value}");
    let hex = sha1.to_hex_upper();
    let path = format!("/Content/{}/{hex}.wim", &hex[38..]);
    assert!(site.get(&path).await.body == bytes);
    let mut joined = Vec::new();
    for start in (0..bytes.len()).step_by(1 << 20) {
        let range = format!("bytes={start}-{}", start + (1 << 20) - 1);
        joined.extend(site.request("GET", &path, &[("Range", &range)], b"").await.body);
    }
    assert!(joined == bytes);
    // Long parts, which the system sends, between what is written from memory.
    let spans = [1..100_000, 100_001..1_700_000, 1_800_000..1_800_001, 2_000_000..3_000_000];
    let list: Vec<String> = spans.iter().map(|span| format!("{}-{}", span.start, span.end - 1)).collect();
    let answer = site.request("GET", &path, &[("Range", &format!("bytes={}", list.join(",")))], b"").await;
    assert_eq!(answer.status, 206);
    let kind = answer.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let mut expected = Vec::new();
    for (span, text) in spans.into_iter().zip(&list) {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {text}/3000000\r\n\r\n"
        );
        expected.extend_from_slice(head.as_bytes());
        expected.extend_from_slice(&bytes[span]);
    }
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert!(answer.body == expected);
}

#[tokio::test]
async fn the_self_update_directory_is_empty_until_filled() {
    let site = Site::start().await;
    assert_eq!(site.get("/SelfUpdate/wuident.cab").await.status, 404);
    let folder = site.dir.path().join("self-update/WUA");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("wuident.txt"), "ident").unwrap();
    let answer = site.request("GET", "/selfupdate/wua/WUIDENT.TXT", &[("Range", "bytes=1-2")], b"").await;
    assert_eq!(
        (answer.status, answer.text().as_str(), answer.header("content-type")),
        (206, "de", Some("text/plain"))
    );
}
