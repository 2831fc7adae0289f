//! Scan: the compiled snapshot. Revisions in scope have a dense index, ordered as pages are: what others
//! depend on first, then by revision id. Everything is in flat vectors by that index.

use crate::drivers::DriverIndex;
use crate::error::LeftOut;
use crate::filter::FilterCache;
use crate::opening::OpeningCache;
use crate::overlay::{Overlay, OverlayCache};
use crate::pool::{Ragged, at};
use crate::query::ProtocolVersion;
use crate::{AutoFields, Deployed};
use rustc_hash::FxHashMap;
use sluicegate_policy::{ApprovalAction, Decisions};
use sluicegate_terms::{
    Anchor, CategoryKind, DeploymentAction, DeploymentId, RevisionId, RevisionNumber, Timestamp, UpdateId,
    UpdateIdentity, UpdateKind,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Why there is a revision in the first place; decides its implicit deployment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Base {
    /// Category, detectoid, or a declined update that others need.
    Evaluate,
    /// Expired, and others need it or some group is to remove it.
    Expired,
    /// Member of a bundle, or the revision of one that only a bundle names.
    Bundle,
    /// Can be approved.
    Free,
}

impl Base {
    /// Whether approvals make a difference.
    pub(crate) fn is_decidable(self) -> bool {
        matches!(self, Self::Free | Self::Expired)
    }

    /// What is done without an approval.
    pub(crate) fn action(self) -> DeploymentAction {
        match self {
            Self::Evaluate | Self::Expired => DeploymentAction::Evaluate,
            Self::Bundle => DeploymentAction::Bundle,
            Self::Free => DeploymentAction::PreDeploymentCheck,
        }
    }
}

/// What is kept of each revision in scope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) id: RevisionId,
    pub(crate) gate: u32,
    pub(crate) core_len: u32,
    /// Since when its implicit deployment and IsLeaf are what they are, as a number of [`Layout::anchors`].
    pub(crate) changed: u32,
    /// When it arrived, as a number of [`Layout::times`].
    pub(crate) arrived_at: u32,
    pub(crate) number: RevisionNumber,
    pub(crate) kind: UpdateKind,
    pub(crate) base: Base,
    pub(crate) is_leaf: bool,
    /// Whether it is the revision of its update that counts. Others are in scope only as what bundles name.
    pub(crate) in_service: bool,
}

/// The gate of what no gate stands before in a software scan: drivers, and nothing at all.
pub(crate) const NO_GATE: u32 = u32::MAX;

/// Where a revision id leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// The revision's index.
    pub(crate) index: u32,
    /// The gate it is behind; [`NO_GATE`] for drivers.
    pub(crate) gate: u32,
}

/// From revision ids to indices, and to gates.
#[derive(Debug)]
pub(crate) enum IdIndex {
    /// Ids are close together: tables.
    Table {
        /// `u32::MAX` where there is no revision.
        indices: Vec<u32>,
        /// [`NO_GATE`] where there is none. Apart from the indices, since most scans need only these.
        gates: Vec<u32>,
    },
    /// Ids are far apart.
    Map(FxHashMap<u32, Place>),
}

/// Where ids lead that stand for nothing.
pub(crate) const NOWHERE: Place = Place { index: u32::MAX, gate: NO_GATE };

/// Ids up to here always get a table, which takes 16 MiB then. Ids are given in order and never again, so
/// it takes a server many years to leave this far behind with few revisions in scope.
const ALWAYS_TABLE: usize = 2 << 20;

impl IdIndex {
    pub(crate) fn new(entries: &[Entry]) -> Self {
        let highest = entries.iter().map(|e| e.id.get()).max().unwrap_or(0) as usize;
        let pairs = entries.iter().zip(0_u32..).map(|(entry, index)| {
            let gate = if entry.kind == UpdateKind::Driver { NO_GATE } else { entry.gate };
            (entry.id.get(), Place { index, gate })
        });
        if highest <= entries.len() * 8 + ALWAYS_TABLE {
            let mut indices = vec![NOWHERE.index; highest + 1];
            let mut gates = vec![NOWHERE.gate; highest + 1];
            for (id, place) in pairs {
                if let (Some(index), Some(gate)) = (indices.get_mut(id as usize), gates.get_mut(id as usize))
                {
                    (*index, *gate) = (place.index, place.gate);
                }
            }
            Self::Table { indices, gates }
        } else {
            Self::Map(pairs.collect())
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: i32) -> Option<u32> {
        self.place(id).map(|place| place.index)
    }

    #[inline]
    pub(crate) fn place(&self, id: i32) -> Option<Place> {
        let place = match self {
            Self::Table { indices, gates } => Self::in_tables(indices, gates, id),
            Self::Map(map) => Self::in_map(map, id),
        };
        (place != NOWHERE).then_some(place)
    }

    /// For many ids in a row: [`NOWHERE`] for those of no revision. Negative ones are beyond the table.
    #[inline]
    pub(crate) fn in_tables(indices: &[u32], gates: &[u32], id: i32) -> Place {
        let id = id.cast_unsigned() as usize;
        match (indices.get(id), gates.get(id)) {
            (Some(&index), Some(&gate)) => Place { index, gate },
            _ => NOWHERE,
        }
    }

    #[inline]
    pub(crate) fn in_map(map: &FxHashMap<u32, Place>, id: i32) -> Place {
        map.get(&id.cast_unsigned()).copied().unwrap_or(NOWHERE)
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Table { indices, gates } => (indices.capacity() + gates.capacity()) * 4,
            Self::Map(map) => map.capacity() * 13,
        }
    }
}

/// Whether decisions put the same revisions in scope, in the same places: those about which revision is in
/// service, about declining, and about removing what has expired. Approvals and groups do not.
fn same_scope(one: &Decisions, other: &Decisions) -> bool {
    let removed = |decisions: &Decisions| -> BTreeSet<UpdateId> {
        let all = decisions.approvals.values();
        all.filter(|approval| approval.action == ApprovalAction::Uninstall).map(|a| a.update).collect()
    };
    one.declined == other.declined
        && one.held == other.held
        && one.released == other.released
        && removed(one) == removed(other)
}

/// What follows from the catalog, and from the few decisions that put revisions in scope and take them out.
/// Snapshots that differ in other decisions share it, with what its caches hold.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) entries: Vec<Entry>,
    /// The anchors that entries have; at least 1 each. There are few: what comes together has one.
    pub(crate) anchors: Vec<Anchor>,
    /// The times at which they arrived, likewise.
    pub(crate) times: Vec<Timestamp>,
    pub(crate) updates: Vec<UpdateId>,
    pub(crate) by_id: IdIndex,
    /// Indices in the order of update ids; of one update, the revision in service is the first.
    pub(crate) by_update: Vec<u32>,
    pub(crate) category_kinds: FxHashMap<u32, CategoryKind>,
    /// The alternatives of each clause, as indices.
    pub(crate) clauses: Ragged<u32>,
    /// Whether a clause is IsCategory.
    pub(crate) clause_is_category: Vec<bool>,
    /// The clauses of each gate.
    pub(crate) gates: Ragged<u32>,
    /// The clauses each revision satisfies when it is installed.
    pub(crate) satisfies: Ragged<u32>,
    /// The gates to look at when a clause is satisfied: those of which it is the rarest clause.
    pub(crate) watchers: Ragged<u32>,
    /// The gate without clauses.
    pub(crate) open_gate: Option<u32>,
    /// The software, categories and detectoids behind each gate.
    pub(crate) behind: Ragged<u32>,
    /// The members of each bundle.
    pub(crate) members: Ragged<u32>,
    pub(crate) drivers: DriverIndex,
    pub(crate) filters: FilterCache,
    pub(crate) openings: OpeningCache,
    pub(crate) left_out: Vec<LeftOut>,
}

/// An immutable state of catalog and decisions, ready to answer scans. Shared between threads; caches
/// inside are filled on demand and bounded.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) anchor: Anchor,
    pub(crate) layout: Arc<Layout>,
    pub(crate) decisions: Arc<Decisions>,
    pub(crate) decided: DecidedRevisions,
    pub(crate) overlays: OverlayCache,
}

/// The revisions in scope about which somebody once decided something, so that the groups of a client make a
/// difference.
#[derive(Debug, Default)]
pub(crate) struct DecidedRevisions {
    indices: Vec<u32>,
    /// One bit for each revision in scope.
    bits: Vec<u64>,
}

impl DecidedRevisions {
    fn of(layout: &Layout, decisions: &Decisions) -> Self {
        let mut decided = Self { indices: Vec::new(), bits: vec![0; layout.entries.len().div_ceil(64)] };
        for index in decisions.touched().filter_map(|update| layout.index_of_update(update)) {
            let decidable = layout.entries.get(index as usize).is_some_and(|entry| entry.base.is_decidable());
            if let Some(word) = decided.bits.get_mut(index as usize / 64).filter(|_| decidable) {
                *word |= 1 << (index % 64);
                decided.indices.push(index);
            }
        }
        decided
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.indices.iter().copied()
    }

    #[inline]
    fn has(&self, index: u32) -> bool {
        self.bits.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
}

impl Layout {
    fn update(&self, index: u32) -> UpdateId {
        at(&self.updates, index)
    }

    /// The index of the revision in service of an update, when that is in scope.
    fn index_of_update(&self, update: UpdateId) -> Option<u32> {
        let in_service = |index: &u32| self.entries.get(*index as usize).is_some_and(|e| e.in_service);
        self.indices_of_update(update).next().filter(in_service)
    }

    /// The indices of all revisions of an update that are in scope.
    pub(crate) fn indices_of_update(&self, update: UpdateId) -> impl Iterator<Item = u32> + use<'_> {
        let first = self.by_update.partition_point(|index| self.update(*index) < update);
        let rest = self.by_update.get(first..).unwrap_or_default();
        rest.iter().copied().take_while(move |index| self.update(*index) == update)
    }
}

impl Snapshot {
    pub(crate) fn new(anchor: Anchor, layout: Arc<Layout>, decisions: Arc<Decisions>) -> Self {
        let decided = DecidedRevisions::of(&layout, &decisions);
        Self { anchor, layout, decisions, decided, overlays: OverlayCache::default() }
    }

    /// The snapshot of the same catalog with other decisions, if they leave every revision where it is; else
    /// the catalog has to be compiled anew. Costs what the decisions cost, not the catalog.
    #[must_use]
    pub fn with_decisions(&self, decisions: Arc<Decisions>, anchor: Anchor) -> Option<Self> {
        same_scope(&self.decisions, &decisions)
            .then(|| Self::new(anchor, Arc::clone(&self.layout), decisions))
    }

    /// The decisions it was compiled with.
    #[must_use]
    pub const fn decisions(&self) -> &Arc<Decisions> {
        &self.decisions
    }

    /// The anchor whose state this is.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// How many revisions are in scope.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layout.entries.len()
    }

    /// Whether no revision is in scope.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layout.entries.is_empty()
    }

    /// Revisions in service, and revisions that they bundle, which no client is given, with the reason, by revision id.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.layout.left_out
    }

    /// About how many bytes the snapshot takes on the heap, caches and decisions not counted.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.layout.entries.capacity() * size_of::<Entry>()
            + self.layout.anchors.capacity() * size_of::<Anchor>()
            + self.layout.times.capacity() * size_of::<Timestamp>()
            + self.layout.updates.capacity() * size_of::<UpdateId>()
            + self.layout.by_id.heap_bytes()
            + self.layout.by_update.capacity() * 4
            + self.layout.clauses.heap_bytes()
            + self.layout.clause_is_category.capacity()
            + self.layout.gates.heap_bytes()
            + self.layout.satisfies.heap_bytes()
            + self.layout.watchers.heap_bytes()
            + self.layout.behind.heap_bytes()
            + self.layout.members.heap_bytes()
            + self.layout.drivers.heap_bytes()
    }

    #[inline]
    pub(crate) fn entry(&self, index: u32) -> Option<&Entry> {
        self.layout.entries.get(index as usize)
    }

    pub(crate) fn update(&self, index: u32) -> UpdateId {
        self.layout.update(index)
    }

    pub(crate) fn identity(&self, index: u32) -> UpdateIdentity {
        let revision = self.entry(index).map(|e| e.number).unwrap_or_default();
        UpdateIdentity { update: self.update(index), revision }
    }

    /// The index of the revision in service of an update, when that is in scope.
    pub(crate) fn index_of_update(&self, update: UpdateId) -> Option<u32> {
        self.layout.index_of_update(update)
    }

    /// The deployment of a revision for the groups of `overlay`.
    pub(crate) fn deployed(
        &self,
        entry: &Entry,
        index: u32,
        overlay: &Overlay,
        protocol: ProtocolVersion,
    ) -> Deployed {
        let auto = (protocol >= ProtocolVersion::AUTO_FIELDS).then(AutoFields::default);
        let implicit = Deployed {
            id: DeploymentId::implicit(entry.id),
            action: entry.base.action(),
            deadline: None,
            is_assigned: true,
            last_change: at(&self.layout.times, entry.arrived_at),
            download_priority: None,
            hardware_ids: Vec::new(),
            auto,
        };
        match self.decided.has(index).then(|| overlay.get(index)).flatten().and_then(|o| o.explicit) {
            Some(explicit) => Deployed {
                id: explicit.id,
                action: explicit.action,
                deadline: explicit.deadline,
                is_assigned: explicit.assigned,
                // A revision's deployment is no older than the revision here.
                last_change: explicit.last_change.max(implicit.last_change),
                ..implicit
            },
            None => implicit,
        }
    }

    /// Since which anchor deployment and IsLeaf of a revision are what they are, for these groups. Never
    /// later than the snapshot's own anchor, or clients would be told again with every call.
    pub(crate) fn changed(&self, entry: &Entry, index: u32, overlay: &Overlay) -> Anchor {
        let implicit = at(&self.layout.anchors, entry.changed);
        let changed = match self.decided.has(index).then(|| overlay.get(index)).flatten() {
            Some(explicit) => implicit.max(explicit.since),
            None => implicit,
        };
        changed.min(self.anchor)
    }

    /// What a revision is to be done with, for these groups.
    pub(crate) fn action(&self, entry: &Entry, index: u32, overlay: &Overlay) -> DeploymentAction {
        let explicit = entry.base.is_decidable().then(|| overlay.get(index)).flatten();
        explicit.and_then(|o| o.explicit).map_or(entry.base.action(), |explicit| explicit.action)
    }
}
