//! Fragments: Core, as far as an agent needs it beside the applicability rules: who the revision is, what
//! it bundles and what it supersedes (MS-WUSP 3.1.1.1; `SupersededUpdates` is part of Core, observed).

use super::FragmentError;
use super::reader::{Step, Steps, attribute};
use quick_xml::events::BytesStart;
use sluicegate_terms::{RevisionNumber, UpdateId, UpdateIdentity, UpdateKind};

const FRAGMENT: &str = "Core";

/// Identity, kind and relationships of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreFacts {
    /// Which revision.
    pub identity: UpdateIdentity,
    /// What it is.
    pub kind: UpdateKind,
    /// The bundle clauses: of each, one or more members are installed.
    pub bundles: Vec<Vec<UpdateIdentity>>,
    /// Older updates that this one replaces.
    pub supersedes: Vec<UpdateId>,
    /// The licence that must be accepted first, if there is one (`EulaID`).
    pub eula: Option<String>,
    /// True when it has rules of its own; most bundles have none (observed).
    pub has_rules: bool,
}

impl CoreFacts {
    /// Reads a Core fragment.
    ///
    /// # Errors
    /// [`FragmentError`], when it is not well-formed or has no valid identity and kind.
    pub fn read(xml: &str) -> Result<Self, FragmentError> {
        let mut steps = Steps::new(xml, FRAGMENT);
        let mut found = Found::default();
        let mut open: Vec<Section> = Vec::new();
        loop {
            match steps.next()? {
                Step::Open { element, empty } => {
                    let parent = open.last().copied().unwrap_or(Section::Root);
                    let section = found.enter(parent, &element)?;
                    if !empty {
                        open.push(section);
                    }
                }
                Step::Close => drop(open.pop()),
                Step::Text(_) => {}
                Step::End => return found.finish(),
            }
        }
    }

    /// Only the identity, found without reading the rest: it stands first in every Core fragment
    /// (observed). `None` when it does not.
    #[must_use]
    pub fn identity_of(xml: &str) -> Option<UpdateIdentity> {
        let head = xml.trim_start().strip_prefix("<UpdateIdentity")?.split('>').next()?;
        let value = |name: &str| head.split_once(name)?.1.strip_prefix("=\"")?.split('"').next();
        let update = value("UpdateID")?.parse().ok()?;
        let revision = RevisionNumber::new(value("RevisionNumber")?.parse().ok()?).ok()?;
        Some(UpdateIdentity { update, revision })
    }
}

/// Where in the fragment a reader stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Root,
    Relationships,
    Bundles,
    BundleClause,
    Superseded,
    Other,
}

#[derive(Default)]
struct Found {
    identity: Option<UpdateIdentity>,
    kind: Option<UpdateKind>,
    bundles: Vec<Vec<UpdateIdentity>>,
    supersedes: Vec<UpdateId>,
    eula: Option<String>,
    has_rules: bool,
}

impl Found {
    fn enter(&mut self, parent: Section, element: &BytesStart<'_>) -> Result<Section, FragmentError> {
        let name = element.local_name();
        Ok(match (parent, name.as_ref()) {
            (Section::Root, "UpdateIdentity") => {
                self.identity = Some(identity(element)?);
                Section::Other
            }
            (Section::Root, "Properties") => {
                let kind = attribute(element, "UpdateType").unwrap_or_default();
                self.kind = Some(kind.parse().map_err(|source| value("Properties", source))?);
                self.eula = attribute(element, "EulaID");
                Section::Other
            }
            (Section::Root, "ApplicabilityRules") => {
                self.has_rules = true;
                Section::Other
            }
            (Section::Root, "Relationships") => Section::Relationships,
            (Section::Relationships, "BundledUpdates") => Section::Bundles,
            (Section::Relationships, "SupersededUpdates") => Section::Superseded,
            (Section::Bundles, "AtLeastOne") => {
                self.bundles.push(Vec::new());
                Section::BundleClause
            }
            (Section::Bundles, "UpdateIdentity") => {
                self.bundles.push(vec![identity(element)?]);
                Section::Other
            }
            (Section::BundleClause, "UpdateIdentity") => {
                let member = identity(element)?;
                if let Some(clause) = self.bundles.last_mut() {
                    clause.push(member);
                }
                Section::Other
            }
            (Section::Superseded, "UpdateIdentity") => {
                self.supersedes.push(update(element)?);
                Section::Other
            }
            _ => Section::Other,
        })
    }

    fn finish(self) -> Result<CoreFacts, FragmentError> {
        let missing = |element| FragmentError::Missing { fragment: FRAGMENT, element };
        Ok(CoreFacts {
            identity: self.identity.ok_or_else(|| missing("UpdateIdentity"))?,
            kind: self.kind.ok_or_else(|| missing("Properties"))?,
            bundles: self.bundles,
            supersedes: self.supersedes,
            eula: self.eula,
            has_rules: self.has_rules,
        })
    }
}

fn value(element: &'static str, source: sluicegate_terms::TermError) -> FragmentError {
    FragmentError::Value { fragment: FRAGMENT, element, source }
}

fn update(element: &BytesStart<'_>) -> Result<UpdateId, FragmentError> {
    let text = attribute(element, "UpdateID").unwrap_or_default();
    text.parse().map_err(|source| value("UpdateIdentity", source))
}

fn identity(element: &BytesStart<'_>) -> Result<UpdateIdentity, FragmentError> {
    // An unreadable number becomes -1, which the range check names.
    let number = attribute(element, "RevisionNumber").and_then(|n| n.parse().ok()).unwrap_or(-1);
    let revision = RevisionNumber::new(number).map_err(|source| value("UpdateIdentity", source))?;
    Ok(UpdateIdentity { update: update(element)?, revision })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUNDLE: &str = concat!(
        r#"<UpdateIdentity UpdateID="11111111-0000-4000-8000-000000000001" RevisionNumber="200" />"#,
        r#"<Properties UpdateType="Software" ExplicitlyDeployable="true" EulaID="e1" /><Relationships>"#,
        r#"<Prerequisites><UpdateIdentity UpdateID="22222222-0000-4000-8000-000000000002" /></Prerequisites>"#,
        r#"<BundledUpdates><AtLeastOne>"#,
        r#"<UpdateIdentity UpdateID="33333333-0000-4000-8000-000000000003" RevisionNumber="7" />"#,
        r#"<UpdateIdentity UpdateID="33333333-0000-4000-8000-000000000004" RevisionNumber="8" /></AtLeastOne>"#,
        r#"<UpdateIdentity UpdateID="33333333-0000-4000-8000-000000000005" RevisionNumber="9" /></BundledUpdates>"#,
        r#"<SupersededUpdates><UpdateIdentity UpdateID="44444444-0000-4000-8000-000000000004" /></SupersededUpdates>"#,
        r#"</Relationships>"#
    );

    #[test]
    fn relationships_are_read_and_prerequisites_are_not_mistaken_for_members() {
        let core = CoreFacts::read(BUNDLE).unwrap();
        assert_eq!(core.kind, UpdateKind::Software);
        assert_eq!(core.bundles.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(core.bundles[0][1].revision.get(), 8);
        assert_eq!(core.supersedes.len(), 1);
        assert_eq!(core.eula.as_deref(), Some("e1"));
        assert!(!core.has_rules);
        assert_eq!(CoreFacts::identity_of(BUNDLE), Some(core.identity));
    }

    #[test]
    fn fragments_without_identity_or_kind_are_refused() {
        let no_identity = CoreFacts::read(r#"<Properties UpdateType="Software" />"#).unwrap_err();
        assert!(no_identity.to_string().contains("no UpdateIdentity"), "{no_identity}");
        let bad_kind = BUNDLE.replace("Software", "Firmware");
        assert!(CoreFacts::read(&bad_kind).unwrap_err().to_string().contains("Firmware"));
        let bad_number = BUNDLE.replace(r#"RevisionNumber="200""#, r#"RevisionNumber="two""#);
        assert!(CoreFacts::read(&bad_number).is_err());
        assert!(CoreFacts::read("<a").is_err());
        assert_eq!(CoreFacts::identity_of("<Properties />"), None);
    }
}
