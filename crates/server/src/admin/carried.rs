//! `POST import/decisions`: decisions that another server exported, one line of JSON each, and the lines
//! themselves. What is here later than there stays (policy says how); a line that cannot be read is said.

use super::error::AdminError;
use crate::state::App;
use crate::transport::blocking;
use http::Request;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sluicegate_catalog::package::MOST_NOTES;
use sluicegate_policy::{CarriedApproval, CarriedDecisions, EulaId, Group, HoldReason, TakenIn};
use sluicegate_store::content::LONGEST_KEY;
use sluicegate_terms::{GroupId, RevisionNumber, Sha1Digest, TermError, Timestamp, UpdateId};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

/// Longest line, in bytes.
const LONGEST_LINE: u64 = 64 << 10;

/// Words for orders that stand against a revision that waits.
const NOT_REMOVABLE: &str = "not-removable";
const NEEDS_INPUT: &str = "needs-input";

/// One decision as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Group {
        id: String,
        name: String,
        parent: Option<String>,
    },
    AcceptedEula {
        id: String,
        by: String,
        at: String,
    },
    Declined {
        update: String,
        at: String,
        /// Nobody decided so.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        automatic: bool,
    },
    Restored {
        update: String,
        at: String,
    },
    Withdrawn {
        update: String,
        group: String,
        at: String,
    },
    Approval {
        update: String,
        group: String,
        action: String,
        deadline: Option<String>,
        by: String,
        at: String,
    },
    Held {
        update: String,
        serving: u32,
        eula: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// No decision: the key of an encrypted file, both in hexadecimal.
    FileKey {
        sha1: String,
        key: String,
    },
}

/// The line of an encrypted file's key.
pub(super) fn key_line(sha1: Sha1Digest, key: &[u8]) -> Value {
    let mut hexadecimal = String::with_capacity(key.len() * 2);
    for byte in key {
        // Writing to a String cannot fail.
        let _ = write!(hexadecimal, "{byte:02X}");
    }
    json!(Line::FileKey { sha1: sha1.to_hex_upper(), key: hexadecimal })
}

fn key_of(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || text.len() > LONGEST_KEY * 2 || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? * 16 + digit(*low)?),
            _ => None,
        })
        .collect()
}

/// Which update a line is about.
pub(super) fn update_of(line: &Value) -> Option<&str> {
    line.as_object()?.values().next()?.get("update")?.as_str()
}

/// The lines of decisions.
pub(super) fn lines(decisions: &CarriedDecisions) -> Vec<Value> {
    let d = decisions;
    let groups = d.groups.iter().map(|g| Line::Group {
        id: g.id.to_string(),
        name: g.name.to_string(),
        parent: g.parent.map(|parent| parent.to_string()),
    });
    let accepted = d.accepted.iter().map(|(id, (by, at))| Line::AcceptedEula {
        id: id.to_string(),
        by: by.clone(),
        at: at.iso(),
    });
    let declined = d.declined.iter().map(|(update, at)| Line::Declined {
        update: update.to_string(),
        at: at.iso(),
        automatic: d.automatic.contains(update),
    });
    let restored =
        d.restored.iter().map(|(update, at)| Line::Restored { update: update.to_string(), at: at.iso() });
    let withdrawn = d.withdrawn.iter().map(|((update, group), at)| Line::Withdrawn {
        update: update.to_string(),
        group: group.to_string(),
        at: at.iso(),
    });
    let approvals = d.approvals.iter().map(|a| Line::Approval {
        update: a.update.to_string(),
        group: a.group.to_string(),
        action: a.action.as_str().to_owned(),
        deadline: a.deadline.map(Timestamp::iso),
        by: a.by.clone(),
        at: a.at.iso(),
    });
    let held = d.held.iter().map(|(update, (serving, reason))| Line::Held {
        update: update.to_string(),
        serving: serving.get(),
        eula: match reason {
            HoldReason::Eula(id) => Some(id.to_string()),
            _ => None,
        },
        refused: match reason {
            HoldReason::NotRemovable => Some(NOT_REMOVABLE.to_owned()),
            HoldReason::NeedsInput => Some(NEEDS_INPUT.to_owned()),
            HoldReason::Review | HoldReason::Eula(_) => None,
        },
    });
    let all = groups.chain(accepted).chain(declined).chain(restored).chain(withdrawn);
    all.chain(approvals).chain(held).map(|line| json!(line)).collect()
}

/// Puts one line where it belongs; says what is wrong with one that cannot be used.
fn read_line(
    text: &[u8],
    into: &mut CarriedDecisions,
    keys: &mut Vec<(Sha1Digest, Vec<u8>)>,
) -> Result<(), String> {
    let line: Line = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let term = |error: TermError| error.to_string();
    let time = |text: String| text.parse::<Timestamp>().map_err(term);
    let update = |text: String| text.parse::<UpdateId>().map_err(term);
    let group = |text: String| text.parse::<GroupId>().map_err(term);
    let eula = |text: String| text.parse::<EulaId>().map_err(term);
    match line {
        Line::Group { id, name, parent } => into.groups.push(Group {
            id: group(id)?,
            name: name.parse().map_err(|error: sluicegate_policy::GroupError| error.to_string())?,
            parent: parent.map(group).transpose()?,
        }),
        Line::AcceptedEula { id, by, at } => {
            into.accepted.insert(eula(id)?, (by, time(at)?));
        }
        Line::Declined { update: id, at, automatic } => {
            let id = update(id)?;
            into.declined.insert(id, time(at)?);
            into.automatic.extend(automatic.then_some(id));
        }
        Line::Restored { update: id, at } => {
            into.restored.insert(update(id)?, time(at)?);
        }
        Line::Withdrawn { update: id, group: of, at } => {
            into.withdrawn.insert((update(id)?, group(of)?), time(at)?);
        }
        Line::Approval { update: id, group: of, action, deadline, by, at } => {
            into.approvals.push(CarriedApproval {
                update: update(id)?,
                group: group(of)?,
                action: action
                    .parse()
                    .map_err(|error: sluicegate_policy::ApprovalError| error.to_string())?,
                deadline: deadline.map(time).transpose()?,
                by,
                at: time(at)?,
            });
        }
        Line::Held { update: id, serving, eula: terms, refused } => {
            let reason = match (terms.map(eula).transpose()?, refused.as_deref()) {
                (Some(eula), _) => HoldReason::Eula(eula),
                (None, Some(NOT_REMOVABLE)) => HoldReason::NotRemovable,
                (None, Some(NEEDS_INPUT)) => HoldReason::NeedsInput,
                // Also what a later version has another word for.
                (None, _) => HoldReason::Review,
            };
            let serving = RevisionNumber::new(i64::from(serving)).map_err(term)?;
            into.held.insert(update(id)?, (serving, reason));
        }
        Line::FileKey { sha1, key } => {
            let sha1 = Sha1Digest::from_hex(&sha1).map_err(term)?;
            keys.push((sha1, key_of(&key).ok_or("the key of a file is not hexadecimal, or too long")?));
        }
    }
    Ok(())
}

/// What came: decisions, keys of encrypted files, and what is wrong with lines that cannot be used.
#[derive(Debug, Default)]
struct Carried {
    decisions: CarriedDecisions,
    keys: Vec<(Sha1Digest, Vec<u8>)>,
    unread: Vec<String>,
}

/// Reads all lines; what is wrong with lines that cannot be used comes back beside them.
fn read(from: impl Read) -> Result<Carried, AdminError> {
    let mut from = BufReader::new(from.take(MOST_NOTES as u64));
    let Carried { mut decisions, mut keys, mut unread } = Carried::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut from).take(LONGEST_LINE).read_until(b'\n', &mut line);
        let read = read.map_err(|error| AdminError::invalid(format!("the decisions broke off: {error}")))?;
        if read == 0 {
            break;
        }
        if read as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
            return Err(AdminError::invalid(format!("line {number} of the decisions is longer than 64 KiB")));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if let Err(reason) = read_line(&line, &mut decisions, &mut keys) {
            unread.push(format!("line {number}: {reason}"));
        }
    }
    Ok(Carried { decisions, keys, unread })
}

/// Takes decisions in.
pub(super) async fn import(app: &Arc<App>, request: Request<Incoming>) -> Result<Value, AdminError> {
    let body = blocking::reader(request.into_body(), app.limits.body_time);
    let (store, now) = (super::actor::store(app), app.clock.now());
    let work = move || {
        let Carried { decisions, keys, unread } = read(body)?;
        store.record_file_keys(&keys, &[])?;
        // Keys alone are no decision: a replica takes them too.
        let taken = match keys.is_empty() || decisions != CarriedDecisions::default() {
            true => store.take_in(&decisions, now)?,
            false => TakenIn::default(),
        };
        Ok::<_, AdminError>((taken, unread))
    };
    let (taken, unread) = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| AdminError::internal(error.to_string()))??;
    if taken.groups > 0 {
        // Computers may be back in groups that it brought.
        app.directory.forget_everybody();
    }
    tracing::info!(approved = taken.approved, declined = taken.declined, "decisions taken in");
    let reasons: Vec<&String> = unread.iter().take(100).chain(&taken.reasons).collect();
    Ok(json!({
        "groups": taken.groups,
        "accepted_eulas": taken.accepted,
        "approved": taken.approved,
        "withdrawn": taken.withdrawn,
        "declined": taken.declined,
        "restored": taken.restored,
        "held": taken.held,
        "older": taken.older,
        "skipped": taken.skipped + unread.len() as u64,
        "reasons": reasons,
        "regrouped": taken.regrouped,
        "groups_not_carried": taken.unlisted,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_policy::ApprovalAction;
    use sluicegate_terms::Guid;

    #[test]
    fn every_decision_comes_back_from_its_line() {
        let uid = |n| UpdateId(Guid::from_u128(n));
        let gid = |n| GroupId(Guid::from_u128(n));
        let at: Timestamp = "2026-10-04T12:00:00.1234567Z".parse().unwrap();
        let decisions = CarriedDecisions {
            groups: vec![Group { id: gid(1), name: "Büro ?>".parse().unwrap(), parent: Some(gid(2)) }],
            accepted: [(EulaId(Guid::from_u128(3)), ("admin".to_owned(), at))].into(),
            declined: [(uid(4), at), (uid(12), at)].into(),
            automatic: [uid(12)].into(),
            restored: [(uid(5), at)].into(),
            withdrawn: [((uid(6), gid(1)), at)].into(),
            approvals: vec![CarriedApproval {
                update: uid(7),
                group: gid(1),
                action: ApprovalAction::OptionalInstall,
                deadline: Some(at),
                by: "admin".to_owned(),
                at,
            }],
            held: [
                (uid(8), (RevisionNumber::new(200).unwrap(), HoldReason::Review)),
                (uid(10), (RevisionNumber::new(1).unwrap(), HoldReason::NotRemovable)),
                (uid(11), (RevisionNumber::new(1).unwrap(), HoldReason::NeedsInput)),
                (uid(9), (RevisionNumber::new(0).unwrap(), HoldReason::Eula(EulaId(Guid::from_u128(3))))),
            ]
            .into(),
        };
        let text: String = lines(&decisions).iter().map(|line| format!("{line}\n")).collect();
        let read = read(text.as_bytes()).unwrap();
        assert_eq!((read.decisions, read.keys, read.unread), (decisions, Vec::new(), Vec::new()));
    }

    #[test]
    fn the_key_of_a_file_comes_back_from_its_line() {
        let (sha1, key) = (Sha1Digest([0xAB; 20]), vec![0, 1, 0x7F, 0xFF]);
        let read_back = read(format!("{}\n", key_line(sha1, &key)).as_bytes()).unwrap();
        assert_eq!((read_back.keys, read_back.unread), (vec![(sha1, key)], Vec::new()));
        for wrong in ["", "0", "0g", "-1", &"00".repeat(LONGEST_KEY + 1)] {
            let line = json!({ "file_key": { "sha1": sha1.to_hex_upper(), "key": wrong } });
            let read_back = read(format!("{line}\n").as_bytes()).unwrap();
            assert_eq!((read_back.keys.len(), read_back.unread.len()), (0, 1), "{wrong:.9}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_used_is_said_and_the_others_count() {
        let text = "{\"declined\":{\"update\":\"x\",\"at\":\"2026-10-04T12:00:00Z\"}}\n\n{\"wish\":{}}\nno json\n\
            {\"declined\":{\"update\":\"00000000-0000-0000-0000-000000000001\",\"at\":\"2026-10-04T12:00:00Z\"}}";
        let Carried { decisions, unread, .. } = read(text.as_bytes()).unwrap();
        assert_eq!((decisions.declined.len(), unread.len()), (1, 3), "{unread:?}");
        assert!(unread[0].starts_with("line 1: ") && unread[1].starts_with("line 3: "), "{unread:?}");
        assert!(read("x".repeat(100_000).as_bytes()).is_err());
    }
}
