//! Fixed work for `tests/counts/run.sh`, which counts its instructions under callgrind. Each measured
//! piece is a function of its own that is never inlined, so that only it is counted.

use sluicegate_policy::Decisions;
use sluicegate_scan::{
    PageBudget, ProtocolVersion, RevisionInput, Scratch, Snapshot, SnapshotBuilder, SyncAnswer, SyncQuery,
    answer,
};
use sluicegate_soap::client::sync_updates::{SyncUpdateParameters, SyncUpdatesRequest};
use sluicegate_soap::client::{Cookie, Request};
use sluicegate_soap::{Limits, RequestMessage as _, SoapVersion};
use sluicegate_synth::{Catalog, Client, Shape};
use sluicegate_terms::{Anchor, RevisionId, Timestamp, UpdateId};
use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;

/// How often each piece is repeated: enough that what happens once does not show.
const TIMES: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let piece = std::env::args().nth(1).ok_or("name a piece: steady, first or decode")?;
    let catalog = Catalog::new(Shape::new(10_000, 2008));
    let client = catalog.client(1);
    let world = World::build(&catalog)?;
    let (installed, other) = world.scan(&client)?;
    let mut scratch = Scratch::default();
    let steady = query(&installed, &other);
    let first = query(&installed, &[]);
    let held = answer(&world.snapshot, &steady, &mut scratch);
    if !held.new.is_empty() || !held.out_of_scope.is_empty() {
        return Err("the steady client is not steady".into());
    }
    match piece.as_str() {
        "steady" => count_answer_steady(&world.snapshot, &steady, &mut scratch),
        "first" => count_answer_first(&world.snapshot, &first, &mut scratch),
        "decode" => count_decode(&request(&installed, &other)),
        other => return Err(format!("no piece is called {other}").into()),
    }
    Ok(())
}

#[inline(never)]
fn count_answer_steady(snapshot: &Snapshot, query: &SyncQuery<'_>, scratch: &mut Scratch) {
    for _ in 0..TIMES {
        black_box(answer(snapshot, black_box(query), scratch));
    }
}

#[inline(never)]
fn count_answer_first(snapshot: &Snapshot, query: &SyncQuery<'_>, scratch: &mut Scratch) {
    for _ in 0..TIMES {
        // Not quite the body of the other piece, or the compiler makes one function of both.
        black_box(answer(snapshot, black_box(query), scratch).new.len());
    }
}

#[inline(never)]
fn count_decode(body: &[u8]) {
    for _ in 0..TIMES {
        let _ = black_box(Request::decode(black_box(body), None, &Limits::REQUEST));
    }
}

struct World {
    snapshot: Snapshot,
    updates: HashMap<u32, UpdateId>,
}

impl World {
    fn build(catalog: &Catalog) -> Result<Self, Box<dyn Error>> {
        let mut builder = SnapshotBuilder::new(Anchor(1));
        let mut updates = HashMap::new();
        let mut text = String::new();
        for (at, revision) in catalog.revisions().enumerate() {
            let id = RevisionId::new(i64::try_from(at)? + 1)?;
            updates.insert(id.get(), revision.identity().update);
            builder.revision(RevisionInput {
                id,
                record: revision.record(),
                core_escaped_len: revision.core_escaped_len(&mut text),
                arrived: Anchor(1),
                arrived_at: Timestamp::UNIX_EPOCH,
                leaf_changed: Anchor::START,
            });
        }
        builder.decisions(&Decisions::default());
        Ok(Self { snapshot: builder.finish()?, updates })
    }

    /// What the client holds after a complete scan.
    fn scan(&self, client: &Client) -> Result<(Vec<i32>, Vec<i32>), Box<dyn Error>> {
        let mut scratch = Scratch::default();
        let (mut installed, mut other) = (Vec::new(), Vec::new());
        loop {
            let page: SyncAnswer = answer(&self.snapshot, &query(&installed, &other), &mut scratch);
            for update in &page.new {
                let id = i32::try_from(update.revision.get())?;
                let has = self.updates.get(&update.revision.get()).is_some_and(|update| client.has(*update));
                if has && !update.is_leaf { installed.push(id) } else { other.push(id) }
            }
            if !page.truncated && page.new.iter().all(|update| update.is_leaf) {
                installed.sort_unstable();
                other.sort_unstable();
                return Ok((installed, other));
            }
        }
    }
}

fn query<'a>(installed: &'a [i32], other: &'a [i32]) -> SyncQuery<'a> {
    SyncQuery {
        installed_non_leaf: installed,
        other_cached: other,
        cached_drivers: &[],
        system_spec: &[],
        computer_hardware_ids: &[],
        feature_score_key: None,
        filter_categories: &[],
        skip_software: false,
        also_regular: true,
        two_groups: true,
        groups: &[],
        seen: Anchor(1),
        protocol: ProtocolVersion { major: 2, minor: 90 },
        budget: PageBudget::default(),
        without: &[],
    }
}

fn request(installed: &[i32], other: &[i32]) -> Vec<u8> {
    let request = SyncUpdatesRequest {
        cookie: Some(Cookie::default()),
        parameters: Some(SyncUpdateParameters {
            express_query: Some(false),
            installed_non_leaf: installed.to_vec(),
            other_cached: other.to_vec(),
            also_perform_regular_sync: Some(true),
            ..SyncUpdateParameters::default()
        }),
    };
    request.encode(SoapVersion::V11)
}
