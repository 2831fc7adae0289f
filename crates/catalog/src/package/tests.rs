use super::*;
use crate::Limits;
use sluicegate_terms::{Guid, RevisionNumber, Sha1Digest, Timestamp, UpdateId};
use std::io::{BufReader, Read as _};

fn revision(id: u128, revision: i64) -> UpdateIdentity {
    UpdateIdentity { update: UpdateId(Guid::from_u128(id)), revision: RevisionNumber::new(revision).unwrap() }
}

fn sample() -> Vec<(UpdateIdentity, String)> {
    vec![
        (revision(1, 200), "<Update>plain</Update>".to_owned()),
        (revision(2, 0), "<Update a=\"1,2\">überläng\u{20ac} 𝄞 &amp;\r\nsecond line,</Update>".to_owned()),
        (revision(3, 305_419_896), format!("<Update>{}</Update>", "x𝄞é".repeat(50_000))),
    ]
}

fn metadata(entries: &[(UpdateIdentity, String)]) -> String {
    let mut out = String::new();
    entries.iter().for_each(|(identity, xml)| push_metadata_line(&mut out, *identity, xml));
    out
}

fn read_all(bytes: &[u8]) -> Result<Vec<(UpdateIdentity, String)>, PackageError> {
    // A tiny buffer splits characters and fields everywhere.
    read(BufReader::with_capacity(7, bytes), Limits::default())
        .map(|document| document.map(|document| (document.identity.unwrap(), document.xml)))
        .collect()
}

#[test]
fn entries_are_read_as_written_in_every_encoding() {
    let text = metadata(&sample());
    let mut marked = vec![0xef, 0xbb, 0xbf];
    marked.extend_from_slice(text.as_bytes());
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut little_marked = vec![0xff, 0xfe];
    little_marked.extend_from_slice(&little);
    for bytes in [text.clone().into_bytes(), marked, little, little_marked] {
        assert_eq!(read_all(&bytes).unwrap(), sample());
    }
    assert_eq!(
        read_all(text.replace("\r\n0000", "\n\n0000").as_bytes()).unwrap(),
        sample(),
        "other line ends"
    );
    assert!(read_all(b"").unwrap().is_empty());
}

#[test]
fn the_layout_of_an_entry_is_the_known_one() {
    let mut line = String::new();
    push_metadata_line(&mut line, revision(0xab, 200), "<é𝄞>");
    assert_eq!(line, "00000000-0000-0000-0000-0000000000ab,000000c8,00000005,<é𝄞>\r\n");
}

#[test]
fn the_single_file_form_is_read_as_written() {
    let export = Export {
        server: Guid::from_u128(9),
        created: Timestamp::UNIX_EPOCH,
        languages: vec![Language {
            id: 1033,
            short_name: "en".into(),
            long_name: "English & more".into(),
            enabled: true,
        }],
        files: vec![ExportFile {
            sha1: Sha1Digest([1; 20]),
            name: "a.exe".into(),
            url: "http://x.invalid/?a&b".into(),
        }],
    };
    let contents: Vec<_> = sample()
        .iter()
        .map(|(identity, _)| Contents {
            identity: *identity,
            files: vec![Sha1Digest([1; 20])],
            ..Contents::default()
        })
        .collect();
    let sample = sample();
    let text = single_xml(&export, contents.iter().zip(sample.iter().map(|(_, xml)| xml.as_str())));
    let found = read_all(text.as_bytes()).unwrap();
    assert_eq!(found, sample);
    let where_files_are = [(Sha1Digest([1; 20]), "http://x.invalid/?a&b".to_owned())];
    let mut whole = read(text.as_bytes(), Limits::default());
    assert_eq!(whole.by_ref().filter(Result::is_ok).count(), found.len());
    assert_eq!(whole.take_addresses(), where_files_are);

    let listed = package_xml(&export, &contents);
    assert!(
        listed
            .contains("CreationTime=\"1970-01-01T00:00:00Z\" FormatVersion=\"1.0\" ProtocolVersion=\"1.20\"")
    );
    let mut listing = read(listed.as_bytes(), Limits::default());
    assert!(listing.next().is_none(), "it has no documents of its own");
    assert_eq!(listing.take_addresses(), where_files_are);
}

#[test]
fn broken_entries_are_named_by_place_and_the_good_ones_before_are_kept() {
    let good = metadata(&sample()[..1]);
    for (broken, reason) in [
        ("nonsense,", "GUID"),
        ("00000000-0000-0000-0000-0000000000ab,xyz,00000001,x\r\n", "revision"),
        ("00000000-0000-0000-0000-0000000000ab,ffffffff,00000001,x\r\n", "revision"),
        ("00000000-0000-0000-0000-0000000000ab,00000001,0000zz01,x\r\n", "length"),
        ("00000000-0000-0000-0000-0000000000ab,00000001,00000009,x\r\n", "ends inside"),
        ("00000000-0000-0000-0000-0000000000ab,00000001,00000001,xyz\r\n", "longer than its length"),
        ("00000000-0000-0000-0000-0000000000ab 00000001", "comma"),
    ] {
        let text = format!("{good}{broken}");
        let mut all = read(text.as_bytes(), Limits::default());
        assert!(all.next().unwrap().is_ok());
        let error = all.next().unwrap().unwrap_err();
        assert!(matches!(error, PackageError::Entry { .. }) && error.to_string().contains(reason), "{error}");
        assert!(all.next().is_none(), "nothing is read after an error");
    }
}

#[test]
fn oversized_documents_are_refused_before_they_are_read() {
    let limits = Limits { max_bytes: 100, ..Limits::default() };
    let line = "00000000-0000-0000-0000-0000000000ab,00000001,7fffffff,x";
    let error = read(line.as_bytes(), limits).next().unwrap().unwrap_err();
    assert!(matches!(error, PackageError::TooLarge { limit: 100, .. }), "{error}");
    let xml = format!(
        "<ExportPackage><Updates><Update><Xml>{}</Xml></Update></Updates></ExportPackage>",
        "&lt;".repeat(200)
    );
    let error = read(xml.as_bytes(), limits).next().unwrap().unwrap_err();
    assert!(matches!(error, PackageError::TooLarge { .. }), "{error}");
}

#[test]
fn an_endless_section_is_not_collected() {
    let endless = b"<ExportPackage><Updates><Update><Xml><![CDATA[".chain(std::io::repeat(b'x'));
    let limits = Limits { max_bytes: 1000, ..Limits::default() };
    let error = read(BufReader::new(endless), limits).next().unwrap().unwrap_err();
    assert!(matches!(error, PackageError::Read { .. }), "{error}");
}

#[test]
fn other_files_are_no_packages() {
    assert!(matches!(
        read(&b"PK\x03\x04"[..], Limits::default()).next(),
        Some(Err(PackageError::NotAPackage))
    ));
    assert!(matches!(read(&b"\x1f\x8b\x08\xff\xff"[..], Limits::default()).next(), Some(Err(_))));
    assert!(matches!(
        read(&b"<!DOCTYPE a><a/>"[..], Limits::default()).next(),
        Some(Err(PackageError::Xml { .. }))
    ));
    assert!(matches!(
        read(&b"<ExportPackage><b></ExportPackage>"[..], Limits::default()).next(),
        Some(Err(PackageError::Xml { .. }))
    ));
    for other in ["<html><body>x</body></html>", "<a/>", "<?xml version=\"1.0\"?>", "<Update></Update>"] {
        let found = read(other.as_bytes(), Limits::default()).next();
        assert!(matches!(found, Some(Err(PackageError::NotAPackage))), "{other}: {found:?}");
    }
}

#[test]
fn a_package_that_ends_early_is_an_error_after_its_last_document() {
    let update = "<Update><Xml>&lt;Update/&gt;</Xml></Update>";
    let whole = format!("<e:ExportPackage xmlns:e=\"urn:x\"><Updates>{update}</Updates></e:ExportPackage>");
    assert_eq!(read(whole.as_bytes(), Limits::default()).filter(Result::is_ok).count(), 1);
    for end in ["</Updates></e:ExportPackage>", "</e:ExportPackage>", "</Update></Updates></e:ExportPackage>"]
    {
        let cut = whole.strip_suffix(end).unwrap();
        let mut documents = read(cut.as_bytes(), Limits::default());
        assert!(documents.next().unwrap().is_ok(), "{cut}");
        assert!(matches!(documents.next(), Some(Err(PackageError::Xml { .. }))), "{cut}");
    }
    let nothing = "<ExportPackage/>";
    let mut documents = read(nothing.as_bytes(), Limits::default());
    assert!(documents.next().is_none() && !documents.is_empty());
    let mut documents = read(&b" \r\n"[..], Limits::default());
    assert!(documents.next().is_none() && documents.is_empty());
    let other = read(&b"<ExportPackage FormatVersion=\"9.0\"/>"[..], Limits::default()).next();
    assert!(matches!(other, Some(Err(PackageError::Version { .. }))), "{other:?}");
}

#[test]
fn a_package_of_another_major_version_is_refused_before_its_first_document() {
    let package = |versions: &str| {
        let update = "<Update><Xml>&lt;Update/&gt;</Xml></Update>";
        format!("<ExportPackage {versions}><Updates>{update}</Updates></ExportPackage>")
    };
    for known in [
        "",
        "FormatVersion=\"1.0\" ProtocolVersion=\"1.20\"",
        "FormatVersion=\"1.1\"",
        "ProtocolVersion=\"1\"",
    ] {
        let text = package(known);
        assert!(matches!(read(text.as_bytes(), Limits::default()).next(), Some(Ok(_))), "{known}");
    }
    for (unknown, name) in [
        ("FormatVersion=\"9.0\" ProtocolVersion=\"1.20\"", "FormatVersion 9.0"),
        ("FormatVersion=\"1.0\" ProtocolVersion=\"9.9\"", "ProtocolVersion 9.9"),
        ("FormatVersion=\"10.0\"", "FormatVersion 10.0"),
    ] {
        let text = package(unknown);
        let error = read(text.as_bytes(), Limits::default()).next().unwrap().unwrap_err();
        assert!(matches!(error, PackageError::Version { .. }) && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn notes_come_back_and_documents_are_read_as_without_them() {
    let export = Export {
        server: Guid::from_u128(9),
        created: Timestamp::UNIX_EPOCH,
        languages: Vec::new(),
        files: Vec::new(),
    };
    let contents = Contents { identity: revision(1, 200), ..Contents::default() };
    let mut text = single_xml(&export, [(&contents, "<Update/>")].into_iter());
    let notes = ["{\"a\":\"<b> ü ?> c\"}", "{\"n\":1}"];
    notes.iter().for_each(|note| push_note(&mut text, note));
    text.push_str("<?another note?>");
    let mut documents = read(text.as_bytes(), Limits::default());
    let xml: Vec<String> = documents.by_ref().map(|document| document.unwrap().xml).collect();
    assert_eq!(xml, ["<Update/>"]);
    assert_eq!(documents.take_notes(), ["{\"a\":\"<b> ü ?\\u003e c\"}", "{\"n\":1}"]);
    assert!(documents.take_notes().is_empty());
}

#[test]
fn updates_without_a_document_are_named_and_the_others_read() {
    let [first, second, third] = [1, 2, 3].map(|n| revision(n, 100));
    let update = |identity: UpdateIdentity, inner: &str| {
        let UpdateIdentity { update, revision } = identity;
        format!("<Update UpdateId=\"{update}\" RevisionNumber=\"{}\">{inner}</Update>", revision.get())
    };
    let text = format!(
        "<ExportPackage><Updates>{}{}{}<Update/></Updates></ExportPackage>",
        update(first, "<Files/>"),
        update(second, "<Xml>&lt;Update/&gt;</Xml><Files/>"),
        update(third, "<Xml></Xml>")
    );
    let mut documents = read(text.as_bytes(), Limits::default());
    let read: Vec<_> = documents.by_ref().map(|document| document.unwrap().identity).collect();
    assert_eq!(read, [Some(second)]);
    assert_eq!(documents.take_bare(), [Some(first), Some(third), None]);
}
