//! Room: synthetic catalogs. Update documents, compact records and fragments of any number of revisions,
//! with the shape of a real catalog, from a seed: the same seed and shape make the same bytes on every
//! machine, and any revision can be made without the ones before it. No I/O, no clock, no other input.
//!
//! # The shape, and where it comes from
//!
//! Numbers marked *observed* are of recorded servers and agents (observed-behaviour); *spec* is MS-WUSP or
//! MS-WSUSOD; the rest is chosen to meet the sizes the benchmarks ask for and said so.
//!
//! - **Live updates**: three fifths of the revisions, at most 20,000 ([`Shape::live`]). What is left over is
//!   half earlier revisions of live updates (a real catalog repeats ids with several revisions, *observed*)
//!   and half updates of retired products, which [`Catalog::declined`] names: administrators of large
//!   catalogs decline those.
//! - **Category tree** (*spec*, 2.2.2.2.4 and MS-WSUSOD): one company, 10 families, 104 products (40 of them
//!   retired), 9 classifications. Each level has an `IsCategory` prerequisite on the one above (*observed*).
//!   Companies, families and classifications are installed everywhere, products where their software is.
//! - **Detectoids** (204): processor architectures, system builds, editions, traits of a machine; and two
//!   features per product, which have the product as their prerequisite. With the categories this gives a
//!   machine about 90 installed non-leaf revisions (*observed*: 87 to 94).
//! - **Releases** of ten updates: three standalone packages, a bundle of one and a bundle of four (Defender's
//!   have four or five, *observed*). Bundles have no rules and name classification and product as categories;
//!   members name the product in a plain clause (*observed*) and the architecture they are for. Releases
//!   also need system builds (OR clauses of three), editions, traits and features in part of the cases.
//! - **Supersedence**: the releases of a product form one to four chains; each release replaces up to six
//!   before it. Chains are dozens long for live products, hundreds for retired ones in large catalogs.
//! - **Drivers** are 15 % of the live updates: one to four hardware ids each, feature scores, for a third of
//!   them target computers; they need the class of drivers and one of two products.
//! - **Core fragments**: bundles under 1 KB, everything else 1 to 12 KB with a median of 2.5 KB (*observed*
//!   on recorded fragments: 0.2 to 12 KB). **Languages**: English always, 6 or 24 more for a part.
//! - **A client** ([`Catalog::client`]) with one of four operating systems and a few products is delivered
//!   about 1,300 updates (*observed*: 1,029 to 1,367 cached), at every size that has at least 6,000 live
//!   updates: the products that clients have do not grow with the catalog.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod client;
mod core_fragment;
mod dice;
mod digits;
mod document;
mod drivers;
mod layout;
mod relate;
mod rules;
mod texts;
mod tree;

#[cfg(test)]
mod tests;

pub use client::{Client, Device};

use dice::Dice;
use layout::{Layout, Subject};
use sluicegate_catalog::ScanRecord;
use sluicegate_terms::{UpdateId, UpdateIdentity};

/// How large a catalog to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Revisions in all; at least [`Shape::MIN_REVISIONS`].
    pub revisions: usize,
    /// Updates that are present and not to be declined, of those revisions.
    pub live: usize,
    /// Decides everything else.
    pub seed: u64,
}

impl Shape {
    /// Fewer revisions than the category tree, its detectoids and some software need are raised to this.
    pub const MIN_REVISIONS: usize = 1000;
    /// At most so many updates are live unless said otherwise.
    pub const LIVE: usize = 20_000;

    /// The usual shape of that many revisions: three fifths live, at most [`Shape::LIVE`].
    #[must_use]
    pub fn new(revisions: usize, seed: u64) -> Self {
        let revisions = revisions.max(Self::MIN_REVISIONS);
        Self { revisions, live: (revisions * 3 / 5).min(Self::LIVE), seed }
    }

    /// The same with another number of live updates, within what the revisions allow.
    #[must_use]
    pub fn with_live(self, live: usize) -> Self {
        Self { live: live.clamp(Self::MIN_REVISIONS * 3 / 5, self.revisions), ..self }
    }
}

/// A synthetic catalog. Small: everything is made when asked for.
#[derive(Clone, Debug)]
pub struct Catalog {
    layout: Layout,
    seed: u64,
}

impl Catalog {
    /// The catalog of a shape.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let revisions = shape.revisions.max(Shape::MIN_REVISIONS);
        let shape = Shape { revisions, ..shape }.with_live(shape.live);
        Self { layout: Layout::new(shape), seed: shape.seed }
    }

    /// How many revisions there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.layout.len()
    }

    /// Never true: there is always a category tree.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many updates are live: present and not in [`Catalog::declined`].
    #[must_use]
    pub const fn live(&self) -> usize {
        self.layout.live()
    }

    /// One revision, by its position from 0. What a revision names stands before it, so that parts of the
    /// catalog can be imported one after the other.
    #[must_use]
    pub fn revision(&self, index: usize) -> Option<Revision<'_>> {
        let (subject, number) = self.layout.place(index)?;
        Some(Revision { catalog: self, subject, number })
    }

    /// Every revision in order.
    pub fn revisions(&self) -> impl Iterator<Item = Revision<'_>> {
        (0..self.len()).filter_map(|index| self.revision(index))
    }

    /// The updates that an administrator of this catalog would have declined, in order.
    pub fn declined(&self) -> impl Iterator<Item = UpdateId> {
        self.layout.retired().map(|subject| self.id(subject))
    }

    /// A simulated machine; see [`Client`].
    #[must_use]
    pub fn client(&self, seed: u64) -> Client {
        Client::new(self, seed)
    }

    /// The newest revision of every live update that a complete software synchronization delivers to
    /// the client, in the order of the catalog. What a scan from nothing has to arrive at.
    #[must_use]
    pub fn delivered_to(&self, client: &Client) -> Vec<UpdateIdentity> {
        client::delivered(self, client)
    }

    fn id(&self, subject: Subject) -> UpdateId {
        let (topic, number) = subject.key();
        UpdateId(Dice::new(self.seed, topic, number).guid())
    }

    /// The newest revision of an update.
    fn newest(&self, subject: Subject) -> UpdateIdentity {
        self.identity(subject, self.layout.history(subject))
    }

    /// The revision that has `earlier` others before it.
    fn identity(&self, subject: Subject, earlier: usize) -> UpdateIdentity {
        UpdateIdentity { update: self.id(subject), revision: relate::revision_number(subject, earlier) }
    }
}

/// One revision of a synthetic catalog.
#[derive(Clone, Copy, Debug)]
pub struct Revision<'a> {
    catalog: &'a Catalog,
    subject: Subject,
    /// How many revisions of the update are before this one.
    number: usize,
}

impl Revision<'_> {
    /// Which revision of which update.
    #[must_use]
    pub fn identity(&self) -> UpdateIdentity {
        self.catalog.identity(self.subject, self.number)
    }

    /// There is no later revision of the same update.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        self.number == self.catalog.layout.history(self.subject)
    }

    /// A name for the document, such as a file would have.
    #[must_use]
    pub fn source(&self) -> String {
        let identity = self.identity();
        format!("{}-r{}.xml", identity.update, identity.revision)
    }

    /// The compact record, equal to that of the parsed document.
    #[must_use]
    pub fn record(&self) -> ScanRecord {
        relate::record(self.catalog, self.subject, self.number)
    }

    /// The Core fragment, equal to that of the parsed document, without parsing anything.
    #[must_use]
    pub fn core(&self) -> String {
        let mut out = String::with_capacity(4096);
        core_fragment::write(&mut out, self.catalog, self.subject, self.number);
        out
    }

    /// The length of the escaped Core fragment in bytes. `scratch` is overwritten; giving the same one
    /// again saves its allocation.
    #[must_use]
    pub fn core_escaped_len(&self, scratch: &mut String) -> u32 {
        scratch.clear();
        core_fragment::write(scratch, self.catalog, self.subject, self.number);
        core_fragment::escaped_len(scratch)
    }

    /// The whole update document as XML text without declaration.
    #[must_use]
    pub fn document(&self) -> String {
        document::compose(self.catalog, self.subject, self.number).to_xml()
    }
}
