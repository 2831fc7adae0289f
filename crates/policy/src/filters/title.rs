//! Filters: reading titles and names of files. Titles, words and patterns are in lower case here.

/// What belongs to a word of a title: `x86-64` and `de-de` are one, `(arm64-based` ends at its second part.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the title has this word. A hyphen ends a word unless what follows is a further part of a tag, so
/// that `arm64-based` has `arm64` and `de-de` does not have `de`.
pub(super) fn has_word(title: &str, word: &str) -> bool {
    let rest_is_free = |rest: &str| {
        let rest = rest.strip_prefix("-based").or_else(|| rest.strip_prefix("-bit")).unwrap_or(rest);
        !rest.starts_with(|c: char| in_word(c) || c == '-')
    };
    found(title, word)
        .any(|(before, rest)| !before.ends_with(|c: char| in_word(c) || c == '-') && rest_is_free(rest))
}

/// Whether the title has these words one after another.
pub(super) fn has_phrase(title: &str, phrase: &str) -> bool {
    found(title, phrase).any(|(before, rest)| !before.ends_with(in_word) && !rest.starts_with(in_word))
}

/// Whether the name of a file has a whole tag, between anything but letters and digits.
pub(super) fn names_file(name: &str, tag: &str) -> bool {
    let free = |c: char| !c.is_alphanumeric();
    found(&name.to_lowercase(), tag).any(|(before, rest)| {
        (before.is_empty() || before.ends_with(free)) && (rest.is_empty() || rest.starts_with(free))
    })
}

/// What is before and after each place where the text has a part.
fn found<'a>(text: &'a str, part: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    text.match_indices(part).filter_map(move |(at, found)| {
        let (before, rest) = text.split_at_checked(at)?;
        Some((before, rest.strip_prefix(found)?))
    })
}

/// Whether the whole title is like a pattern in which `*` stands for anything. Takes the first place for each
/// part, which finds a way if there is one, in time that grows with the title only.
pub(super) fn like(title: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| title.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            // Of `**` nothing is between: it is found at once and takes nothing away.
            let Some((_, after)) = rest.split_once(middle) else { return false };
            rest = after;
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}
