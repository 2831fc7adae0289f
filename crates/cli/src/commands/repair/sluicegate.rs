//! Repair: a Sluicegate server, through its admin API.

use super::managed::{Again, Answer, KeptApproval, ManagedServer, UpdateState};
use super::tree::Node;
use crate::admin_client::AdminClient;
use crate::args::Target;
use crate::endpoint::{self, Endpoint};
use anyhow::Context as _;
use serde_json::{Value, json};
use sluicegate_terms::UpdateId;

/// A Sluicegate server.
pub(crate) struct Sluicegate {
    name: String,
    client: AdminClient,
}

impl Sluicegate {
    /// A server of a tree; its token is read now.
    pub(crate) fn new(node: Node) -> anyhow::Result<Self> {
        let token = endpoint::token(&node.token_file).with_context(|| {
            format!("cannot read the token of `{}`, {}", node.name, node.token_file.display())
        })?;
        let base = node.url.trim_end_matches('/').to_owned();
        let client = AdminClient::new(Endpoint { base, token });
        Ok(Self { name: node.name, client })
    }

    /// The one server that the command line names.
    pub(crate) fn from_target(target: &Target) -> anyhow::Result<Self> {
        let endpoint = Endpoint::find(target)?;
        Ok(Self { name: endpoint.base.clone(), client: AdminClient::new(endpoint) })
    }

    async fn has_group(&self, id: &str) -> anyhow::Result<bool> {
        let list = self.client.get("groups", &[]).await?;
        Ok(list["groups"].as_array().is_some_and(|groups| groups.iter().any(|group| group["id"] == id)))
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl ManagedServer for Sluicegate {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_replica(&self) -> Answer<'_, bool> {
        Box::pin(async move {
            let upstream = self.client.get("upstream", &[]).await?;
            // Lifted: a repair broke off whose journal is not here.
            Ok(upstream["mode"] == "replica" || upstream["lifted"] == true)
        })
    }

    fn set_replica(&self, replica: bool) -> Answer<'_, ()> {
        let mode = if replica { "replica" } else { "autonomous" };
        Box::pin(async move {
            // The upstream's decisions stay: computers are told of the same updates in between.
            let order = json!({ "mode": mode, "keep_decisions": !replica });
            let set = self.client.put("upstream", &order).await?;
            anyhow::ensure!(set["mode"] == mode, "the mode is still {}", set["mode"]);
            Ok(())
        })
    }

    fn update(&self, update: UpdateId) -> Answer<'_, Option<UpdateState>> {
        Box::pin(async move {
            let shown = match self.client.get(&format!("updates/{update}"), &[]).await {
                Ok(shown) => shown,
                Err(error) if error.to_string().contains("(404") => return Ok(None),
                Err(error) => return Err(error),
            };
            let approvals = shown["approvals"].as_array().cloned().unwrap_or_default();
            Ok(Some(UpdateState {
                title: text(&shown, "title"),
                declined: shown["approval"] == "declined",
                approvals: approvals
                    .iter()
                    .map(|approval| KeptApproval {
                        group: text(approval, "group_id"),
                        group_name: text(approval, "group"),
                        action: text(approval, "action"),
                        deadline: approval["deadline"].as_str().map(str::to_owned),
                        refused: approval["refused_now"].as_str().map(str::to_owned),
                    })
                    .collect(),
                held: shown["held"].as_object().map(|hold| {
                    let reason = hold.get("reason").and_then(Value::as_str).unwrap_or("held");
                    let serving = hold.get("serving").and_then(Value::as_i64).unwrap_or_default();
                    format!("its newest revision waits ({reason}) while revision {serving} is in service")
                }),
            }))
        })
    }

    fn approve<'a>(&'a self, update: UpdateId, approval: &'a KeptApproval) -> Answer<'a, Again> {
        Box::pin(async move {
            let order = json!({
                "group": approval.group, "action": approval.action, "deadline": approval.deadline,
            });
            match self.client.post(&format!("updates/{update}/approve"), &order).await {
                Ok(_) => Ok(Again::Given),
                Err(error) if error.to_string().contains("(409") => Ok(Again::Refused(error.to_string())),
                Err(error)
                    if error.to_string().contains("(404") && !self.has_group(&approval.group).await? =>
                {
                    Ok(Again::NoGroup)
                }
                Err(error) => Err(error),
            }
        })
    }

    fn decline(&self, update: UpdateId) -> Answer<'_, ()> {
        Box::pin(async move {
            self.client.post(&format!("updates/{update}/decline"), &json!({})).await?;
            Ok(())
        })
    }

    fn synchronize(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.client.post("sync/now", &json!({})).await?;
            Ok(())
        })
    }
}
