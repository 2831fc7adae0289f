//! Scan: the smaller questions of clients: RefreshCache (MS-WUSP 3.1.5.8), StartCategoryScan (3.1.5.6)
//! and whether a revision is deployed (GetExtendedUpdateInfo, 3.1.5.9).

use crate::outcome::{Deployed, RefreshedRevision};
use crate::query::ProtocolVersion;
use crate::snapshot::Snapshot;
use sluicegate_terms::{
    CategoryKind, DeploymentAction, GroupId, RevisionId, UpdateId, UpdateIdentity, UpdateKind,
};

/// Most categories in one StartCategoryScan; real servers take fewer than 200 (MS-WUSP 3.1.5.6, note 52).
pub const MAX_REQUESTED_CATEGORIES: usize = 199;

/// One `CategoryRelationship` of StartCategoryScan (MS-WUSP 2.2.2.2.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CategoryRequest {
    /// `IndexOfAndGroup`: categories with the same number belong together.
    pub and_group: i32,
    /// `CategoryId`.
    pub category: UpdateId,
}

/// The answer to StartCategoryScan.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CategoryScan {
    /// `preferredCategoryIds`, in the order of the request.
    pub preferred: Vec<UpdateId>,
    /// `requestedCategoryIdsInError`: the unknown ones, in the order of the request.
    pub in_error: Vec<UpdateId>,
}

/// Why StartCategoryScan is refused (the fault InvalidParameters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CategoryScanError {
    /// Too many categories.
    #[error("{0} categories are requested; at most {MAX_REQUESTED_CATEGORIES} can be")]
    TooMany(usize),
}

impl Snapshot {
    /// The revision in scope under an id, if there is one.
    #[must_use]
    pub fn identity_of(&self, revision: i32) -> Option<UpdateIdentity> {
        self.layout.by_id.get(revision).map(|index| self.identity(index))
    }

    /// The id of a revision in scope.
    #[must_use]
    pub fn revision_of(&self, identity: UpdateIdentity) -> Option<RevisionId> {
        self.index_of(identity).and_then(|index| self.entry(index)).map(|entry| entry.id)
    }

    /// Whether a revision is deployed to clients at all. Unapproved ones are (observed behaviour 4:
    /// GetExtendedUpdateInfo answers them too); declined, expired and superseded-by-revision ones not,
    /// unless a bundle names such a revision.
    #[must_use]
    pub fn is_deployed(&self, revision: i32) -> bool {
        self.layout.by_id.get(revision).is_some()
    }

    /// The deployment of a revision in scope for a computer in `groups`.
    #[must_use]
    pub fn deployment(
        &self,
        revision: i32,
        groups: &[GroupId],
        protocol: ProtocolVersion,
    ) -> Option<Deployed> {
        let index = self.layout.by_id.get(revision)?;
        Some(self.deployed(self.entry(index)?, index, &self.overlay(&sorted(groups)), protocol))
    }

    fn index_of(&self, identity: UpdateIdentity) -> Option<u32> {
        self.layout.indices_of_update(identity.update).find(|index| self.identity(*index) == identity)
    }

    /// The answer to RefreshCache: one element for each identity that is deployed, in the order of the
    /// request. Members of bundles are missing, as on real servers (observed behaviour 4).
    #[must_use]
    pub fn refresh_cache(
        &self,
        identities: &[UpdateIdentity],
        groups: &[GroupId],
        protocol: ProtocolVersion,
    ) -> Vec<RefreshedRevision> {
        let overlay = self.overlay(&sorted(groups));
        let refreshed = identities.iter().filter_map(|identity| {
            let index = self.index_of(*identity)?;
            let entry = self.entry(index)?;
            let deployment = self.deployed(entry, index, &overlay, protocol);
            (deployment.action != DeploymentAction::Bundle).then_some(RefreshedRevision {
                identity: *identity,
                revision: entry.id,
                is_leaf: entry.is_leaf,
                deployment,
            })
        });
        refreshed.collect()
    }

    /// The answer to StartCategoryScan: each AND group must name a product, or a product and a
    /// classification; a group with an unknown category is dropped; any other group empties the list and
    /// ends the matter.
    ///
    /// # Errors
    /// [`CategoryScanError::TooMany`].
    pub fn start_category_scan(
        &self,
        requested: &[CategoryRequest],
    ) -> Result<CategoryScan, CategoryScanError> {
        if requested.len() > MAX_REQUESTED_CATEGORIES {
            return Err(CategoryScanError::TooMany(requested.len()));
        }
        let mut scan = CategoryScan::default();
        let mut groups: Vec<(i32, Vec<UpdateId>)> = Vec::new();
        for request in requested {
            if self.category_kind(request.category).is_none() && !scan.in_error.contains(&request.category) {
                scan.in_error.push(request.category);
            }
            match groups.iter_mut().find(|(number, _)| *number == request.and_group) {
                Some((_, members)) if !members.contains(&request.category) => members.push(request.category),
                Some(_) => {}
                None => groups.push((request.and_group, vec![request.category])),
            }
        }
        for (_, members) in &groups {
            if members.iter().any(|category| self.category_kind(*category).is_none()) {
                continue;
            }
            let of_kind =
                |kind| members.iter().filter(move |category| self.category_kind(**category) == Some(kind));
            let classifications = of_kind(CategoryKind::UpdateClassification).count();
            let mut products = of_kind(CategoryKind::Product);
            match (products.next(), products.next(), classifications, members.len()) {
                (Some(product), None, 0, 1) | (Some(product), None, 1, 2) => {
                    if !scan.preferred.contains(product) {
                        scan.preferred.push(*product);
                    }
                }
                _ => {
                    scan.preferred.clear();
                    break;
                }
            }
        }
        Ok(scan)
    }

    fn category_kind(&self, category: UpdateId) -> Option<CategoryKind> {
        let index = self.index_of_update(category)?;
        self.entry(index).filter(|entry| entry.kind == UpdateKind::Category)?;
        self.layout.category_kinds.get(&index).copied()
    }
}

fn sorted(groups: &[GroupId]) -> Vec<GroupId> {
    let mut groups = groups.to_vec();
    groups.sort_unstable();
    groups.dedup();
    groups
}
