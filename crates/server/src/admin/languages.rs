//! The languages of `PUT sync/filter`, and `POST sync/filter/preview`: what another choice of languages would mean for
//! files, before it is saved (known problem P-22). Texts are not part of it: a document holds them in every language, so
//! none has to be fetched later.

use super::error::AdminError;
use super::input::Input;
use super::{sync_filter, with_store};
use crate::services::upstream::languages::names;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::hierarchy::{Choice, SyncFilter};
use sluicegate_store::hierarchy::FileSum;
use sluicegate_terms::Locale;
use std::collections::BTreeSet;

/// The languages that are named, if any are, and sentences about those that may choose nothing. One that chooses no
/// file of the catalog and that no update server knows is refused, as an unknown product is; while the catalog says no
/// languages, it may yet come.
pub(super) async fn chosen(
    app: &App,
    input: &Input,
) -> Result<(Option<Choice<Locale>>, Vec<String>), AdminError> {
    let words = match sync_filter::list(input, "languages")? {
        None => return Ok((None, Vec::new())),
        Some(Choice::All) => return Ok((Some(Choice::All), Vec::new())),
        Some(Choice::Only(words)) => words,
    };
    let tags = words.iter().map(|word| read(word)).collect::<Result<BTreeSet<_>, _>>()?;
    let strange: Vec<&Locale> = tags.iter().filter(|tag| !names().any(|name| name == tag.as_str())).collect();
    let mut warnings = Vec::new();
    if !strange.is_empty() {
        let known = with_store(app, |store| store.file_languages()).await?;
        for tag in strange {
            warnings.extend(looked_up(tag, &known)?);
        }
    }
    Ok((Some(Choice::Only(tags)), warnings))
}

/// A tag (RFC 5646 2.1): letters, then letters and digits, in parts of at most 8 between hyphens.
fn read(word: &str) -> Result<Locale, AdminError> {
    let word = word.trim();
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let first = word.split('-').next().unwrap_or_default();
    let formed =
        word.split('-').all(part) && first.len() >= 2 && first.bytes().all(|b| b.is_ascii_alphabetic());
    match word.parse::<Locale>() {
        Ok(tag) if formed => Ok(tag),
        _ => {
            let shown: String = word.chars().take(80).collect();
            Err(AdminError::invalid(format!(
                "`{shown}` is no language; tags have letters, digits and hyphens, such as en or pt-br"
            )))
        }
    }
}

/// What is to be said of a tag that update servers do not list, when `known` are the languages of the catalog.
fn looked_up(tag: &Locale, known: &BTreeSet<Locale>) -> Result<Option<String>, AdminError> {
    let only = SyncFilter { languages: Choice::Only([tag.clone()].into()), ..SyncFilter::default() };
    if known.iter().any(|language| only.wants_language(Some(language))) {
        return Ok(None);
    }
    let base = tag.as_str().split('-').next().unwrap_or_default();
    let near: BTreeSet<&str> = known
        .iter()
        .map(Locale::as_str)
        .chain(names().map(|name| -> &str { name }))
        .filter(|name| {
            let other = name.split('-').next().unwrap_or_default();
            other == base || (base.len() > 3 && base.starts_with(other))
        })
        .collect();
    let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    let near = match near.is_empty() {
        true => String::new(),
        false => format!("; do you mean {}?", near.join(" or ")),
    };
    if known.is_empty() {
        return Ok(Some(format!(
            "no update server lists a language `{tag}`, and the catalog says no languages yet, so that it may choose \
             nothing{near}"
        )));
    }
    Err(AdminError::unknown(format!(
        "there is no language `{tag}`: no file of the catalog is for it, and no update server lists it{near}"
    )))
}

/// Answers it: the input is that of `PUT sync/filter`; nothing is saved. Files of updates that a wider choice of
/// products would bring are known to nobody before the next synchronization.
pub(super) async fn preview(app: &App, input: &Input) -> Result<Value, AdminError> {
    let (languages, warnings) = chosen(app, input).await?;
    let settings = app.store.upstream_settings();
    let (before, policy) = (settings.filter.clone(), settings.content);
    let mut after = before.clone();
    after.languages = languages.unwrap_or_else(|| before.languages.clone());
    after.check()?;
    let change = with_store(app, move |store| store.language_change(policy, &before, &after)).await?;
    let sum = |sum: FileSum| json!({ "files": sum.files, "bytes": sum.bytes });
    Ok(json!({
        "fetched": sum(change.fetched),
        "no_longer_fetched": sum(change.no_longer_fetched),
        "kept_though_unwanted": sum(change.kept),
        "texts": "complete: a document holds its texts in every language",
        "warnings": warnings,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_they_are_written_and_other_texts_refused() {
        for (word, tag) in
            [("en", "en"), (" PT-br ", "pt-br"), ("zh-hant", "zh-hant"), ("sr-latn-rs", "sr-latn-rs")]
        {
            assert_eq!(read(word).unwrap().as_str(), tag);
        }
        for odd in ["", "e", "pt_br", "de-", "-de", "de--at", "1", "12-de", "???", "deutschland"] {
            assert!(read(odd).unwrap_err().message.contains("letters, digits and hyphens"), "{odd}");
        }
    }

    #[test]
    fn a_tag_that_chooses_nothing_is_refused_once_the_catalog_says_its_languages() {
        let tag = |text: &str| text.parse::<Locale>().unwrap();
        let none = BTreeSet::new();
        let warned = looked_up(&tag("english"), &none).unwrap().unwrap();
        assert!(warned.contains("`english`") && warned.ends_with("do you mean `en`?"), "{warned}");
        let known: BTreeSet<Locale> = ["en", "de-at", "is"].map(tag).into();
        for good in ["is", "de", "de-at"] {
            assert_eq!(looked_up(&tag(good), &known).unwrap(), None, "{good}");
        }
        let refused = looked_up(&tag("zz"), &known).unwrap_err().message;
        assert!(refused.contains("no language `zz`") && !refused.contains("do you mean"), "{refused}");
        let region = looked_up(&tag("pt-ao"), &known).unwrap_err().message;
        assert!(region.contains("`pt` or `pt-br`"), "{region}");
    }
}
