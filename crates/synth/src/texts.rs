//! Synth: titles, descriptions, languages and the other things that people read.

use crate::Catalog;
use crate::dice::{Dice, Topic};
use crate::layout::{Role, Subject};
use crate::relate::Demands;
use crate::tree::{CLASSIFICATION_NAMES, Fixed};
use sluicegate_catalog::document::LocalizedText;
use sluicegate_terms::Timestamp;

/// English first; the tags that catalogs list most.
const LANGUAGES: [&str; 25] = [
    "en", "de", "fr", "es", "ja", "zh-cn", "pt-br", "ar", "cs", "da", "el", "fi", "he", "hu", "it", "ko",
    "nl", "no", "pl", "pt", "ru", "sv", "tr", "zh-tw", "zh-hk",
];

/// The first release of a chain appeared then: 2019-01-08, in seconds of Unix time.
const EPOCH: i64 = 1_546_905_600;
/// From one release of a chain to the next: a fortnight.
const STEP: i64 = 14 * 86_400;

/// When a revision was published; later revisions of one update follow each other by a day.
pub(crate) fn created(catalog: &Catalog, subject: Subject, earlier: usize) -> Timestamp {
    let step = match subject {
        Subject::Fixed(_) => 0,
        Subject::Software { release, .. } => catalog.layout.place_of(release).step() % 180,
        Subject::Driver(number) => number % 180,
    };
    let days = i64::try_from(earlier).unwrap_or(0) * 86_400;
    Timestamp::from_unix_seconds(EPOCH + i64::try_from(step).unwrap_or(0) * STEP + days)
}

/// The knowledge base article of a release: seven digits.
pub(crate) fn article(subject: Subject) -> Option<String> {
    match subject {
        Subject::Software { release, .. } => {
            let base = if release.retired { 2_000_000 } else { 5_000_000 };
            Some((base + release.number).to_string())
        }
        _ => None,
    }
}

pub(crate) fn title(catalog: &Catalog, subject: Subject) -> String {
    match subject {
        Subject::Fixed(fixed) => fixed.title(),
        Subject::Driver(number) => format!("Maker driver package {number}"),
        Subject::Software { release, position } => {
            let demands = Demands::of(catalog, release);
            let product = Fixed::Product(demands.place.product).title();
            let class = CLASSIFICATION_NAMES.get(demands.classification).copied().unwrap_or_default();
            let month = created(catalog, subject, 0).date();
            let month = month.get(..7).unwrap_or_default().to_owned();
            let article = article(subject).unwrap_or_default();
            match Role::of(position) {
                Role::Standalone => {
                    format!("{month} {class} for {product}, part {} (KB{article})", position + 1)
                }
                Role::Bundle { members } => {
                    format!("{month} {class} for {product}, set of {members} (KB{article})")
                }
                Role::Member { n, .. } => format!("{product} package {article}.{}", n + 1),
            }
        }
    }
}

/// One set of texts per language. English alone for what only machines see and for most drivers.
pub(crate) fn texts(catalog: &Catalog, subject: Subject) -> Vec<LocalizedText> {
    let (topic, number) = subject.key();
    let mut dice = Dice::new(catalog.seed, Topic::Text, number << 3 | topic as u64 & 7);
    let languages = match subject {
        Subject::Fixed(fixed) if fixed.category().is_some() => LANGUAGES.len(),
        Subject::Software { position, .. } if !matches!(Role::of(position), Role::Member { .. }) => {
            dice.pick(&[1, 1, 1, 1, 7, 7, 25])
        }
        _ => 1,
    };
    let english = title(catalog, subject);
    let description = match subject.role() {
        Some(Role::Member { .. }) | None => String::new(),
        _ => format!(
            "Install this update to resolve issues in {english}. For a complete listing of what it contains, see the associated article. After you install it, you may have to restart the computer."
        ),
    };
    let link = article(subject).map(|article| format!("https://support.example/kb/{article}"));
    LANGUAGES
        .iter()
        .take(languages)
        .filter_map(|tag| {
            let language = tag.parse().ok()?;
            let of = |text: &str| {
                if *tag == "en" || text.is_empty() { text.to_owned() } else { format!("[{tag}] {text}") }
            };
            Some(LocalizedText {
                language,
                title: of(&english),
                description: of(&description),
                more_info_url: link.clone(),
                support_url: link.clone(),
            })
        })
        .collect()
}
