//! SOAP: writes answers of SyncUpdates from ready bytes. Everything goes into one buffer; in Xpress the
//! parts between Core fragments are stored blocks, opened in place and closed when ready bytes follow.

use super::super::Cookie;
use super::{Day, Deployment};
use crate::envelope::SoapVersion;
use crate::field::{Field, write_array};
use crate::service::{Operation, Style};
use crate::writer::{XmlWriter, epilogue, write_prologue};
use crate::xpress::{self, Effort, XpressError};
use sluicegate_terms::RevisionId;

/// How the body of an answer is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// Xpress blocks (observed-behaviour 1.4).
    Xpress,
}

/// A Core fragment, XML-escaped and in Xpress blocks, as [`ready`](crate::ready) makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreBytes<'a> {
    /// The blocks.
    pub blocks: &'a [u8],
    /// How many bytes they hold.
    pub escaped_len: u32,
}

impl<'a> From<&'a crate::ready::Ready> for CoreBytes<'a> {
    fn from(ready: &'a crate::ready::Ready) -> Self {
        Self { blocks: &ready.bytes, escaped_len: ready.escaped_len }
    }
}

/// Writes one answer: first the new updates, then (see [`Self::out_of_scope`]) what changed among
/// those the client holds. The order of the calls is the order of the elements.
#[derive(Debug)]
pub struct AnswerWriter {
    out: Vec<u8>,
    encoding: Encoding,
    /// Where the open stored block begins, its header included.
    block: usize,
    operation: &'static Operation,
    /// `NewUpdates` or `ChangedUpdates` is open.
    list_is_open: bool,
    /// The last day written, since most updates share theirs.
    day: Option<(Day, String)>,
}

/// Closed at this length: a stored block longer than this is compressed instead, and no block may
/// pass [`xpress::MAX_BLOCK`].
const LONGEST_STORED: usize = 4096;

/// What the four numbers of nearly every deployment are.
const USUAL_NUMBERS: &str =
    "<AutoSelect>0</AutoSelect><AutoDownload>0</AutoDownload><SupersedenceBehavior>0</SupersedenceBehavior>";

impl AnswerWriter {
    /// For SyncUpdates.
    #[must_use]
    pub fn new(encoding: Encoding, version: SoapVersion) -> Self {
        Self::begin(&super::SYNC_UPDATES, encoding, version)
    }

    /// For SyncPrinterCatalog.
    #[must_use]
    pub fn for_printers(encoding: Encoding, version: SoapVersion) -> Self {
        Self::begin(&super::SYNC_PRINTER_CATALOG, encoding, version)
    }

    fn begin(operation: &'static Operation, encoding: Encoding, version: SoapVersion) -> Self {
        let out = Vec::with_capacity(2048);
        let mut writer = Self { out, encoding, block: 0, operation, list_is_open: false, day: None };
        writer.open_block();
        write_prologue(&mut writer.out, Style::Plain, version);
        for part in
            ["<", operation.name, "Response xmlns=\"", operation.namespace, "\"><", operation.name, "Result>"]
        {
            writer.put(part);
        }
        writer
    }

    /// Makes room for so many more bytes at once.
    pub fn reserve(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    /// Bytes written so far, in the answer's encoding.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.out.len()
    }

    /// Adds a revision that the client does not hold.
    ///
    /// # Errors
    /// When the answer is not Xpress and the ready bytes do not decode; the answer is then useless.
    pub fn new_update(
        &mut self,
        revision: RevisionId,
        deployment: &Deployment,
        is_leaf: bool,
        core: CoreBytes<'_>,
    ) -> Result<(), XpressError> {
        self.update(if self.list_is_open { "" } else { "<NewUpdates>" }, revision, deployment, is_leaf);
        self.put("<Xml>");
        match self.encoding {
            Encoding::Xpress => {
                self.close_block();
                self.out.extend_from_slice(core.blocks);
                self.open_block();
            }
            Encoding::Identity => {
                let longest = usize::try_from(core.escaped_len).unwrap_or(usize::MAX);
                self.out.reserve(longest);
                xpress::decompress_into(&mut self.out, core.blocks, longest)?;
            }
        }
        self.put("</Xml></UpdateInfo>");
        Ok(())
    }

    /// Goes on with what changed: first the revisions the client should forget.
    pub fn out_of_scope(mut self, revisions: impl IntoIterator<Item = RevisionId>) -> ChangesWriter {
        self.close_list("</NewUpdates>");
        self.ids("OutOfScopeRevisionIDs", revisions);
        ChangesWriter(self)
    }

    fn update(&mut self, list: &'static str, revision: RevisionId, deployment: &Deployment, is_leaf: bool) {
        self.put(list);
        self.list_is_open = true;
        self.put("<UpdateInfo><ID>");
        self.number(revision.get());
        self.put("</ID><Deployment><ID>");
        self.deployment(deployment);
        self.put(if is_leaf { "<IsLeaf>true</IsLeaf>" } else { "<IsLeaf>false</IsLeaf>" });
    }

    /// Writes what [`Deployment`]'s own writer does from the first id on, without its detours.
    fn deployment(&mut self, deployment: &Deployment) {
        self.number(deployment.id.get());
        self.put("</ID><Action>");
        self.put(deployment.action.as_str());
        self.put("</Action>");
        if let Some(deadline) = deployment.deadline {
            self.element("Deadline", &deadline.iso());
        }
        self.put(if deployment.is_assigned {
            "<IsAssigned>true</IsAssigned><LastChangeTime>"
        } else {
            "<IsAssigned>false</IsAssigned><LastChangeTime>"
        });
        match &self.day {
            Some((day, text)) if *day == deployment.last_change => {
                self.out.extend_from_slice(text.as_bytes())
            }
            _ => {
                let text = deployment.last_change.start().date();
                self.put(&text);
                self.day = Some((deployment.last_change, text));
            }
        }
        self.put("</LastChangeTime>");
        if deployment.download_priority.is_some() || !deployment.hardware_ids.is_empty() {
            let mut rare = XmlWriter::new(Style::Plain, 256);
            deployment.download_priority.write(&mut rare, "DownloadPriority");
            write_array(&deployment.hardware_ids, &mut rare, "HardwareIds", "string");
            self.out.extend_from_slice(&rare.into_bytes());
        }
        let numbers = [
            ("AutoSelect", deployment.auto_select),
            ("AutoDownload", deployment.auto_download),
            ("SupersedenceBehavior", deployment.supersedence_behavior),
            ("FlagBitmask", deployment.flag_bitmask),
        ];
        if numbers.map(|(_, number)| number) == [Some(0), Some(0), Some(0), None] {
            self.put(USUAL_NUMBERS);
        } else {
            for (name, number) in numbers {
                if let Some(number) = number {
                    self.element(name, itoa::Buffer::new().format(number));
                }
            }
        }
        self.put("</Deployment>");
        self.keep_block_short();
    }

    fn ids(&mut self, list: &str, revisions: impl IntoIterator<Item = RevisionId>) {
        let mut revisions = revisions.into_iter().peekable();
        if revisions.peek().is_none() {
            return;
        }
        for part in ["<", list, ">"] {
            self.put(part);
        }
        for revision in revisions {
            self.put("<int>");
            self.number(revision.get());
            self.put("</int>");
            self.keep_block_short();
        }
        for part in ["</", list, ">"] {
            self.put(part);
        }
    }

    fn close_list(&mut self, end: &str) {
        if self.list_is_open {
            self.put(end);
            self.list_is_open = false;
        }
    }

    fn element(&mut self, name: &str, text: &str) {
        for part in ["<", name, ">", text, "</", name, ">"] {
            self.put(part);
        }
    }

    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, number: u32) {
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Leaves room for a block's header.
    fn open_block(&mut self) {
        self.block = self.out.len();
        if self.encoding == Encoding::Xpress {
            self.out.extend_from_slice(&[0; xpress::HEADER]);
        }
    }

    /// Ends the open block: a short one is stored, which its equal two sizes say, a long one compressed.
    fn close_block(&mut self) {
        if self.encoding == Encoding::Identity {
            return;
        }
        let content = self.block + xpress::HEADER;
        let length = self.out.len().saturating_sub(content);
        if length == 0 {
            self.out.truncate(self.block);
        } else if length > LONGEST_STORED {
            let long = self.out.split_off(content);
            self.out.truncate(self.block);
            xpress::compress_into(&mut self.out, &long, Effort::Fast);
        } else if let (Ok(length), Some(header)) =
            (u32::try_from(length), self.out.get_mut(self.block..content))
        {
            let (uncompressed, compressed) = header.split_at_mut(xpress::HEADER / 2);
            uncompressed.copy_from_slice(&length.to_le_bytes());
            compressed.copy_from_slice(&length.to_le_bytes());
        }
    }

    fn keep_block_short(&mut self) {
        if self.encoding == Encoding::Xpress && self.out.len() - self.block >= xpress::BLOCK {
            self.close_block();
            self.open_block();
        }
    }
}

/// The second half of an answer: what changed among the revisions the client holds, and the end.
#[derive(Debug)]
pub struct ChangesWriter(AnswerWriter);

impl ChangesWriter {
    /// Adds a revision the client holds whose deployment or leafness changed.
    pub fn changed(&mut self, revision: RevisionId, deployment: &Deployment, is_leaf: bool) {
        let list = if self.0.list_is_open { "" } else { "<ChangedUpdates>" };
        self.0.update(list, revision, deployment, is_leaf);
        self.0.put("</UpdateInfo>");
    }

    /// Bytes written so far, in the answer's encoding.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.0.encoded_len()
    }

    /// Ends the answer. `driver_sync_not_needed` is left out for clients older than protocol 1.7;
    /// so must `deployed_out_of_scope` be, by leaving it empty.
    #[must_use]
    pub fn finish(
        mut self,
        truncated: bool,
        cookie: &Cookie,
        deployed_out_of_scope: impl IntoIterator<Item = RevisionId>,
        driver_sync_not_needed: Option<bool>,
    ) -> Vec<u8> {
        let writer = &mut self.0;
        writer.close_list("</ChangedUpdates>");
        writer.put(if truncated { "<Truncated>true</Truncated>" } else { "<Truncated>false</Truncated>" });
        let mut new_cookie = XmlWriter::new(Style::Plain, 512);
        cookie.write(&mut new_cookie, "NewCookie");
        writer.out.extend_from_slice(&new_cookie.into_bytes());
        writer.ids("DeployedOutOfScopeRevisionIds", deployed_out_of_scope);
        if let Some(not_needed) = driver_sync_not_needed {
            writer.element("DriverSyncNotNeeded", if not_needed { "true" } else { "false" });
        }
        for part in ["</", writer.operation.name, "Result></", writer.operation.name, "Response>"] {
            writer.put(part);
        }
        writer.put(epilogue(Style::Plain));
        writer.close_block();
        self.0.out
    }
}
