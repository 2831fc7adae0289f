//! Demo: the ids of everything in its catalog. Made up for it; no other publisher uses them.

use sluicegate_terms::{Guid, RevisionNumber, UpdateId, UpdateIdentity};

/// Revision of every document.
const REVISION: i64 = 100;

const fn id(number: u128) -> UpdateId {
    UpdateId(Guid::from_u128(0x5106_a7e0_0000_4000_8000_0000_0000_0000 | number))
}

/// The publisher, root of the category tree.
pub(super) const COMPANY: UpdateId = id(0x01);
/// The family of its products.
pub(super) const FAMILY: UpdateId = id(0x02);
/// Product: a workbench for measurements.
pub(super) const DESK: UpdateId = id(0x03);
/// Product: the server that keeps them.
pub(super) const STATION: UpdateId = id(0x04);
/// Product: the devices that take them.
pub(super) const GAUGES: UpdateId = id(0x05);

/// Classification.
pub(super) const SECURITY: UpdateId = id(0x11);
/// Classification.
pub(super) const UPDATES: UpdateId = id(0x12);
/// Classification.
pub(super) const FEATURES: UpdateId = id(0x13);
/// Classification.
pub(super) const DRIVERS: UpdateId = id(0x14);

/// Detectoid: a 64-bit processor.
pub(super) const X64: UpdateId = id(0x21);
/// Detectoid: the workbench is there.
pub(super) const HAS_DESK: UpdateId = id(0x22);
/// Detectoid: the server is there.
pub(super) const HAS_STATION: UpdateId = id(0x23);

/// Oldest of the chain of workbench updates.
pub(super) const DESK_412: UpdateId = id(0x31);
/// Replaces it.
pub(super) const DESK_413: UpdateId = id(0x32);
/// Replaces both.
pub(super) const DESK_420: UpdateId = id(0x33);
/// Has licence terms.
pub(super) const VIEWER: UpdateId = id(0x34);
/// Nobody approved it.
pub(super) const DICTIONARY: UpdateId = id(0x35);
/// Is to be removed.
pub(super) const SYNC_AGENT: UpdateId = id(0x36);
/// For servers.
pub(super) const STATION_704: UpdateId = id(0x37);
/// The bundle.
pub(super) const SUITE: UpdateId = id(0x38);
/// Member for workstations.
pub(super) const RUNTIME_DESK: UpdateId = id(0x39);
/// Member for servers.
pub(super) const RUNTIME_STATION: UpdateId = id(0x3a);
/// Member for all.
pub(super) const FONTS: UpdateId = id(0x3b);
/// Declined.
pub(super) const CONVERTER: UpdateId = id(0x3c);
/// Fails on one computer.
pub(super) const DIAGNOSTICS: UpdateId = id(0x3d);
/// The driver.
pub(super) const GAUGE_DRIVER: UpdateId = id(0x3e);

/// The one revision of an update.
pub(super) fn revision(update: UpdateId) -> UpdateIdentity {
    UpdateIdentity { update, revision: RevisionNumber::new(REVISION).unwrap_or_default() }
}
