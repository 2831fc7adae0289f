//! Store: the fragments of one revision that clients ask for by id (GetExtendedUpdateInfo): one segment
//! record with a small directory in front, decoded without copying the texts.

use crate::wire::{Malformed, Reader, put_bytes, put_option, put_u32};
use core::ops::Range;
use sluicegate_catalog::Eula;
use sluicegate_terms::{Locale, Sha1Digest};

/// The layout's version, the first byte of a record.
const LAYOUT: u8 = 1;

/// Extended, LocalizedProperties and Eula fragments of one revision, not XML-escaped, and its files.
/// Choosing a language is the caller's: the table names what there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevisionFragments {
    text: String,
    extended: Range<usize>,
    localized: Vec<(Locale, Range<usize>)>,
    eulas: Vec<(Locale, Option<String>, Range<usize>)>,
    files: Vec<Sha1Digest>,
}

impl RevisionFragments {
    /// The Extended fragment.
    #[must_use]
    pub fn extended(&self) -> &str {
        self.slice(&self.extended)
    }

    /// The languages there are texts in, in the document's order, with the fragments.
    pub fn localized(&self) -> impl Iterator<Item = (&Locale, &str)> {
        self.localized.iter().map(|(locale, range)| (locale, self.slice(range)))
    }

    /// The LocalizedProperties fragment in exactly this language.
    #[must_use]
    pub fn localized_in(&self, locale: &Locale) -> Option<&str> {
        self.localized().find(|(l, _)| *l == locale).map(|(_, text)| text)
    }

    /// The licence terms: language, region (`None` is the rest of the world) and fragment.
    pub fn eulas(&self) -> impl Iterator<Item = (&Locale, Option<&str>, &str)> {
        self.eulas.iter().map(|(locale, geo, range)| (locale, geo.as_deref(), self.slice(range)))
    }

    /// The files of the revision, each once; look their facts up with `Store::file`.
    #[must_use]
    pub fn files(&self) -> &[Sha1Digest] {
        &self.files
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        // The ranges were checked when the record was decoded.
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// Lays the fragments out as a record: the directory, then all texts back to back.
pub(crate) fn encode(
    extended: &str,
    localized: &[(Locale, String)],
    eulas: &[Eula],
    files: &[Sha1Digest],
) -> Vec<u8> {
    let len = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let texts: usize = extended.len()
        + localized.iter().map(|(_, t)| t.len()).sum::<usize>()
        + eulas.iter().map(|e| e.xml.len()).sum::<usize>();
    let mut out = Vec::with_capacity(64 + texts + (localized.len() + eulas.len()) * 24 + files.len() * 20);
    out.push(LAYOUT);
    put_u32(&mut out, len(extended.len()));
    put_u32(&mut out, len(localized.len()));
    for (locale, text) in localized {
        put_bytes(&mut out, locale.as_str().as_bytes());
        put_u32(&mut out, len(text.len()));
    }
    put_u32(&mut out, len(eulas.len()));
    for eula in eulas {
        put_bytes(&mut out, eula.locale.as_str().as_bytes());
        put_option(&mut out, eula.geo_id.as_deref(), |out, geo| put_bytes(out, geo.as_bytes()));
        put_u32(&mut out, len(eula.xml.len()));
    }
    put_u32(&mut out, len(files.len()));
    files.iter().for_each(|f| out.extend_from_slice(&f.0));
    out.extend_from_slice(extended.as_bytes());
    localized.iter().for_each(|(_, t)| out.extend_from_slice(t.as_bytes()));
    eulas.iter().for_each(|e| out.extend_from_slice(e.xml.as_bytes()));
    out
}

/// Reads a record back.
pub(crate) fn decode(mut record: Vec<u8>) -> Result<RevisionFragments, Malformed> {
    let mut r = Reader(&record);
    if r.u8()? != LAYOUT {
        return Err(Malformed);
    }
    let mut end = 0_usize;
    let mut next = |len: u32| -> Result<Range<usize>, Malformed> {
        let start = end;
        end = start.checked_add(usize::try_from(len).map_err(|_| Malformed)?).ok_or(Malformed)?;
        Ok(start..end)
    };
    let locale = |text: &str| text.parse::<Locale>().map_err(|_| Malformed);
    let extended = next(r.u32()?)?;
    let localized = (0..r.count(9)?)
        .map(|_| Ok((locale(r.text()?)?, next(r.u32()?)?)))
        .collect::<Result<Vec<_>, Malformed>>()?;
    let eulas = (0..r.count(10)?)
        .map(|_| Ok((locale(r.text()?)?, r.option(|r| r.text().map(str::to_owned))?, next(r.u32()?)?)))
        .collect::<Result<Vec<_>, Malformed>>()?;
    let files =
        (0..r.count(20)?).map(|_| r.array().map(Sha1Digest)).collect::<Result<Vec<_>, Malformed>>()?;
    let text_at = record.len() - r.0.len();
    record.drain(..text_at);
    let text = String::from_utf8(record).map_err(|_| Malformed)?;
    let fits = |range: &Range<usize>| text.get(range.clone()).is_some();
    let all_fit = end == text.len()
        && fits(&extended)
        && localized.iter().all(|(_, r)| fits(r))
        && eulas.iter().all(|(_, _, r)| fits(r));
    if all_fit { Ok(RevisionFragments { text, extended, localized, eulas, files }) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_come_back_by_language_and_any_cut_is_noticed() {
        let locale = |t: &str| t.parse::<Locale>().unwrap();
        let localized = vec![
            (locale("en"), "<Title>One</Title>".to_owned()),
            (locale("de"), "<Title>Größe</Title>".to_owned()),
        ];
        let eulas = vec![Eula {
            locale: locale("en"),
            geo_id: Some("USA".to_owned()),
            xml: "<EulaFile />".to_owned(),
        }];
        let record = encode("<ExtendedProperties />", &localized, &eulas, &[Sha1Digest([9; 20])]);
        let back = decode(record.clone()).unwrap();
        assert_eq!(back.extended(), "<ExtendedProperties />");
        assert_eq!(back.localized_in(&locale("DE")), Some("<Title>Größe</Title>"));
        assert_eq!(back.localized_in(&locale("fr")), None);
        assert_eq!(back.eulas().collect::<Vec<_>>(), [(&locale("en"), Some("USA"), "<EulaFile />")]);
        assert_eq!(back.files(), [Sha1Digest([9; 20])]);
        for cut in 0..record.len() {
            assert!(decode(record[..cut].to_vec()).is_err(), "cut at {cut}");
        }
    }

    proptest::proptest! {
        #[test]
        fn damaged_records_are_refused_without_panic(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
            at in 0_usize..60,
            value in proptest::num::u8::ANY,
        ) {
            let _ = decode(bytes);
            let localized = vec![("en".parse::<Locale>().unwrap(), "Größe".to_owned())];
            let mut record = encode("<ExtendedProperties />", &localized, &[], &[Sha1Digest([9; 20])]);
            let good = decode(record.clone()).unwrap();
            let at = at % record.len();
            record[at] = value;
            // A changed byte in a text may go unnoticed here (the segment's checksum sees it), but what
            // is read then is still whole text of the same length.
            if let Ok(other) = decode(record) {
                proptest::prop_assert!(other.text.len() <= good.text.len());
            }
        }
    }
}
