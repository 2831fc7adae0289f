//! SOAP: the answer to GetRevisionIdList, written straight into bytes: a catalog has hundreds of thousands
//! of revisions and the protocol has no paging (observed-behaviour 8).

use super::revisions::GET_REVISION_ID_LIST;
use crate::envelope::SoapVersion;
use crate::text::escape_into;
use crate::writer::{epilogue, write_prologue};
use sluicegate_terms::{Guid, UpdateIdentity};

/// Writes the answer to GetRevisionIdList, the same bytes as
/// [`GetRevisionIdListResponse`](super::GetRevisionIdListResponse) would encode to.
#[derive(Debug)]
pub struct RevisionListWriter {
    out: Vec<u8>,
    empty: bool,
}

const OPEN: &[u8] = b"<UpdateIdentity><UpdateID>";
const BETWEEN: &[u8] = b"</UpdateID><RevisionNumber>";
const CLOSE: &[u8] = b"</RevisionNumber></UpdateIdentity>";
const NAME: &str = "GetRevisionIdListResponse";

impl RevisionListWriter {
    /// Most bytes one revision takes.
    pub const MOST_PER_REVISION: usize = OPEN.len() + 36 + BETWEEN.len() + 10 + CLOSE.len();

    /// Begins the answer; `expected` revisions are made room for.
    #[must_use]
    pub fn new(version: SoapVersion, anchor: &str, expected: usize) -> Self {
        let style = GET_REVISION_ID_LIST.service.style();
        let mut out = Vec::with_capacity(1024 + expected.saturating_mul(Self::MOST_PER_REVISION));
        write_prologue(&mut out, style, version);
        for part in
            ["<", NAME, " xmlns=\"", GET_REVISION_ID_LIST.namespace, "\"><GetRevisionIdListResult><Anchor>"]
        {
            out.extend_from_slice(part.as_bytes());
        }
        escape_into(&mut out, anchor);
        out.extend_from_slice(b"</Anchor><NewRevisions");
        Self { out, empty: true }
    }

    /// Adds a revision.
    pub fn push(&mut self, revision: UpdateIdentity) {
        if self.empty {
            self.out.push(b'>');
            self.empty = false;
        }
        self.out.extend_from_slice(OPEN);
        self.out.extend_from_slice(&hyphenated(revision.update.0));
        self.out.extend_from_slice(BETWEEN);
        self.out.extend_from_slice(itoa::Buffer::new().format(revision.revision.get()).as_bytes());
        self.out.extend_from_slice(CLOSE);
    }

    /// The whole message.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(if self.empty { b" />" } else { b"</NewRevisions>" });
        for part in
            ["</GetRevisionIdListResult></", NAME, ">", epilogue(GET_REVISION_ID_LIST.service.style())]
        {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.out
    }
}

/// A GUID as text, without the formatting machinery.
fn hyphenated(guid: Guid) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 15)).copied().unwrap_or(b'0');
    let mut out = [b'-'; 36];
    let mut places = out.iter_mut().enumerate().filter(|(at, _)| !matches!(at, 8 | 13 | 18 | 23));
    for byte in guid.as_bytes() {
        for nibble in [byte >> 4, byte & 15] {
            if let Some((_, place)) = places.next() {
                *place = digit(nibble);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{GetRevisionIdListResponse, RevisionIdList};
    use super::*;
    use crate::service::ResponseMessage;
    use sluicegate_terms::{RevisionNumber, UpdateId};

    #[test]
    fn the_list_is_the_same_bytes_as_the_message_would_be() {
        let identity = |number: u128| UpdateIdentity {
            update: UpdateId(Guid::from_u128(number * 0x0123_4567_89ab_cdef_0011)),
            revision: RevisionNumber::new(i64::try_from(number).unwrap() * 100).unwrap(),
        };
        for count in [0, 1, 7] {
            for version in [SoapVersion::V11, SoapVersion::V12] {
                let revisions: Vec<_> = (1..=count).map(identity).collect();
                let mut writer = RevisionListWriter::new(version, "1,<2>", revisions.len());
                revisions.iter().for_each(|revision| writer.push(*revision));
                let list = RevisionIdList { anchor: Some("1,<2>".into()), new_revisions: revisions };
                let expected = GetRevisionIdListResponse { list }.encode(version);
                assert_eq!(String::from_utf8(writer.finish()).unwrap(), String::from_utf8(expected).unwrap());
            }
        }
    }
}
