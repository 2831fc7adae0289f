//! Cabinet: the directory (MS-CAB 2.1 to 2.3): header, folders and members, checked against the limits
//! and against each other before any data is touched.

use crate::{CabinetError, Entry, Limits};

const FLAG_PREVIOUS: u16 = 1;
const FLAG_NEXT: u16 = 2;
const FLAG_RESERVE: u16 = 4;
/// `iFolder` from here on means that the member continues in another file.
const CONTINUED: u16 = 0xFFFD;
const NAME_IS_UTF: u16 = 0x80;
/// Longest member name with its path (MS-CAB 2.3).
pub(super) const MAX_NAME: usize = 255;

/// How a folder is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Stored,
    MsZip,
    /// With the logarithm of the window size.
    Lzx(u16),
}

impl Scheme {
    fn from_bits(bits: u16) -> Result<Self, CabinetError> {
        match (bits & 0x0F, bits >> 8 & 0x1F) {
            (0, _) => Ok(Self::Stored),
            (1, _) => Ok(Self::MsZip),
            (3, window @ 15..=21) => Ok(Self::Lzx(window)),
            _ => Err(CabinetError::Compression(bits)),
        }
    }
}

/// One folder: where its blocks begin and how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folder<'a> {
    pub(super) scheme: Scheme,
    pub(super) blocks: u16,
    /// From the first block to the end of the file.
    pub(super) data: &'a [u8],
}

#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) folders: Vec<Folder<'a>>,
    pub(super) entries: Vec<Entry>,
    /// Bytes that each data block reserves for others.
    pub(super) block_reserve: usize,
}

/// Takes fields off the front and names what was cut.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    part: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(rest: &'a [u8], part: &'static str) -> Self {
        Self { rest, part }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], CabinetError> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or(CabinetError::Cut(self.part))?;
        self.rest = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CabinetError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(CabinetError::Cut(self.part))?;
        self.rest = tail;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, CabinetError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, CabinetError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, CabinetError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Text up to a zero byte, at most [`MAX_NAME`] bytes.
    fn name(&mut self) -> Result<&'a [u8], CabinetError> {
        let window = self.rest.get(..=MAX_NAME).unwrap_or(self.rest);
        let length = window.iter().position(|&byte| byte == 0).ok_or(CabinetError::Cut("member names"))?;
        let name = self.bytes(length)?;
        self.bytes(1)?;
        Ok(name)
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Layout<'a> {
    pub(super) fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, CabinetError> {
        if !bytes.starts_with(b"MSCF") {
            return Err(CabinetError::Signature);
        }
        let mut header = Fields::new(bytes, "header");
        header.bytes(16)?;
        let entries_at = header.u32()?;
        header.bytes(4)?;
        let (minor, major) = (header.u8()?, header.u8()?);
        if major != 1 || minor > 3 {
            return Err(CabinetError::Version { major, minor });
        }
        let folder_count = header.u16()?;
        let entry_count = header.u16()?;
        let flags = header.u16()?;
        header.bytes(4)?;
        within("folders", u64::from(folder_count), limits.folders)?;
        within("members", u64::from(entry_count), limits.members)?;
        if flags & (FLAG_PREVIOUS | FLAG_NEXT) != 0 {
            return Err(CabinetError::Spanned);
        }
        let (mut folder_reserve, mut block_reserve) = (0, 0);
        if flags & FLAG_RESERVE != 0 {
            let header_reserve = usize::from(header.u16()?);
            folder_reserve = usize::from(header.u8()?);
            block_reserve = usize::from(header.u8()?);
            header.bytes(header_reserve)?;
        }
        let mut folders = Vec::with_capacity(usize::from(folder_count));
        for _ in 0..folder_count {
            let start = header.u32()?;
            let blocks = header.u16()?;
            let scheme = Scheme::from_bits(header.u16()?)?;
            header.bytes(folder_reserve)?;
            let data = after(bytes, start, "data blocks")?;
            folders.push(Folder { scheme, blocks, data });
        }
        let mut fields = Fields::new(after(bytes, entries_at, "directory")?, "directory");
        let mut entries = Vec::with_capacity(usize::from(entry_count));
        let mut total = 0_u64;
        for _ in 0..entry_count {
            let entry = read_entry(&mut fields, folders.len())?;
            let member_limit = usize::try_from(limits.member_bytes).unwrap_or(usize::MAX);
            within("a member size", entry.size, member_limit)?;
            total += entry.size;
            // What lies before a member is decompressed too, so it counts against the same bound.
            let reach = entry.offset.saturating_add(entry.size);
            let total_limit = usize::try_from(limits.total_bytes).unwrap_or(usize::MAX);
            within("a total size", total.max(reach), total_limit)?;
            entries.push(entry);
        }
        Ok(Self { folders, entries, block_reserve })
    }
}

fn read_entry(fields: &mut Fields<'_>, folders: usize) -> Result<Entry, CabinetError> {
    let size = u64::from(fields.u32()?);
    let offset = u64::from(fields.u32()?);
    let folder = fields.u16()?;
    fields.bytes(4)?;
    let attributes = fields.u16()?;
    let raw = fields.name()?;
    let name = if attributes & NAME_IS_UTF == 0 {
        // The code page is not told; Latin-1 keeps every byte apart.
        raw.iter().copied().map(char::from).collect()
    } else {
        String::from_utf8_lossy(raw).into_owned()
    };
    if folder >= CONTINUED {
        return Err(CabinetError::Spanned);
    }
    let folder = usize::from(folder);
    if folder >= folders {
        return Err(CabinetError::Damaged(format!("member `{name}` is in folder {folder} of {folders}")));
    }
    Ok(Entry { name, size, folder, offset })
}

fn within(what: &'static str, value: u64, limit: usize) -> Result<(), CabinetError> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    if value > limit { Err(CabinetError::Limit { what, value, limit }) } else { Ok(()) }
}

fn after<'a>(bytes: &'a [u8], start: u32, part: &'static str) -> Result<&'a [u8], CabinetError> {
    usize::try_from(start).ok().and_then(|start| bytes.get(start..)).ok_or(CabinetError::Cut(part))
}
