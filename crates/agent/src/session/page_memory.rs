//! Session: remembers pages of SyncUpdates. Ten thousand agents of one fleet get the same pages, different
//! only in the cookie at the end; a simulator that unpacked each would spend more time than the server it
//! measures. Every byte is still received; what is saved is unpacking the same bytes again.

use sluicegate_soap::client::{SyncInfo, SyncUpdatesResponse, UpdateInfo};
use sluicegate_soap::text::Text;
use sluicegate_soap::{Limits, ResponseMessage as _, Service};
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, RwLock};

/// Pages remembered at most; a fleet of very different agents has more, and unpacks the rest.
const MOST_PAGES: usize = 1024;
/// Length of the two sizes before each Xpress block (observed-behaviour 1.4).
const HEADER: usize = 8;
/// Begins what differs between agents.
const TAIL: &[u8] = b"<Truncated>";
const DEPLOYED: &[u8] = b"<DeployedOutOfScopeRevisionIds>";

/// Pages of a fleet, by their bytes.
#[derive(Default)]
pub struct PageMemory {
    pages: RwLock<HashMap<Key, Arc<Page>>>,
}

/// A page, reduced: of each Core fragment only the first element is there.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) info: SyncInfo<'static>,
    /// Length of the whole answer, unpacked.
    pub(super) body_bytes: usize,
}

/// Which page: two hashes of its bytes, and how many there are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(u64, u64, usize);

/// An answer taken apart: which page, and an answer without it, which has the cookie.
pub(super) struct Parts {
    pub(super) key: Key,
    pub(super) rest: Vec<u8>,
}

impl fmt::Debug for PageMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pages = self.pages.read().map(|pages| pages.len()).unwrap_or_default();
        f.debug_struct("PageMemory").field("pages", &pages).finish()
    }
}

impl PageMemory {
    /// Takes an Xpress answer apart. `None` when its last block is not stored, or does not hold all that
    /// differs between agents; then it must be unpacked.
    pub(super) fn parts(wire: &[u8]) -> Option<Parts> {
        let mut at = 0;
        let (block, stored) = loop {
            let header = wire.get(at..at + HEADER)?;
            let (plain, packed) = header.split_at(HEADER / 2);
            let plain = u32::from_le_bytes(plain.try_into().ok()?);
            let packed = u32::from_le_bytes(packed.try_into().ok()?);
            let end = (at + HEADER).checked_add(usize::try_from(packed).ok()?)?;
            if end == wire.len() {
                break (at + HEADER, plain == packed);
            }
            at = end;
        };
        let last = wire.get(block..).filter(|_| stored)?;
        // Text is escaped, so these bytes can only be the element; the last one counts.
        let from = block + last.windows(TAIL.len()).rposition(|window| window == TAIL)?;
        let (page, tail) = wire.split_at_checked(from)?;
        // Ids in the rest belong to the page; they come only with category scans.
        if tail.windows(DEPLOYED.len()).any(|window| window == DEPLOYED) {
            return None;
        }
        // Ends and sizes of the last block differ with the cookie's length, not with the page.
        let (before, begun) = (page.get(..block - HEADER)?, page.get(block..)?);
        let hash = |seed: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(seed);
            before.hash(&mut hasher);
            begun.hash(&mut hasher);
            hasher.finish()
        };
        let mut rest = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><SyncUpdatesResponse \
             xmlns=\"{}\"><SyncUpdatesResult>",
            Service::Client.namespace()
        )
        .into_bytes();
        rest.extend_from_slice(tail);
        Some(Parts { key: Key(hash(1), hash(2), page.len()), rest })
    }

    pub(super) fn recall(&self, key: Key) -> Option<Arc<Page>> {
        self.pages.read().ok()?.get(&key).cloned()
    }

    /// Remembers an unpacked answer.
    pub(super) fn remember(&self, key: Key, body: &[u8], limits: &Limits) {
        // An answer that cannot be read is left to whoever reads it next, who says what is wrong.
        let Ok(answer) = SyncUpdatesResponse::decode(body, limits) else { return };
        let reduced = |updates: Vec<UpdateInfo<'_>>| {
            updates
                .into_iter()
                .map(|update| UpdateInfo { xml: update.xml.map(|xml| beginning(&xml)), ..update })
                .collect()
        };
        let info = SyncInfo {
            new_updates: reduced(answer.info.new_updates),
            changed_updates: reduced(answer.info.changed_updates),
            out_of_scope: answer.info.out_of_scope,
            ..SyncInfo::default()
        };
        if let Ok(mut pages) = self.pages.write()
            && pages.len() < MOST_PAGES
        {
            pages.insert(key, Arc::new(Page { info, body_bytes: body.len() }));
        }
    }
}

/// The first element of a fragment: the identity (observed).
fn beginning(xml: &Text<'_>) -> Text<'static> {
    let plain = xml.plain();
    let end = plain.find('>').map_or(0, |at| at + 1);
    Text::new(plain.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_soap::SoapVersion;
    use sluicegate_soap::client::sync_updates::{AnswerWriter, CoreBytes, Encoding};
    use sluicegate_soap::client::{Cookie, Deployment};
    use sluicegate_soap::{ready, xpress};
    use sluicegate_terms::{DeploymentAction, DeploymentId, RevisionId, Timestamp};

    /// An answer as the server writes it, with this many revisions and this cookie.
    fn answer(revisions: i64, cookie: &[u8]) -> Vec<u8> {
        let core =
            format!("<UpdateIdentity UpdateID=\"a&amp;b\" /><Properties Text=\"{}\" />", "x".repeat(3000));
        let core = ready::from_fragment(&core).unwrap();
        let mut writer = AnswerWriter::new(Encoding::Xpress, SoapVersion::V11);
        for id in 1..=revisions {
            let id = RevisionId::new(id).unwrap();
            let plain =
                Deployment::plain(DeploymentId::implicit(id), DeploymentAction::Evaluate, Timestamp::MIN);
            writer.new_update(id, &plain, id.get().is_multiple_of(2), CoreBytes::from(&core)).unwrap();
        }
        let out_of_scope = [RevisionId::new(77).unwrap()];
        let cookie = Cookie { expiration: Timestamp::MAX, encrypted_data: Some(cookie.to_vec().into()) };
        writer.out_of_scope(out_of_scope).finish(true, &cookie, [], Some(false))
    }

    fn remembered(memory: &PageMemory, wire: &[u8]) -> Option<Arc<Page>> {
        let key = PageMemory::parts(wire).unwrap().key;
        let body = xpress::decompress(wire, 1 << 20).unwrap();
        memory.remember(key, &body, &Limits::ANSWER);
        memory.recall(key)
    }

    #[test]
    fn the_same_page_with_another_cookie_is_recalled_and_the_cookie_read() {
        let memory = PageMemory::default();
        let page = remembered(&memory, &answer(5, b"first")).unwrap();
        let parts = PageMemory::parts(&answer(5, b"a longer second cookie")).unwrap();
        assert!(Arc::ptr_eq(&page, &memory.recall(parts.key).unwrap()));
        assert_eq!(page.info.new_updates.len(), 5);
        assert_eq!(
            page.info.new_updates[1].xml.as_ref().unwrap().plain(),
            "<UpdateIdentity UpdateID=\"a&amp;b\" />"
        );
        assert_eq!(page.info.out_of_scope, [77]);
        let rest = SyncUpdatesResponse::decode(&parts.rest, &Limits::ANSWER).unwrap().info;
        assert!(rest.truncated && rest.new_updates.is_empty());
        let cookie = rest.new_cookie.unwrap().encrypted_data.unwrap();
        assert_eq!(cookie.0, b"a longer second cookie");
    }

    #[test]
    fn other_pages_are_not_mistaken_for_it() {
        let memory = PageMemory::default();
        remembered(&memory, &answer(5, b"c")).unwrap();
        for other in [answer(4, b"c"), answer(0, b"c")] {
            assert!(memory.recall(PageMemory::parts(&other).unwrap().key).is_none());
        }
    }

    #[test]
    fn answers_of_another_build_are_left_to_be_unpacked() {
        let whole = xpress::decompress(&answer(1, b"c"), 1 << 20).unwrap();
        let packed = xpress::compress(&whole.repeat(20));
        assert!(PageMemory::parts(&packed).is_none());
        let mut cut = answer(1, b"c");
        cut.pop();
        assert!(PageMemory::parts(&cut).is_none());
        assert!(PageMemory::parts(b"").is_none());
    }
}
