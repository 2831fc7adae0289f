//! Catalog: how much of an update document is read before it is refused. Every reader of outside
//! text in this room takes these bounds; the defaults fit the largest documents seen (a Windows
//! feature update's Core alone passes 47 MB, observed).

/// Bounds on one update document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most bytes of text, after decoding to UTF-8.
    pub max_bytes: usize,
    /// Deepest nesting of elements.
    pub max_depth: usize,
    /// Most elements and pieces of text together.
    pub max_nodes: usize,
    /// Most attributes of one element, namespace declarations included.
    pub max_attributes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, max_depth: 256, max_nodes: 8 << 20, max_attributes: 256 }
    }
}
