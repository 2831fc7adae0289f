//! Fragments derived from the recorded documents equal the ones the same server sent to agents.

mod support;

use sluicegate_catalog::{Limits, parse};

/// The one allowed difference: a link number was blanked when the recording was published.
const BLANKED: (&str, &str, &str) =
    ("a2fef9b0-7951-4c2c-a42b-9e351dd1c1fe-r200.localized-en", "LinkId=52661", "LinkId=REDACTED");

#[test]
fn fragments_equal_the_recorded_ones_byte_for_byte() {
    let Some(shared) = support::shared() else { return };
    let mut compared = 0;
    for (name, bytes) in support::documents(&shared) {
        let document = parse(&bytes, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let fragments = &document.fragments;
        let english = fragments.localized.iter().find(|(locale, _)| locale.as_str() == "en");
        let derived = [
            ("core", Some(&fragments.core)),
            ("extended", Some(&fragments.extended)),
            ("localized-en", english.map(|(_, xml)| xml)),
        ];
        for (kind, derived) in derived {
            let stem = format!("{name}.{kind}");
            let path = shared.join(format!("captures/server-sync/fragments/{stem}.xml"));
            let Ok(recorded) = std::fs::read_to_string(path) else { continue };
            let mut derived = derived.unwrap_or_else(|| panic!("{stem} was sent but not derived")).clone();
            if stem == BLANKED.0 {
                assert!(derived.contains(BLANKED.1));
                derived = derived.replace(BLANKED.1, BLANKED.2);
            }
            assert_eq!(derived, recorded.trim_end(), "{stem}");
            compared += 1;
        }
    }
    assert_eq!(compared, 20, "every recorded fragment is compared");
}

#[test]
fn the_same_document_in_other_encodings_is_the_same() {
    let Some(shared) = support::shared() else { return };
    for (name, bytes) in support::documents(&shared) {
        let text = String::from_utf8(bytes.clone()).expect("UTF-8");
        let plain = parse(&bytes, &Limits::default()).expect("a recorded document");
        // As servers send it to each other: UTF-16, neither mark nor declaration (observed-behaviour 8).
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let declared = format!("<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n{text}\r\n");
        let big: Vec<u8> =
            std::iter::once(0xfeff).chain(declared.encode_utf16()).flat_map(u16::to_be_bytes).collect();
        for bytes in [little, big] {
            assert_eq!(parse(&bytes, &Limits::default()).expect("the same document"), plain, "{name}");
        }
    }
}

#[test]
fn bare_extended_properties_equal_the_recorded_minimum() {
    let Some(shared) = support::shared() else { return };
    let bundle = support::documents(&shared)
        .into_iter()
        .find(|(name, _)| name.starts_with("ccb78947"))
        .expect("recorded");
    let document = parse(&bundle.1, &Limits::default()).expect("a recorded document");
    assert_eq!(document.fragments.extended, "<ExtendedProperties DefaultPropertiesLanguage=\"en\" />");
}

#[test]
fn category_extended_fragments_stand_in_a_recorded_answer() {
    let Some(shared) = support::shared() else { return };
    let answer =
        std::fs::read_to_string(shared.join("captures/client-scan/000010/response.xml")).expect("recorded");
    for id in ["dd78b8a1", "56309036", "6964aab4"] {
        let (_, bytes) =
            support::documents(&shared).into_iter().find(|(name, _)| name.starts_with(id)).expect("recorded");
        let extended = parse(&bytes, &Limits::default()).expect("a recorded document").fragments.extended;
        let escaped = extended.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        assert!(answer.contains(&format!("<Xml>{escaped}</Xml>")), "{id}: {escaped}");
    }
}
