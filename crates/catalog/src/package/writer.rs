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
    write_package(export, contents.iter().map(|one| (one, None)))
}

/// The text of the `.xml.gz` form, documents included.
#[must_use]
pub fn single_xml<'a>(export: &Export, contents: impl Iterator<Item = (&'a Contents, &'a str)>) -> String {
    write_package(export, contents.map(|(one, xml)| (one, Some(xml))))
}

fn write_package<'a>(
    export: &Export,
    contents: impl Iterator<Item = (&'a Contents, Option<&'a str>)>,
) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><ExportPackage");
    write_attribute(&mut out, "ServerID", &export.server.to_string());
    let seconds = Timestamp::from_unix_seconds(export.created.unix_seconds());
    write_attribute(&mut out, "CreationTime", &seconds.iso());
    write_attribute(&mut out, "FormatVersion", "1.0");
    write_attribute(&mut out, "ProtocolVersion", "1.20");
    out.push_str("><Languages>");
    for language in &export.languages {
        out.push_str("<Language");
        write_attribute(&mut out, "Id", &language.id.to_string());
        write_attribute(&mut out, "ShortName", &language.short_name);
        write_attribute(&mut out, "LongName", &language.long_name);
        write_attribute(&mut out, "Enabled", if language.enabled { "1" } else { "0" });
        out.push_str(" />");
    }
    out.push_str("</Languages><Files>");
    for file in &export.files {
        out.push_str("<File");
        write_attribute(&mut out, "Digest", &file.sha1.to_base64());
        write_attribute(&mut out, "MUUrl", &file.url);
        write_attribute(&mut out, "Name", &file.name);
        out.push_str(" />");
    }
    out.push_str("</Files><Updates>");
    for (one, xml) in contents {
        out.push_str("<Update");
        write_attribute(&mut out, "UpdateId", &one.identity.update.to_string());
        write_attribute(&mut out, "RevisionNumber", &one.identity.revision.to_string());
        out.push('>');
        list(&mut out, "Files", "File", "Digest", one.files.iter().map(Sha1Digest::to_base64));
        list(&mut out, "Categories", "Category", "Value", one.categories.iter().map(UpdateId::to_string));
        let classifications = one.classifications.iter().map(UpdateId::to_string);
        list(&mut out, "Classifications", "Classification", "Value", classifications);
        if let Some(xml) = xml {
            out.push_str("<Xml>");
            escape(&mut out, xml, false);
            out.push_str("</Xml>");
        }
        out.push_str("</Update>");
    }
    out.push_str("</Updates></ExportPackage>");
    out
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
