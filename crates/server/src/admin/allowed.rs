//! `PUT downstream/allowed` and `POST downstream/allowed`: which servers may synchronize from this one; the whole list, or
//! those that come on it and off it.

use super::downstream::{show, strangers};
use super::error::AdminError;
use super::input::{Input, Names};
use super::with_store;
use crate::services::upstream::is_account_name;
use crate::state::App;
use serde_json::Value;
use sluicegate_store::hierarchy::DownstreamServer;
use sluicegate_terms::Guid;
use std::sync::Arc;

/// Most servers on the list.
const MOST: usize = 10_000;

/// What it may name.
pub(super) const WHOLE: Names = Names::new("the list of servers that may synchronize", &["allowed"]);

/// `PUT downstream/allowed`: the whole list `allowed`, by name or id. Empty lets everybody synchronize.
pub(super) async fn set(app: &Arc<App>, input: &Input) -> Result<Value, AdminError> {
    let Some(who) = written(input, "allowed")? else {
        let message = "`allowed` is missing; it is the whole list, by name or id, and empty means everybody";
        return Err(AdminError::invalid(message));
    };
    change(app, move |before, servers| {
        possible(&who, before, servers)?;
        Ok(who)
    })
    .await
}

/// What it may name.
pub(super) const CHANGE: Names =
    Names::new("a change of the list of servers that may synchronize", &["add", "remove"]);

/// `POST downstream/allowed`: takes `remove` off the list and puts `add` on it, either or both. Whoever changes the list at
/// the same moment loses nothing.
pub(super) async fn adjust(app: &Arc<App>, input: &Input) -> Result<Value, AdminError> {
    let words = |name| Ok::<_, AdminError>(written(input, name)?.unwrap_or_default());
    let (add, remove) = (words("add")?, words("remove")?);
    if add.is_empty() && remove.is_empty() {
        return Err(AdminError::invalid(
            "name servers to `add` to the list of those that may synchronize, or to `remove` from it, by name or id",
        ));
    }
    change(app, move |before, servers| {
        possible(&add, before, servers)?;
        let rest = match remove.is_empty() {
            true => before.to_vec(),
            false => without(before, &remove, servers)?,
        };
        // Without a list everybody may; the first one that is put on it keeps all others out.
        let list = with(rest, &add);
        match list.is_empty() {
            true => Err(AdminError::invalid(
                "no other server would be left on the list, and an empty list lets every server synchronize; allow the \
                 ones that may first (`sluicegate downstream allow NAME`)",
            )),
            false => Ok(list),
        }
    })
    .await
}

async fn change(
    app: &Arc<App>,
    change: impl FnOnce(&[String], &[DownstreamServer]) -> Result<Vec<String>, AdminError> + Send + 'static,
) -> Result<Value, AdminError> {
    let now = app.clock.now();
    let everybody_before = with_store(app, move |store| {
        let servers = store.downstream_servers()?;
        let mut everybody = false;
        let changed = store.change_allowed_downstream(now, |before| {
            everybody = before.is_empty();
            let list = change(before, &servers)?;
            match list.len() > MOST {
                true => Err(AdminError::invalid(format!(
                    "the list has {} servers; at most {MOST} are kept",
                    list.len()
                ))),
                false => Ok(list),
            }
        })?;
        Ok(changed.map(|_| everybody))
    })
    .await??;
    tracing::info!("the list of servers that may synchronize was changed");
    let mut answer = show(app).await?;
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("everybody_before".to_owned(), everybody_before.into());
    }
    Ok(answer)
}

/// Servers as they are written, without the dot that may end a name.
fn written(input: &Input, name: &str) -> Result<Option<Vec<String>>, AdminError> {
    let trimmed = |who: &String| who.trim().trim_end_matches('.').to_owned();
    Ok(input.list(name)?.map(|who| who.iter().map(trimmed).collect()))
}

/// Refuses what cannot be a server. What stands on the list already may be on it for long.
fn possible(who: &[String], before: &[String], servers: &[DownstreamServer]) -> Result<(), AdminError> {
    let could_be = |who: &&str| {
        is_account_name(who) || who.parse::<Guid>().is_ok() || before.contains(&who.to_lowercase())
    };
    match strangers(who, servers).into_iter().find(|who| !could_be(who)) {
        None => Ok(()),
        Some(odd) => {
            let odd: String = odd.chars().take(80).collect();
            Err(AdminError::invalid(format!(
                "{odd:?} is neither the name nor the id of a server, so nothing was changed; names have letters, \
                 digits, hyphens and underscores, in parts of at most 63 between dots"
            )))
        }
    }
}

/// The list with these servers on it.
fn with(mut list: Vec<String>, servers: &[String]) -> Vec<String> {
    for server in servers {
        if !list.iter().any(|known| known.eq_ignore_ascii_case(server)) {
            list.push(server.clone());
        }
    }
    list
}

/// The list without these servers. While it is empty everybody may synchronize, so it becomes a list of all
/// known servers but these. A name that is neither known nor on the list changes nothing: the one that was meant would
/// stay.
fn without(
    list: &[String],
    servers: &[String],
    known: &[DownstreamServer],
) -> Result<Vec<String>, AdminError> {
    let unknown: Vec<String> = strangers(servers, known)
        .into_iter()
        .filter(|who| !list.contains(&who.to_lowercase()))
        .map(|who| format!("`{}`", who.chars().take(80).collect::<String>()))
        .collect();
    if !unknown.is_empty() {
        return Err(AdminError::unknown(format!(
            "no server called {} was ever here or is on the list of those that may synchronize, so nothing was changed; \
             `GET downstream` (`sluicegate downstream list`) shows both",
            unknown.join(" or ")
        )));
    }
    // A server may stand on the list by its name or by its id; both have to go.
    let names = |server: &String| -> Vec<String> {
        let own = |known: &DownstreamServer| [known.told.id.to_string(), known.told.name.clone()];
        let same =
            |known: &&DownstreamServer| own(known).iter().any(|name| name.eq_ignore_ascii_case(server));
        let both = known.iter().filter(same).flat_map(own);
        both.chain([server.clone()]).map(|name| name.to_lowercase()).collect()
    };
    let gone: Vec<String> = servers.iter().flat_map(names).collect();
    let ids = known.iter().map(|one| one.told.id.to_string()).filter(|id| !gone.contains(&id.to_lowercase()));
    let rest: Vec<String> = match list.is_empty() {
        true => ids.collect(),
        false => list.iter().filter(|name| !gone.contains(&name.to_lowercase())).cloned().collect(),
    };
    match rest.len() == list.len() && !list.is_empty() {
        true => Err(AdminError::invalid(format!(
            "none of them is on the list of servers that may synchronize: {}",
            list.join(", ")
        ))),
        false => Ok(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_store::hierarchy::{RolledServer, ServerSummary};
    use sluicegate_terms::Timestamp;

    fn known() -> Vec<DownstreamServer> {
        let one = |id, name: &str| DownstreamServer {
            told: RolledServer {
                id: Guid::from_u128(id),
                name: name.to_owned(),
                parent: None,
                version: String::new(),
                is_replica: false,
                last_sync: None,
                last_rollup: None,
                summary: ServerSummary::default(),
                clients: Vec::new(),
            },
            first_seen: Timestamp::MIN,
            last_contact: Timestamp::MIN,
            allowed: true,
        };
        vec![one(0xA1, "north"), one(0xB2, "south")]
    }

    fn id(id: u128) -> String {
        Guid::from_u128(id).to_string()
    }

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_server_is_taken_off_the_list_by_its_name_and_by_its_id() {
        let gone = |allowed: &[&str], who: &str| without(&list(allowed), &list(&[who]), &known()).unwrap();
        assert_eq!(gone(&["north", &id(0xA1), "south"], "NORTH"), list(&["south"]));
        assert_eq!(gone(&["north", "south"], &id(0xA1).to_uppercase()), list(&["south"]));
        assert_eq!(gone(&["elsewhere", "south"], "elsewhere"), list(&["south"]));
    }

    #[test]
    fn the_first_one_disallowed_leaves_the_others_on_a_list() {
        assert_eq!(without(&[], &list(&["north"]), &known()).unwrap(), [id(0xB2)]);
    }

    #[test]
    fn who_is_not_on_the_list_cannot_be_taken_off_it() {
        let refused = without(&list(&["north"]), &list(&["south"]), &known()).unwrap_err();
        assert!(refused.message.contains("none of them is on the list"), "{}", refused.message);
    }

    #[test]
    fn a_name_that_is_neither_known_nor_on_the_list_turns_no_list_on_and_takes_nobody_off_one() {
        for before in [&[][..], &["north", "south"]] {
            for named in [&["nort"][..], &["north", "nort"], &[&id(0xC3)]] {
                let refused = without(&list(before), &list(named), &known()).unwrap_err();
                assert_eq!(refused.code, "unknown", "{before:?} {named:?}");
                let (last, said) = (named[named.len() - 1], &refused.message);
                assert!(said.contains(&format!("called `{last}` was")), "{said}");
                assert!(said.contains("nothing was changed") && said.contains("downstream list"), "{said}");
            }
        }
    }

    #[test]
    fn allowing_one_twice_lists_it_once() {
        assert_eq!(with(list(&["north"]), &list(&["North", "south"])), list(&["north", "south"]));
    }
}
