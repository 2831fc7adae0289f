//! Catalog: the stored form of a [`ScanRecord`]: a version byte, then fields in a fixed order with
//! counts and lengths as LEB128 numbers. Decoding is bounded by the input and never panics.

use super::{Clause, DriverEntry, FeatureScore, ScanRecord};
use sluicegate_terms::{CategoryKind, Guid, RevisionNumber, Timestamp, UpdateId, UpdateIdentity, UpdateKind};

const VERSION: u8 = 1;
const DEPLOYABLE: u8 = 1;
const EXPIRED: u8 = 2;

/// Bytes that are not a record this program wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer program, or not a record at all.
    #[error("scan record version {0} is not known; this program reads version 1")]
    Version(u8),
    /// The bytes end early.
    #[error("the scan record ends early")]
    Short,
    /// There are bytes after the end.
    #[error("the scan record has {0} bytes too many")]
    Long(usize),
    /// A field holds what it cannot.
    #[error("the scan record's {0} is not valid")]
    Field(&'static str),
}

impl ScanRecord {
    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 17 * self.prerequisites.len());
        out.push(VERSION);
        put_identity(&mut out, self.identity);
        out.push(position(UpdateKind::ALL, self.kind));
        out.push(self.category_kind.map_or(0, |kind| position(CategoryKind::ALL, kind) + 1));
        out.push(u8::from(self.explicitly_deployable) * DEPLOYABLE + u8::from(self.expired) * EXPIRED);
        put_list(&mut out, &self.prerequisites, |out, clause| {
            // The flag shares a number with the count: most clauses have one alternative.
            put_number(out, (clause.any_of.len() as u64) << 1 | u64::from(clause.is_category));
            clause.any_of.iter().for_each(|id| put_guid(out, id.0));
        });
        put_list(&mut out, &self.bundles, |out, clause| {
            put_list(out, clause, |out, id| put_identity(out, *id))
        });
        put_list(&mut out, &self.supersedes, |out, id| put_guid(out, id.0));
        put_list(&mut out, &self.drivers, put_driver);
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`RecordError`] for anything [`ScanRecord::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut from = Source(bytes);
        let version = from.byte()?;
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let identity = from.identity()?;
        let kind = *UpdateKind::ALL.get(usize::from(from.byte()?)).ok_or(RecordError::Field("kind"))?;
        let category_kind = match from.byte()? {
            0 => None,
            n => Some(*CategoryKind::ALL.get(usize::from(n) - 1).ok_or(RecordError::Field("category kind"))?),
        };
        let flags = from.byte()?;
        if flags & !(DEPLOYABLE | EXPIRED) != 0 {
            return Err(RecordError::Field("flags"));
        }
        let prerequisites = from.list(1, |from| {
            let head = from.number()?;
            let count = from.fits(head >> 1, 16)?;
            let any_of = (0..count).map(|_| from.guid().map(UpdateId)).collect::<Result<_, _>>()?;
            Ok(Clause { any_of, is_category: head & 1 != 0 })
        })?;
        let bundles = from.list(1, |from| from.list(17, Source::identity))?;
        let supersedes = from.list(16, |from| from.guid().map(UpdateId))?;
        let drivers = from.list(20, Source::driver)?;
        if !from.0.is_empty() {
            return Err(RecordError::Long(from.0.len()));
        }
        Ok(Self {
            identity,
            kind,
            category_kind,
            explicitly_deployable: flags & DEPLOYABLE != 0,
            expired: flags & EXPIRED != 0,
            prerequisites,
            bundles,
            supersedes,
            drivers,
        })
    }
}

/// Enumerations have a handful of values; the position fits a byte.
fn position<T: PartialEq>(all: &[T], value: T) -> u8 {
    all.iter().position(|other| *other == value).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_guid(out: &mut Vec<u8>, guid: Guid) {
    out.extend_from_slice(guid.as_bytes());
}

fn put_identity(out: &mut Vec<u8>, identity: UpdateIdentity) {
    put_guid(out, identity.update.0);
    put_number(out, u64::from(identity.revision.get()));
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_list<T>(out: &mut Vec<u8>, list: &[T], mut put: impl FnMut(&mut Vec<u8>, &T)) {
    put_number(out, list.len() as u64);
    list.iter().for_each(|item| put(out, item));
}

fn put_driver(out: &mut Vec<u8>, driver: &DriverEntry) {
    put_text(out, &driver.hardware_id);
    out.extend_from_slice(&driver.ver_date.ticks().to_le_bytes());
    out.extend_from_slice(&driver.ver_version.to_le_bytes());
    for text in [&driver.class, &driver.manufacturer, &driver.provider, &driver.model] {
        put_text(out, text);
    }
    put_number(out, u64::from(driver.whql_driver_id));
    put_list(out, &driver.compatible_providers, |out, name| put_text(out, name));
    put_list(out, &driver.feature_scores, |out, score| {
        put_text(out, &score.operating_system);
        out.push(score.score);
    });
    put_list(out, &driver.distribution_computer_ids, |out, id| put_guid(out, *id));
    put_list(out, &driver.target_computer_ids, |out, id| put_guid(out, *id));
}

struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn byte(&mut self) -> Result<u8, RecordError> {
        let (first, rest) = self.0.split_first().ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.bytes(N)?.try_into().map_err(|_| RecordError::Short)
    }

    fn number(&mut self) -> Result<u64, RecordError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RecordError::Field("number"))
    }

    /// A count of items of at least `each` bytes; one that the rest of the input cannot hold is
    /// refused before anything is allocated.
    fn fits(&self, count: u64, each: usize) -> Result<usize, RecordError> {
        usize::try_from(count)
            .ok()
            .filter(|count| count.checked_mul(each).is_some_and(|bytes| bytes <= self.0.len()))
            .ok_or(RecordError::Short)
    }

    fn list<T>(
        &mut self,
        each: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, RecordError>,
    ) -> Result<Vec<T>, RecordError> {
        let count = self.number()?;
        let count = self.fits(count, each)?;
        // Not `with_capacity(count)`: items are larger in memory than the bytes that claim them.
        (0..count).map(|_| read(self)).collect()
    }

    fn guid(&mut self) -> Result<Guid, RecordError> {
        self.array().map(Guid::from_bytes)
    }

    fn identity(&mut self) -> Result<UpdateIdentity, RecordError> {
        let update = UpdateId(self.guid()?);
        let revision = i64::try_from(self.number()?)
            .ok()
            .and_then(|number| RevisionNumber::new(number).ok())
            .ok_or(RecordError::Field("revision number"))?;
        Ok(UpdateIdentity { update, revision })
    }

    fn text(&mut self) -> Result<String, RecordError> {
        let length = self.number()?;
        let length = self.fits(length, 1)?;
        String::from_utf8(self.bytes(length)?.to_vec()).map_err(|_| RecordError::Field("text"))
    }

    fn driver(&mut self) -> Result<DriverEntry, RecordError> {
        Ok(DriverEntry {
            hardware_id: self.text()?,
            ver_date: Timestamp::from_ticks(i64::from_le_bytes(self.array()?)),
            ver_version: u64::from_le_bytes(self.array()?),
            class: self.text()?,
            manufacturer: self.text()?,
            provider: self.text()?,
            model: self.text()?,
            whql_driver_id: u32::try_from(self.number()?).map_err(|_| RecordError::Field("driver id"))?,
            compatible_providers: self.list(1, Self::text)?,
            feature_scores: self
                .list(2, |from| Ok(FeatureScore { operating_system: from.text()?, score: from.byte()? }))?,
            distribution_computer_ids: self.list(16, Self::guid)?,
            target_computer_ids: self.list(16, Self::guid)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn guid() -> impl Strategy<Value = Guid> {
        any::<u128>().prop_map(Guid::from_u128)
    }
    fn identity() -> impl Strategy<Value = UpdateIdentity> {
        (guid(), 0..=i32::MAX).prop_map(|(id, number)| UpdateIdentity {
            update: UpdateId(id),
            revision: RevisionNumber::new(i64::from(number)).unwrap(),
        })
    }
    fn clause() -> impl Strategy<Value = Clause> {
        (prop::collection::vec(guid().prop_map(UpdateId), 0..4), any::<bool>())
            .prop_map(|(any_of, is_category)| Clause { any_of, is_category })
    }
    fn driver() -> impl Strategy<Value = DriverEntry> {
        let few = || prop::collection::vec(guid(), 0..3);
        let scores = prop::collection::vec(
            (".{0,12}", any::<u8>())
                .prop_map(|(operating_system, score)| FeatureScore { operating_system, score }),
            0..3,
        );
        (
            (".{0,20}", any::<i64>(), any::<u64>(), any::<u32>()),
            (".{0,9}", ".{0,9}", ".{0,9}", ".{0,9}"),
            (prop::collection::vec(".{0,9}", 0..3), scores, few(), few()),
        )
            .prop_map(
                |((hardware_id, date, ver_version, whql), (class, manufacturer, provider, model), rest)| {
                    DriverEntry {
                        hardware_id,
                        ver_date: Timestamp::from_ticks(date),
                        ver_version,
                        class,
                        manufacturer,
                        provider,
                        model,
                        whql_driver_id: whql,
                        compatible_providers: rest.0,
                        feature_scores: rest.1,
                        distribution_computer_ids: rest.2,
                        target_computer_ids: rest.3,
                    }
                },
            )
    }
    fn record() -> impl Strategy<Value = ScanRecord> {
        (
            (
                identity(),
                prop::sample::select(UpdateKind::ALL),
                prop::option::of(prop::sample::select(CategoryKind::ALL)),
            ),
            (any::<bool>(), any::<bool>()),
            prop::collection::vec(clause(), 0..5),
            prop::collection::vec(prop::collection::vec(identity(), 0..4), 0..3),
            prop::collection::vec(guid().prop_map(UpdateId), 0..5),
            prop::collection::vec(driver(), 0..3),
        )
            .prop_map(
                |((identity, kind, category_kind), flags, prerequisites, bundles, supersedes, drivers)| {
                    ScanRecord {
                        identity,
                        kind,
                        category_kind,
                        explicitly_deployable: flags.0,
                        expired: flags.1,
                        prerequisites,
                        bundles,
                        supersedes,
                        drivers,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn records_round_trip(record in record()) {
            prop_assert_eq!(ScanRecord::decode(&record.encode()), Ok(record));
        }

        #[test]
        fn every_truncation_is_refused(record in record(), cut in any::<prop::sample::Index>()) {
            let bytes = record.encode();
            let cut = cut.index(bytes.len());
            prop_assert!(ScanRecord::decode(&bytes[..cut]).is_err());
        }

        #[test]
        fn any_bytes_are_answered(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = ScanRecord::decode(&bytes);
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            if let Ok(record) = ScanRecord::decode(&bytes) {
                prop_assert_eq!(ScanRecord::decode(&record.encode()), Ok(record));
            }
        }
    }

    #[test]
    fn counts_beyond_the_input_are_refused_before_allocating() {
        let mut bytes = ScanRecord::new(UpdateIdentity::default(), UpdateKind::Detectoid).encode();
        bytes.truncate(1 + 17 + 3);
        put_number(&mut bytes, u64::MAX >> 1);
        assert_eq!(ScanRecord::decode(&bytes), Err(RecordError::Short));
    }

    #[test]
    fn other_versions_and_trailing_bytes_are_named() {
        let mut bytes = ScanRecord::new(UpdateIdentity::default(), UpdateKind::Software).encode();
        bytes.push(0);
        assert_eq!(ScanRecord::decode(&bytes), Err(RecordError::Long(1)));
        bytes[0] = 9;
        assert_eq!(ScanRecord::decode(&bytes), Err(RecordError::Version(9)));
        assert_eq!(ScanRecord::decode(&[]), Err(RecordError::Short));
    }
}
