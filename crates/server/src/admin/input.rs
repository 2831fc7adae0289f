//! What an administrator sends: query parameters and small JSON objects, read into values once.

use super::error::AdminError;
use crate::admission::Stage;
use crate::routes::percent_decode;
use crate::state::App;
use crate::transport::request;
use http::Request;
use hyper::body::Incoming;
use serde_json::{Map, Value};
use sluicegate_policy::{ApprovalAction, ApprovalError, GroupName, GroupTree};
use sluicegate_terms::{GroupId, Timestamp};

/// Most parameters read.
const MOST: usize = 32;

/// The parameters of a query. Of a repeated one the first counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=b&c=d`; what is malformed is passed over.
    pub(super) fn parse(text: &str) -> Self {
        let decode = |part: &str| percent_decode(&part.replace('+', " "));
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(MOST).filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        });
        Self(pairs.collect())
    }

    /// A parameter; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Yes or no, in those two words alone; an empty one is refused too.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, AdminError> {
        match self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => {
                let other: String = other.chars().take(40).collect();
                Err(AdminError::invalid(format!("`{name}` must be true or false, not `{other}`")))
            }
        }
    }

    /// A number, or `otherwise`.
    pub(super) fn number(&self, name: &str, otherwise: u32) -> Result<u32, AdminError> {
        match self.get(name) {
            None => Ok(otherwise),
            Some(text) => text
                .parse()
                .map_err(|_| AdminError::invalid(format!("`{name}` must be a whole number, not `{text}`"))),
        }
    }
}

/// What an order may name. Nothing is read without saying so, and what is not said is refused before anything is done:
/// passed over, a misspelt name would change nothing without a word, or more than was meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// What is ordered, for the refusal.
    what: &'static str,
    known: &'static [&'static str],
}

impl Names {
    /// `what` may have the members `known`.
    pub(super) const fn new(what: &'static str, known: &'static [&'static str]) -> Self {
        Self { what, known }
    }

    fn check(self, members: &Map<String, Value>) -> Result<(), AdminError> {
        let Some(unknown) = members.keys().find(|name| !self.known.contains(&name.as_str())) else {
            return Ok(());
        };
        let (what, unknown) = (self.what, unknown.chars().take(80).collect::<String>());
        let it_has = match self.known {
            [] => "there is nothing to name in it".to_owned(),
            known => format!("it has {}", known.join(", ")),
        };
        Err(AdminError::invalid(format!("{what} has no `{unknown}`; {it_has}")))
    }
}

/// The members of a JSON object.
#[derive(Debug, Clone, Default)]
pub(super) struct Input(pub(super) Map<String, Value>);

impl Input {
    /// A text; null counts as absent. An empty text is refused: it is what a variable that nobody set leaves behind, and
    /// an order for one group must not become one for all.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, AdminError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Err(AdminError::invalid(format!(
                "`{name}` is empty, so nothing was changed; give it a value, or leave it out"
            ))),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(AdminError::invalid(format!("`{name}` must be a text"))),
        }
    }

    /// A setting that is a text; null is none. An empty text is refused here too, and must not take away what is set.
    pub(super) fn setting(&self, name: &str) -> Result<Option<&str>, AdminError> {
        match self.0.get(name) {
            Some(Value::String(text)) if text.trim().is_empty() => Err(AdminError::invalid(format!(
                "`{name}` is empty, so nothing was changed; give it a value, or null (`none` at the command line) to \
                 take it away"
            ))),
            _ => self.text(name),
        }
    }

    /// A list of texts; absent or null is empty.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, AdminError> {
        self.items(name, "texts", |item| item.as_str().map(str::to_owned))
    }

    /// A list of texts, if one is given. Null is refused: an empty list may stand for everything there is, and nobody
    /// shall say so by accident.
    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<String>>, AdminError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Null) => Err(AdminError::invalid(format!(
                "`{name}` is null, so nothing was changed; give a list of texts, or leave it out"
            ))),
            Some(_) => self.texts(name).map(Some),
        }
    }

    /// A list of whole numbers, as numbers or texts; absent or null is empty.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<u32>, AdminError> {
        self.items(name, "whole numbers", |item| match item {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64()?.try_into().ok(),
        })
    }

    fn items<T>(
        &self,
        name: &str,
        of: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, AdminError> {
        let bad = || AdminError::invalid(format!("`{name}` must be a list of {of}"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(|item| read(item).ok_or_else(bad)).collect(),
            Some(_) => Err(bad()),
        }
    }

    /// Yes or no.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, AdminError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(yes)) => Ok(Some(*yes)),
            Some(_) => Err(AdminError::invalid(format!("`{name}` must be true or false"))),
        }
    }

    /// A small whole number.
    pub(super) fn whole(&self, name: &str) -> Result<Option<u16>, AdminError> {
        let bad = || AdminError::invalid(format!("`{name}` must be a whole number up to 65535"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => {
                number.as_u64().and_then(|number| number.try_into().ok()).map(Some).ok_or_else(bad)
            }
            Some(_) => Err(bad()),
        }
    }

    /// An object within, which may have these members.
    pub(super) fn object(&self, name: &str, names: Names) -> Result<Option<Self>, AdminError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => {
                names.check(members)?;
                Ok(Some(Self(members.clone())))
            }
            Some(_) => Err(AdminError::invalid(format!("`{name}` must be an object"))),
        }
    }

    /// What agents are to do.
    pub(super) fn action(&self, name: &str) -> Result<Option<ApprovalAction>, AdminError> {
        let read =
            |word: &str| word.parse().map_err(|error: ApprovalError| AdminError::invalid(error.to_string()));
        self.text(name)?.map(read).transpose()
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, AdminError> {
        self.text(name)?.ok_or_else(|| AdminError::invalid(format!("`{name}` is missing")))
    }

    /// A time.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, AdminError> {
        Ok(self.text(name)?.map(str::parse).transpose()?)
    }

    /// A group by name or id, if one is named.
    pub(super) fn group(&self, name: &str, tree: &GroupTree) -> Result<Option<GroupId>, AdminError> {
        self.text(name)?.map(|text| Ok(tree.find(text)?.id)).transpose()
    }

    /// A name for a new group.
    pub(super) fn group_name(&self, name: &str) -> Result<GroupName, AdminError> {
        Ok(self.required(name)?.parse::<GroupName>()?)
    }
}

/// Reads a small JSON object that may have these members; an empty body is an empty object.
pub(super) async fn json(app: &App, request: Request<Incoming>, names: Names) -> Result<Input, AdminError> {
    let input = settings(app, request).await?;
    names.check(&input.0)?;
    Ok(input)
}

/// Reads settings by name; whoever knows them has to refuse the names that it does not know.
pub(super) async fn settings(app: &App, request: Request<Incoming>) -> Result<Input, AdminError> {
    let limit = app.limits.admin_body;
    let announced = request::announced(request.headers(), limit)?.unwrap_or(limit / 16);
    let room = app.bodies.admit(announced, Stage::Continues, || app.jitter()).await;
    let _room = room.map_err(|busy| AdminError {
        status: http::StatusCode::SERVICE_UNAVAILABLE,
        code: "busy",
        message: busy.to_string(),
    })?;
    let body = request::read(request.into_body(), None, limit, app.limits.body_time).await?;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Input::default());
    }
    match serde_json::from_slice(&body) {
        Ok(Value::Object(members)) => Ok(Input(members)),
        Ok(_) => Err(AdminError::invalid("the body must be a JSON object")),
        Err(error) => Err(AdminError::invalid(format!("the body is not JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("search=B%C3%BCro+1&limit=5&empty=&bad=%zz&limit=9");
        assert_eq!(query.get("search"), Some("Büro 1"));
        assert_eq!(query.number("limit", 1).unwrap(), 5);
        assert_eq!(query.number("offset", 7).unwrap(), 7);
        assert_eq!(query.get("empty"), None);
        assert_eq!(query.get("bad"), None);
        assert!(Query::parse("limit=x").number("limit", 1).is_err());
    }

    #[test]
    fn members_have_types() {
        let input = |value: Value| Input(value.as_object().unwrap().clone());
        let given = input(serde_json::json!({"group": "Pilots", "deadline": null, "n": 3}));
        assert_eq!(given.required("group").unwrap(), "Pilots");
        assert_eq!(given.time("deadline").unwrap(), None);
        assert!(given.text("n").is_err());
        assert_eq!(given.setting("deadline").unwrap(), None);
        assert_eq!(given.setting("group").unwrap(), Some("Pilots"));
        for empty in ["", "  "] {
            let error = input(serde_json::json!({ "proxy": empty })).setting("proxy").unwrap_err();
            assert!(error.message.contains("`proxy` is empty"), "{}", error.message);
        }
        let names = |known| Names::new("a thing", known).check(&given.0);
        assert!(names(&["group", "deadline", "n"]).is_ok());
        assert_eq!(
            names(&["group", "deadline"]).unwrap_err().message,
            "a thing has no `n`; it has group, deadline"
        );
        assert!(names(&[]).unwrap_err().message.contains("there is nothing to name in it"));
        assert!(given.required("name").is_err());
        for empty in ["", " "] {
            let given = input(serde_json::json!({ "group": empty, "deadline": empty, "action": empty }));
            let tree = GroupTree::new();
            assert!(given.group("group", &tree).unwrap_err().message.contains("`group` is empty"));
            assert!(given.time("deadline").is_err() && given.action("action").is_err());
        }
        let lists =
            input(serde_json::json!({ "some": ["a"], "none": [], "null": null, "n": [1, "2"], "no": 5 }));
        assert_eq!(
            (lists.list("some").unwrap(), lists.list("absent").unwrap()),
            (Some(vec!["a".to_owned()]), None)
        );
        assert_eq!(
            (lists.list("none").unwrap(), lists.texts("null").unwrap()),
            (Some(Vec::new()), Vec::new())
        );
        assert!(lists.list("null").unwrap_err().message.contains("`null` is null"));
        assert!(lists.texts("n").is_err() && lists.list("no").is_err() && lists.numbers("some").is_err());
        assert_eq!(lists.numbers("n").unwrap(), [1, 2]);
        assert!(input(serde_json::json!({"deadline": "soon"})).time("deadline").is_err());
        assert!(given.group("group", &GroupTree::new()).is_err());
    }
}
