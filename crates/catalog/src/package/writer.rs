//! Catalog: writes the contents of an export package.

use crate::fragments::{escape, write_attribute};
use core::fmt::Write as _;
use sluicegate_terms::{Guid, Sha1Digest, Timestamp, UpdateId, UpdateIdentity};

/// What `package.xml` says about the whole package.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// The server that exports.
    pub server: Guid,
    /// When.
    pub created: Timestamp,
    /// The server's languages.
    pub languages: Vec<Language>,
    /// Every file of the updates, once.
    pub files: Vec<ExportFile>,
}

/// One language of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Language {
    /// Its number.
    pub id: u32,
    /// Its tag.
    pub short_name: String,
    /// Its name.
    pub long_name: String,
    /// The server supports it.
    pub enabled: bool,
}

/// One file and where it can be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExportFile {
    /// Its digest.
    pub sha1: Sha1Digest,
    /// Its name.
    pub name: String,
    /// Where it can be downloaded.
    pub url: String,
}

/// What one revision of the package refers to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// Which revision.
    pub identity: UpdateIdentity,
    /// Its files.
    pub files: Vec<Sha1Digest>,
    /// Its products.
    pub categories: Vec<UpdateId>,
    /// Its classifications.
    pub classifications: Vec<UpdateId>,
}

/// Adds one entry of `metadata.txt`.
pub fn push_metadata_line(out: &mut String, identity: UpdateIdentity, xml: &str) {
    let UpdateIdentity { update, revision } = identity;
    let units = xml.encode_utf16().count();
    // Writing to a String cannot fail.
    let _ = write!(out, "{update},{:08x},{units:08x},{xml}\r\n", revision.get());
}

/// The text of `package.xml` for revisions whose documents are in `metadata.txt`.
#[must_use]
pub fn package_xml(export: &Export, contents: &[Contents]) -> String {
    whole(export, contents.iter().map(|one| (one, None)))
}

/// The text of the `.xml.gz` form, documents included.
#[must_use]
pub fn single_xml<'a>(export: &Export, contents: impl Iterator<Item = (&'a Contents, &'a str)>) -> String {
    whole(export, contents.map(|(one, xml)| (one, Some(xml))))
}

fn whole<'a>(export: &Export, contents: impl Iterator<Item = (&'a Contents, Option<&'a str>)>) -> String {
    let mut out = String::new();
    push_package_head(&mut out, export);
    for (one, xml) in contents {
        push_package_update(&mut out, one, xml);
    }
    out.push_str(PACKAGE_END);
    out
}

/// What follows the last revision of a package.
pub const PACKAGE_END: &str = "</Updates></ExportPackage>";

/// Adds the beginning of a package, up to its first revision.
pub fn push_package_head(out: &mut String, export: &Export) {
    out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?><ExportPackage");
    write_attribute(out, "ServerID", &export.server.to_string());
    let seconds = Timestamp::from_unix_seconds(export.created.unix_seconds());
    write_attribute(out, "CreationTime", &seconds.iso());
    write_attribute(out, "FormatVersion", "1.0");
    write_attribute(out, "ProtocolVersion", "1.20");
    out.push_str("><Languages>");
    for language in &export.languages {
        out.push_str("<Language");
        write_attribute(out, "Id", &language.id.to_string());
        write_attribute(out, "ShortName", &language.short_name);
        write_attribute(out, "LongName", &language.long_name);
        write_attribute(out, "Enabled", if language.enabled { "1" } else { "0" });
        out.push_str(" />");
    }
    out.push_str("</Languages><Files>");
    for file in &export.files {
        out.push_str("<File");
        write_attribute(out, "Digest", &file.sha1.to_base64());
        write_attribute(out, "MUUrl", &file.url);
        write_attribute(out, "Name", &file.name);
        out.push_str(" />");
    }
    out.push_str("</Files><Updates>");
}

/// Adds one revision to a package, with its document in the `.xml.gz` form.
pub fn push_package_update(out: &mut String, one: &Contents, xml: Option<&str>) {
    out.push_str("<Update");
    write_attribute(out, "UpdateId", &one.identity.update.to_string());
    write_attribute(out, "RevisionNumber", &one.identity.revision.to_string());
    out.push('>');
    list(out, "Files", "File", "Digest", one.files.iter().map(Sha1Digest::to_base64));
    list(out, "Categories", "Category", "Value", one.categories.iter().map(UpdateId::to_string));
    let classifications = one.classifications.iter().map(UpdateId::to_string);
    list(out, "Classifications", "Classification", "Value", classifications);
    if let Some(xml) = xml {
        out.push_str("<Xml>");
        escape(out, xml, false);
        out.push_str("</Xml>");
    }
    out.push_str("</Update>");
}

/// Adds a note behind the end of a package of the `.xml.gz` form: a line of JSON in a processing instruction of our
/// own, which other readers pass over. [`Documents::take_notes`](super::Documents::take_notes) gives it back.
pub fn push_note(out: &mut String, json: &str) {
    // `?>` would end it. It can only stand inside a JSON text, where a character can be written by number.
    let _ = write!(out, "<?{} {}?>", super::NOTE, json.replace("?>", "?\\u003e"));
}

fn list(out: &mut String, outer: &str, inner: &str, attribute: &str, values: impl Iterator<Item = String>) {
    let _ = write!(out, "<{outer}>");
    for value in values {
        let _ = write!(out, "<{inner}");
        write_attribute(out, attribute, &value);
        out.push_str(" />");
    }
    let _ = write!(out, "</{outer}>");
}
