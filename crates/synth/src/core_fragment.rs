//! Synth: Core fragments written straight from the relationships and rules, as `catalog` derives them from
//! the document. A test compares the two for every kind of revision.

use crate::Catalog;
use crate::digits;
use crate::layout::Subject;
use crate::relate;
use crate::rules;
use crate::{document, drivers};
use core::fmt::Write as _;
use sluicegate_catalog::document::Relationships;
use sluicegate_catalog::{DriverEntry, Version};
use sluicegate_terms::{UpdateId, UpdateIdentity};

pub(crate) fn write(out: &mut String, catalog: &Catalog, subject: Subject, earlier: usize) {
    let identity = catalog.identity(subject, earlier);
    out.push_str("<UpdateIdentity UpdateID=\"");
    write_identity(out, identity);
    out.push_str("<Properties UpdateType=\"");
    out.push_str(relate::kind(subject).as_str());
    out.push('"');
    if relate::explicitly_deployable(subject) {
        out.push_str(" ExplicitlyDeployable=\"true\"");
    }
    if let Some(id) = document::eula_id(catalog, subject) {
        out.push_str(" EulaID=\"");
        digits::guid(out, id);
        out.push('"');
    }
    out.push_str(" />");
    write_relationships(out, &relate::relationships(catalog, subject, earlier));
    let rules = rules::rules(catalog, subject, earlier);
    let entries = match subject {
        Subject::Driver(number) => drivers::entries(catalog, number, earlier),
        _ => Vec::new(),
    };
    let sections = [
        ("IsInstalled", rules.is_installed),
        ("IsSuperseded", rules.is_superseded),
        ("IsInstallable", rules.is_installable),
    ];
    if entries.is_empty() && sections.iter().all(|(_, rule)| rule.is_empty()) {
        return;
    }
    out.push_str("<ApplicabilityRules>");
    for (name, rule) in sections.iter().filter(|(_, rule)| !rule.is_empty()) {
        for part in ["<", name, ">", rule, "</", name, ">"] {
            out.push_str(part);
        }
    }
    if !entries.is_empty() {
        out.push_str("<Metadata>");
        entries.iter().for_each(|entry| write_driver(out, entry));
        out.push_str("</Metadata>");
    }
    out.push_str("</ApplicabilityRules>");
}

fn write_relationships(out: &mut String, relationships: &Relationships) {
    let Relationships { prerequisites, bundles, supersedes } = relationships;
    if prerequisites.is_empty() && bundles.is_empty() && supersedes.is_empty() {
        return;
    }
    out.push_str("<Relationships>");
    if !supersedes.is_empty() {
        out.push_str("<SupersededUpdates>");
        supersedes.iter().for_each(|id| write_update(out, *id));
        out.push_str("</SupersededUpdates>");
    }
    if !prerequisites.is_empty() {
        out.push_str("<Prerequisites>");
        for clause in prerequisites {
            let plain = clause.any_of.len() == 1 && !clause.is_category;
            out.push_str(match (plain, clause.is_category) {
                (true, _) => "",
                (_, true) => "<AtLeastOne IsCategory=\"true\">",
                _ => "<AtLeastOne>",
            });
            clause.any_of.iter().for_each(|id| write_update(out, *id));
            out.push_str(if plain { "" } else { "</AtLeastOne>" });
        }
        out.push_str("</Prerequisites>");
    }
    if !bundles.is_empty() {
        out.push_str("<BundledUpdates>");
        for members in bundles {
            out.push_str("<AtLeastOne>");
            for member in members {
                out.push_str("<UpdateIdentity UpdateID=\"");
                write_identity(out, *member);
            }
            out.push_str("</AtLeastOne>");
        }
        out.push_str("</BundledUpdates>");
    }
    out.push_str("</Relationships>");
}

fn write_update(out: &mut String, id: UpdateId) {
    out.push_str("<UpdateIdentity UpdateID=\"");
    digits::guid(out, id.0);
    out.push_str("\" />");
}

/// What follows the opening quotation mark of the update id.
fn write_identity(out: &mut String, identity: UpdateIdentity) {
    digits::guid(out, identity.update.0);
    out.push_str("\" RevisionNumber=\"");
    digits::decimal(out, identity.revision.get() as usize, 1);
    out.push_str("\" />");
}

fn write_driver(out: &mut String, entry: &DriverEntry) {
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<d.WindowsDriverMetaData HardwareID=\"{}\" WhqlDriverID=\"{}\" Manufacturer=\"{}\" Company=\"{}\" Provider=\"{}\" DriverVerDate=\"{}\" DriverVerVersion=\"{}\" Class=\"{}\" Model=\"{}\">",
        entry.hardware_id.replace('&', "&amp;"),
        entry.whql_driver_id,
        entry.manufacturer,
        entry.provider,
        entry.provider,
        entry.ver_date.date(),
        Version::from_packed(entry.ver_version),
        entry.class,
        entry.model
    );
    for score in &entry.feature_scores {
        let (system, score) = (&score.operating_system, score.score);
        let _ = write!(out, "<d.FeatureScore OperatingSystem=\"{system}\" FeatureScore=\"{score:02X}\" />");
    }
    for id in &entry.target_computer_ids {
        let _ = write!(out, "<d.TargetComputerHardwareId>{id}</d.TargetComputerHardwareId>");
    }
    out.push_str("</d.WindowsDriverMetaData>");
}

/// The length once escaped as element text: `<` and `>` take four bytes, `&` five.
pub(crate) fn escaped_len(fragment: &str) -> u32 {
    // In runs that a byte can count: the compiler makes vector instructions of that.
    let in_run = |run: &[u8], of: u8| run.iter().fold(0_u8, |n, &byte| n.wrapping_add(u8::from(byte == of)));
    let count =
        |of: u8| fragment.as_bytes().chunks(255).map(|run| usize::from(in_run(run, of))).sum::<usize>();
    let more = 3 * (count(b'<') + count(b'>')) + 4 * count(b'&');
    u32::try_from(fragment.len() + more).unwrap_or(u32::MAX)
}
