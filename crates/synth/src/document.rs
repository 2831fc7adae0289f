//! Synth: whole update documents, written with `catalog`'s composer.

use crate::Catalog;
use crate::dice::{Dice, Topic};
use crate::layout::{Role, Subject};
use crate::relate::{self, Demands};
use crate::texts;
use crate::tree::Fixed;
use crate::{drivers, rules};
use sluicegate_catalog::FileEntry;
use sluicegate_catalog::compose::{Command, Document, RuleTexts};
use sluicegate_catalog::document::{EulaFile, Properties};
use sluicegate_terms::{CategoryKind, Guid, Sha1Digest, Sha256Digest, Timestamp};

pub(crate) fn compose(catalog: &Catalog, subject: Subject, earlier: usize) -> Document {
    let identity = catalog.identity(subject, earlier);
    let title = texts::title(catalog, subject);
    let mut document = match subject {
        Subject::Fixed(fixed) => match fixed.category() {
            Some(kind) => category(identity, fixed, kind, &title),
            None => Document::detectoid(identity, &title, ""),
        },
        Subject::Driver(number) => {
            Document::driver(identity, &title, drivers::entries(catalog, number, earlier))
        }
        Subject::Software { .. } => Document::software(identity, &title),
    };
    document.relationships = relate::relationships(catalog, subject, earlier);
    document.texts = texts::texts(catalog, subject);
    document.publisher = catalog.id(Subject::Fixed(Fixed::Company)).0;
    let rules = rules::rules(catalog, subject, earlier);
    let section = |rule: String| (!rule.is_empty()).then_some(rule);
    document.rules = RuleTexts {
        is_installed: section(rules.is_installed),
        is_superseded: section(rules.is_superseded),
        is_installable: section(rules.is_installable),
        metadata: None,
    };
    let created = texts::created(catalog, subject, earlier);
    document.properties.created = Some(created);
    document.properties.explicitly_deployable = relate::explicitly_deployable(subject);
    document.properties.expired = relate::is_expired(catalog, subject);
    document.properties.kb.extend(texts::article(subject));
    add_files(&mut document, catalog, subject, earlier, created);
    if let Subject::Software { release, position } = subject {
        let demands = Demands::of(catalog, release);
        add_security(&mut document.properties, &demands, release.number);
        let reboots = ["NeverReboots", "CanRequestReboot", "AlwaysRequiresReboot"];
        document.properties.reboot = reboots.get(position % reboots.len()).map(|&reboot| reboot.to_owned());
        document.properties.can_uninstall = position % 2 == 0;
    }
    document
}

fn category(
    identity: sluicegate_terms::UpdateIdentity,
    fixed: Fixed,
    kind: CategoryKind,
    title: &str,
) -> Document {
    let mut document = Document::category(identity, kind, title, None);
    if let Some(info) = &mut document.category {
        info.display_order = i32::try_from(fixed.number()).ok();
    }
    document
}

/// Severity, bulletin and CVE names of security updates.
fn add_security(properties: &mut Properties, demands: &Demands, release: usize) {
    if demands.classification == 1 {
        properties.severity =
            ["Critical", "Important", "Moderate", "Low"].get(release % 4).map(|&s| s.to_owned());
        properties.bulletins.push(format!("MS{:02}-{:03}", 10 + release % 15, 1 + release % 150));
        properties.cves.push(format!("CVE-{}-{:05}", 2019 + release % 8, release));
    }
}

/// The licence of one in thirty standalone packages.
pub(crate) fn eula_id(catalog: &Catalog, subject: Subject) -> Option<Guid> {
    let (_, number) = subject.key();
    let with_eula = subject.role() == Some(Role::Standalone) && number % 30 == 0;
    with_eula.then(|| Dice::new(catalog.seed, Topic::Text, number | 1 << 50).guid())
}

/// Files of packages and drivers. Bundles have none of their own. The digests are of nothing that exists.
fn add_files(
    document: &mut Document,
    catalog: &Catalog,
    subject: Subject,
    earlier: usize,
    modified: Timestamp,
) {
    let (topic, number) = subject.key();
    let mut dice = Dice::new(catalog.seed, Topic::Files, (number << 12 | earlier as u64) << 4 | topic as u64);
    let (count, ending) = match subject.role() {
        Some(Role::Bundle { .. }) => return,
        Some(_) => (dice.pick(&[1, 1, 1, 2, 3]), "exe"),
        None if matches!(subject, Subject::Driver(_)) => (1, "cab"),
        None => return,
    };
    let mut total = 0;
    for n in 0..count {
        let size = 40_000 + dice.next() % (4_u64 << (10 + dice.below(18)));
        total += size;
        let ending = if n == 0 { ending } else { "cab" };
        document.files.push(file(&mut dice, format!("package-{number}-{n}.{ending}"), size, modified));
    }
    document.properties.max_download_size = Some(total);
    if let (Some(first), Some(_)) = (document.files.first(), subject.role()) {
        document.command =
            Some(Command { program: first.name.clone(), arguments: "/quiet /norestart".to_owned() });
    }
    if let Some(id) = eula_id(catalog, subject) {
        document.properties.eula_id = Some(id);
        let text = file(&mut dice, format!("eula-{number}.txt"), 20_000, modified);
        document.eulas.extend("en".parse().ok().map(|language| EulaFile {
            language,
            geo_id: None,
            file: text,
        }));
    }
}

fn file(dice: &mut Dice, name: String, size: u64, modified: Timestamp) -> FileEntry {
    let sha1 = Sha1Digest(dice.bytes());
    let sha256 = Some(Sha256Digest(dice.bytes()));
    FileEntry {
        name,
        size,
        sha1,
        sha256,
        modified: Some(modified),
        patching: Some("SelfContained".to_owned()),
    }
}
