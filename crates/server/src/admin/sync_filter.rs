//! `GET sync/filter` and `PUT sync/filter`: which products, classifications and languages are synchronized, and what
//! of that is not wanted all the same (the filters of `filters`, which decline it as it comes in).
//! Products and classifications are named by title or id; a name nobody knows is answered with those that
//! look like it.

use super::error::AdminError;
use super::input::{Input, Names};
use super::listed::several_titled;
use super::{filters, languages, sync, with_store};
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::hierarchy::{Choice, FilterPart};
use sluicegate_store::CategoryRow;
use sluicegate_terms::{CategoryKind, Locale, UpdateId};
use std::collections::{BTreeMap, BTreeSet};

/// The word for everything, now and later.
const ALL: &str = "all";

/// How many titles are proposed for one that is not known.
const PROPOSED: usize = 5;

/// `GET sync/filter`.
pub(super) async fn show(app: &App) -> Result<Value, AdminError> {
    let rows = with_store(app, |store| store.categories()).await?;
    let titles: BTreeMap<UpdateId, &str> = rows.iter().map(|row| (row.update, row.title.as_str())).collect();
    let filter = &app.store.upstream_settings().filter;
    let categories = |choice: &Choice<UpdateId>| match choice.listed() {
        None => json!(ALL),
        Some(ids) => {
            let one = |id: &UpdateId| {
                let title = titles.get(id);
                json!({ "id": id.to_string(), "title": title, "in_catalog": title.is_some() })
            };
            ids.iter().map(one).collect::<Value>()
        }
    };
    Ok(json!({
        "products": categories(&filter.products),
        "classifications": categories(&filter.classifications),
        "languages": match filter.languages.listed() {
            None => json!(ALL),
            Some(tags) => tags.iter().map(|tag| json!(tag.as_str())).collect::<Value>(),
        },
        "exclude": filters::list(app).await?["filters"],
    }))
}

/// What a filter has.
pub(super) const FILTER: Names =
    Names::new("a filter", &["products", "classifications", "languages", "exclude"]);

/// `PUT sync/filter`: `products`, `classifications` and `languages`, each a list or `"all"`, and `exclude`, a list of
/// filters in place of those that were; one that is not named stays. The answer has `warnings`, sentences.
pub(super) async fn change(app: &App, input: &Input) -> Result<Value, AdminError> {
    let rows = with_store(app, |store| store.categories()).await?;
    let products = category_choice(&rows, input, "products", FilterPart::Product)?;
    let classifications = category_choice(&rows, input, "classifications", FilterPart::Classification)?;
    let (languages, warnings) = languages::chosen(app, input).await?;
    let exclude = input.list("exclude")?.map(|texts| filters::parse_all(&texts)).transpose()?;
    if products.is_some() || classifications.is_some() || languages.is_some() {
        choose(app, products, classifications, languages).await?;
    }
    if let Some(exclude) = exclude {
        filters::replace(app, exclude).await?;
    }
    let mut shown = show(app).await?;
    shown["warnings"] = json!(warnings);
    Ok(shown)
}

async fn choose(
    app: &App,
    products: Option<Choice<UpdateId>>,
    classifications: Option<Choice<UpdateId>>,
    languages: Option<Choice<Locale>>,
) -> Result<(), AdminError> {
    sync::adjust(app, |settings| {
        let filter = &mut settings.filter;
        filter.products = products.unwrap_or_else(|| filter.products.clone());
        filter.classifications = classifications.unwrap_or_else(|| filter.classifications.clone());
        filter.languages = languages.unwrap_or_else(|| filter.languages.clone());
        Ok(filter.check()?)
    })
    .await
}

/// A list of words, or all; `None` when it is not named.
pub(super) fn list(input: &Input, name: &str) -> Result<Option<Choice<String>>, AdminError> {
    match input.0.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.eq_ignore_ascii_case(ALL) => Ok(Some(Choice::All)),
        Some(_) => {
            let words = input.texts(name)?;
            match words.as_slice() {
                [only] if only.trim().eq_ignore_ascii_case(ALL) => Ok(Some(Choice::All)),
                several if several.iter().any(|word| word.trim().eq_ignore_ascii_case(ALL)) => {
                    Err(AdminError::invalid(format!(
                        "`{name}` has `{ALL}` beside others; say `{ALL}` alone, or leave it out"
                    )))
                }
                _ => Ok(Some(Choice::Only(words.into_iter().collect()))),
            }
        }
    }
}

fn category_choice(
    rows: &[CategoryRow],
    input: &Input,
    name: &str,
    part: FilterPart,
) -> Result<Option<Choice<UpdateId>>, AdminError> {
    match list(input, name)? {
        None => Ok(None),
        Some(Choice::All) => Ok(Some(Choice::All)),
        Some(Choice::Only(words)) => {
            let ids = words.iter().map(|word| find(rows, word, part)).collect::<Result<BTreeSet<_>, _>>()?;
            Ok(Some(Choice::Only(ids)))
        }
    }
}

fn fits(row: &CategoryRow, part: FilterPart) -> bool {
    (row.kind == CategoryKind::UpdateClassification) == (part == FilterPart::Classification)
}

/// The category of this title in any letter case, or of this id. An id need not be known: before the first
/// synchronization none is.
fn find(rows: &[CategoryRow], word: &str, part: FilterPart) -> Result<UpdateId, AdminError> {
    let word = word.trim();
    if let Ok(id) = word.parse::<UpdateId>() {
        return match rows.iter().find(|row| row.update == id) {
            Some(row) if !fits(row, part) => {
                let title = &row.title;
                Err(AdminError::invalid(format!("{id} is `{title}`, which is no {part}")))
            }
            _ => Ok(id),
        };
    }
    let lower = word.to_lowercase();
    let same: Vec<&CategoryRow> =
        rows.iter().filter(|row| fits(row, part) && row.title.to_lowercase() == lower).collect();
    match same.as_slice() {
        [only] => Ok(only.update),
        [] => Err(AdminError::unknown(unknown(rows, word, part))),
        several => Err(several_titled(word, several)),
    }
}

fn unknown(rows: &[CategoryRow], word: &str, part: FilterPart) -> String {
    let shown: String = word.chars().take(80).collect();
    let of_part: Vec<&str> =
        rows.iter().filter(|row| fits(row, part)).map(|row| row.title.as_str()).collect();
    if of_part.is_empty() {
        return format!(
            "there is no {part} `{shown}`: the catalog knows none yet. Synchronize once (`sluicegate sync now \
             --categories-only` fetches nothing but these), or name it by its id"
        );
    }
    let lower = word.to_lowercase();
    let mut near: Vec<(usize, &str)> = of_part
        .iter()
        .filter_map(|title| {
            let other = title.to_lowercase();
            let distance = match other.contains(&lower) || lower.contains(&other) {
                true => 0,
                false => distance(&lower, &other),
            };
            // Not more than every third letter may differ.
            (distance * 3 <= other.chars().count().max(lower.chars().count())).then_some((distance, *title))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    let near: Vec<String> = near.iter().take(PROPOSED).map(|(_, title)| format!("`{title}`")).collect();
    if near.is_empty() {
        format!("there is no {part} `{shown}`, nor one that looks like it")
    } else {
        format!("there is no {part} `{shown}`; do you mean {}?", near.join(", "))
    }
}

/// How many letters have to be put in, taken away or replaced. Titles are short; longer ones are cut.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(128).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(128).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_terms::Guid;

    fn row(n: u128, kind: CategoryKind, title: &str) -> CategoryRow {
        CategoryRow { update: UpdateId(Guid::from_u128(n)), kind, title: title.to_owned() }
    }

    fn rows() -> Vec<CategoryRow> {
        vec![
            row(1, CategoryKind::Company, "Contoso"),
            row(2, CategoryKind::Product, "Windows 11"),
            row(3, CategoryKind::Product, "Windows 10"),
            row(4, CategoryKind::UpdateClassification, "Security Updates"),
            row(5, CategoryKind::Product, "Twin"),
            row(6, CategoryKind::Product, "Twin"),
        ]
    }

    #[test]
    fn distances_are_counted_in_letters() {
        for (a, b, wanted) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("", "abc", 3), ("windws 11", "windows 10", 2)]
        {
            assert_eq!(distance(a, b), wanted, "{a} {b}");
        }
    }

    #[test]
    fn names_are_found_in_any_letter_case_and_must_be_of_the_right_part() {
        let rows = rows();
        let id = |n| UpdateId(Guid::from_u128(n));
        assert_eq!(find(&rows, " windows 11 ", FilterPart::Product).unwrap(), id(2));
        assert_eq!(find(&rows, &id(4).to_string(), FilterPart::Classification).unwrap(), id(4));
        assert_eq!(find(&rows, &id(77).to_string(), FilterPart::Product).unwrap(), id(77));
        assert!(
            find(&rows, &id(4).to_string(), FilterPart::Product).unwrap_err().message.contains("no product")
        );
        let twins = find(&rows, "Twin", FilterPart::Product).unwrap_err().message;
        assert!(twins.contains(&id(5).to_string()) && twins.contains(&id(6).to_string()), "{twins}");
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_that_look_like_it() {
        let said = |word: &str, part| find(&rows(), word, part).unwrap_err().message;
        let near = said("Windws 11", FilterPart::Product);
        assert!(near.contains("`Windows 11`, `Windows 10`"), "{near}");
        assert!(said("security", FilterPart::Classification).contains("`Security Updates`"));
        assert!(said("Quartz", FilterPart::Product).contains("nor one that looks like it"));
        assert!(find(&[], "X", FilterPart::Product).unwrap_err().message.contains("Synchronize once"));
    }
}
