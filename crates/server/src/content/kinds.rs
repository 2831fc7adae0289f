//! Content types by file ending. Recorded downloads of `.exe` files carry `application/octet-stream`;
//! installers and images are opaque to a browser too, so only text and Cabinet files have a type of their own.

/// The `Content-Type` for a file ending (without the dot, any letter case).
#[must_use]
pub fn content_type(ending: &str) -> &'static str {
    const TYPES: &[(&str, &str)] = &[("cab", "application/vnd.ms-cab-compressed"), ("txt", "text/plain")];
    // .exe .msu .msi .msp .psf .esd .wim and everything unknown. No kind that a browser would run.
    TYPES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(ending))
        .map_or("application/octet-stream", |(_, content_type)| content_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_of_update_files() {
        assert_eq!(content_type("CAB"), "application/vnd.ms-cab-compressed");
        assert_eq!(content_type("txt"), "text/plain");
        for opaque in ["exe", "msu", "msi", "msp", "psf", "esd", "wim", "html", "zzz", ""] {
            assert_eq!(content_type(opaque), "application/octet-stream");
        }
    }
}
