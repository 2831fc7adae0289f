//! A scripted upstream: the services of a real one over HTTP on loopback, from a small catalog in memory, with
//! trouble at chosen calls.

mod documents;

use documents::{decryption_data, update_data};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use sluicegate_soap::client::{AuthPlugInInfo, AuthorizationCookie, Base64, Cookie};
use sluicegate_soap::fault::{ErrorCode, Fault, FaultCode};
use sluicegate_soap::server_reporting as rollup;
use sluicegate_soap::server_sync as sync;
use sluicegate_soap::{Limits, ResponseMessage as _, Service, SoapVersion, dss_auth};
use sluicegate_terms::{Guid, Sha1Digest, Timestamp, UpdateId, UpdateIdentity};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;

/// Trouble for one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// The connection is cut before an answer.
    Cut,
    /// The answer breaks off in the middle.
    Truncated,
    /// A page for people in place of a message.
    Page,
    /// A fault.
    Fault(ErrorCode),
    /// Blobs are damaged.
    BadBlobs,
    /// No answer comes, and the connection stays.
    Hang,
    /// The answer begins, and a byte of it comes now and then.
    Trickle,
}

#[derive(Clone, Debug)]
pub struct Held {
    pub xml: String,
    /// When it came; anchors are such numbers.
    pub arrived: u64,
    /// Category or detectoid.
    pub config: bool,
    /// The categories it stands under.
    pub categories: Vec<UpdateId>,
}

#[derive(Default)]
pub struct State {
    pub revisions: BTreeMap<UpdateIdentity, Held>,
    pub clock: u64,
    pub groups: Vec<sync::ServerSyncTargetGroup>,
    pub deployments: Vec<(u64, sync::ServerSyncDeployment)>,
    pub dead: Vec<(u64, Guid)>,
    pub hidden: Vec<UpdateId>,
    pub eulas: Vec<Guid>,
    pub files: HashMap<String, Vec<u8>>,
    /// So many files are given; whoever asks for one after that is told that the service is not available.
    pub files_until_away: Option<usize>,
    pub urls: Vec<(Sha1Digest, String)>,
    /// Listed and never given.
    pub withheld: Vec<UpdateIdentity>,
    /// Given and not listed, as real servers do with all but the newest revision of an update.
    pub unlisted: Vec<UpdateIdentity>,
    /// Always given with a broken blob.
    pub broken: Vec<UpdateIdentity>,
    /// Fewer documents than asked for.
    pub short_answers: bool,
    /// The number of each call and what it was.
    pub calls: Vec<&'static str>,
    /// How often each revision's document was given in an answer that was sent whole.
    pub given: BTreeMap<UpdateIdentity, u32>,
    pub trouble: BTreeMap<usize, Trouble>,
    /// Trouble whenever this is called.
    pub trouble_with: Option<(&'static str, Trouble)>,
    /// What rollups told.
    pub servers: Vec<rollup::DownstreamServerRollupInfo>,
    pub computers: Vec<rollup::ComputerRollupInfo>,
    pub statuses: Vec<rollup::ComputerStatusRollupInfo>,
    pub asked_files: Vec<Sha1Digest>,
    pub lists: Vec<sync::ServerSyncFilter>,
    pub cookie_generation: u8,
    /// Lists all updates, whatever is asked for.
    pub lists_everything: bool,
    /// Another one than usual answers: its id is so much greater.
    pub other_server: u128,
    /// So often it is too busy for the status of computers.
    pub busy: u32,
    /// Each answer with documents or a file takes so long.
    pub slow: Duration,
    /// Such answers under way, and the most there ever were: of documents and of files.
    pub under_way: [(usize, usize); 2],
    /// Keys of encrypted files; a revision without an entry is refused when it is asked for.
    pub keys: BTreeMap<UpdateIdentity, Vec<(Sha1Digest, Vec<u8>)>>,
}

pub struct Upstream {
    pub state: Arc<Mutex<State>>,
    pub url: String,
}

enum Reply {
    Whole(Vec<u8>, u16),
    Half(Vec<u8>),
    Cut,
    Hang,
    Trickle,
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| serve(Arc::clone(&state), request));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { state, url }
    }

    pub fn add(&self, identity: UpdateIdentity, xml: String, config: bool, categories: &[UpdateId]) {
        let mut state = self.state.lock();
        state.clock += 1;
        let held = Held { xml, arrived: state.clock, config, categories: categories.to_vec() };
        state.revisions.insert(identity, held);
    }

    pub fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state.lock().calls)
    }
}

/// A body that comes whole, or breaks off after half of what it announced.
struct Sent {
    data: Option<Bytes>,
    breaks: bool,
    length: u64,
    /// Comes in single bytes, without an end.
    trickles: Option<tokio::time::Interval>,
}

impl Sent {
    fn whole(data: Vec<u8>) -> Self {
        Self { length: data.len() as u64, data: Some(data.into()), breaks: false, trickles: None }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(drops) = &mut self.trickles {
            return drops.poll_tick(context).map(|_| Some(Ok(Frame::data(Bytes::from_static(b" ")))));
        }
        match self.data.take() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None if self.breaks => Poll::Ready(Some(Err(io::Error::other("broken off")))),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

async fn serve(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Response<Sent>, io::Error> {
    let path = request.uri().path().to_owned();
    let action = request.headers().get("soapaction").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    if let Some(name) = path.strip_prefix("/Content/") {
        let held = state.lock().files.get(name).cloned();
        let away = match &mut state.lock().files_until_away {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        };
        take_time(&state, 1).await;
        let status = match held {
            _ if away => 503,
            Some(_) => 200,
            None => 404,
        };
        return Ok(Response::builder().status(status).body(Sent::whole(held.unwrap_or_default())).unwrap());
    }
    let reply = answer(&mut state.lock(), &path, action.as_deref(), &body);
    if action.is_some_and(|action| action.contains("GetUpdateData")) {
        take_time(&state, 0).await;
    }
    match reply {
        Reply::Whole(body, status) => Ok(Response::builder()
            .status(status)
            .header("content-type", "text/xml; charset=utf-8")
            .body(Sent::whole(body))
            .unwrap()),
        Reply::Half(body) => Ok(Response::builder()
            .header("content-type", "text/xml; charset=utf-8")
            .body(Sent {
                length: body.len() as u64 * 2 + 1,
                data: Some(body.into()),
                breaks: true,
                trickles: None,
            })
            .unwrap()),
        Reply::Hang => std::future::pending().await,
        Reply::Trickle => Ok(Response::builder()
            .header("content-type", "text/xml; charset=utf-8")
            .body(Sent {
                length: 1 << 20,
                data: None,
                breaks: false,
                trickles: Some(tokio::time::interval(Duration::from_millis(5))),
            })
            .unwrap()),
        Reply::Cut => Err(io::Error::other("cut")),
    }
}

/// Lets time pass, and counts how many do at once.
async fn take_time(state: &Mutex<State>, kind: usize) {
    let slow = {
        let mut state = state.lock();
        let (now, most) = &mut state.under_way[kind];
        *now += 1;
        *most = (*now).max(*most);
        state.slow
    };
    tokio::time::sleep(slow).await;
    state.lock().under_way[kind].0 -= 1;
}

fn answer(state: &mut State, path: &str, action: Option<&str>, body: &[u8]) -> Reply {
    let number = state.calls.len();
    let trouble = state.trouble.get(&number).copied();
    let generation = state.cookie_generation;
    let (name, answered) = if path.starts_with("/DssAuth") {
        let (_, request) = dss_auth::Request::decode(body, action, &Limits::REQUEST).unwrap();
        authorize(request)
    } else if path.starts_with("/Reporting") {
        let (_, request) = rollup::Request::decode(body, action, &Limits::REQUEST).unwrap();
        report(state, request)
    } else {
        let (_, request) = sync::Request::decode(body, action, &Limits::REQUEST).unwrap();
        synchronize(state, request, trouble, generation)
    };
    state.calls.push(name);
    let trouble =
        trouble.or_else(|| state.trouble_with.filter(|(with, _)| *with == name).map(|(_, how)| how));
    let fault = |code| {
        let fault = Fault {
            code: FaultCode::Client,
            error_code: code,
            message: String::new(),
            id: Guid::from_u128(77),
            method: String::new(),
            actor: None,
        };
        Reply::Whole(fault.encode(Service::ServerSync, SoapVersion::V11), 500)
    };
    match (trouble, answered) {
        (Some(Trouble::Cut), _) => Reply::Cut,
        (Some(Trouble::Hang), _) => Reply::Hang,
        (Some(Trouble::Trickle), _) => Reply::Trickle,
        (Some(Trouble::Page), _) => Reply::Whole(b"<html><body>Sign in</body></html>".to_vec(), 200),
        (Some(Trouble::Fault(code)), _) => fault(code),
        (Some(Trouble::Truncated), Ok((body, _))) => {
            let half = body.len() / 2;
            Reply::Half(body[..half].to_vec())
        }
        (_, Ok((body, given))) => {
            for identity in given {
                *state.given.entry(identity).or_default() += 1;
            }
            Reply::Whole(body, 200)
        }
        (_, Err(code)) => fault(code),
    }
}

type Answered = Result<(Vec<u8>, Vec<UpdateIdentity>), ErrorCode>;

fn authorize(request: dss_auth::Request) -> (&'static str, Answered) {
    match request {
        dss_auth::Request::GetAuthorizationCookie(_) => {
            let cookie = AuthorizationCookie {
                plug_in_id: Some("DssTargeting".to_owned()),
                cookie_data: Some(Base64(vec![1; 32])),
            };
            let answer = dss_auth::GetAuthorizationCookieResponse { cookie };
            ("GetAuthorizationCookie", Ok((answer.encode(SoapVersion::V11), Vec::new())))
        }
        dss_auth::Request::Ping(_) => ("Ping", Err(ErrorCode::InternalServerError)),
    }
}

fn anchor_of(text: Option<&str>) -> u64 {
    text.and_then(|t| t.strip_prefix("at ")).and_then(|t| t.parse().ok()).unwrap_or(0)
}

fn synchronize(
    state: &mut State,
    request: sync::Request,
    trouble: Option<Trouble>,
    generation: u8,
) -> (&'static str, Answered) {
    let v = SoapVersion::V11;
    let good = |cookie: &Option<Cookie>| {
        let data = cookie.as_ref().and_then(|c| c.encrypted_data.as_ref()).map(|d| d.0.as_slice());
        if data == Some(&[generation; 8]) { Ok(()) } else { Err(ErrorCode::InvalidCookie) }
    };
    let none = |body: Vec<u8>| Ok((body, Vec::new()));
    match request {
        sync::Request::GetAuthConfig(_) => {
            let plug_in = AuthPlugInInfo {
                plug_in_id: Some("DssTargeting".to_owned()),
                service_url: Some("DssAuthWebService/DssAuthWebService.asmx".to_owned()),
                parameter: None,
            };
            let config = sync::ServerAuthConfig { auth_info: vec![plug_in], ..Default::default() };
            ("GetAuthConfig", none(sync::GetAuthConfigResponse { config }.encode(v)))
        }
        sync::Request::GetCookie(_) => {
            let cookie =
                Cookie { expiration: Timestamp::MAX, encrypted_data: Some(Base64(vec![generation; 8])) };
            ("GetCookie", none(sync::GetCookieResponse { cookie }.encode(v)))
        }
        sync::Request::GetConfigData(request) => {
            let config = sync::ServerSyncConfigData {
                lazy_sync: true,
                max_updates_per_request: 7,
                new_config_anchor: Some("config".to_owned()),
                protocol_version: Some("1.20".to_owned()),
                ..Default::default()
            };
            let answer =
                good(&request.cookie).and_then(|()| none(sync::GetConfigDataResponse { config }.encode(v)));
            ("GetConfigData", answer)
        }
        sync::Request::GetRevisionIdList(request) => {
            let filter = request.filter.unwrap();
            let since = anchor_of(filter.anchor.as_deref());
            let all = state.lists_everything;
            let matches = |held: &Held| match (&filter.categories, &filter.classifications) {
                (None, None) => true,
                _ if all => true,
                (Some(categories), Some(classifications)) => {
                    let one = |list: &[sync::IdAndDelta]| {
                        list.iter().any(|entry| held.categories.contains(&UpdateId(entry.id)))
                    };
                    one(categories) && one(classifications)
                }
                _ => false,
            };
            let new_revisions = state
                .revisions
                .iter()
                .filter(|(id, _)| !state.unlisted.contains(id))
                .filter(|(_, held)| {
                    held.config == filter.get_config && held.arrived > since && (held.config || matches(held))
                })
                .map(|(id, _)| *id)
                .collect();
            let list = sync::RevisionIdList { anchor: Some(format!("at {}", state.clock)), new_revisions };
            state.lists.push(filter);
            let answer =
                good(&request.cookie).and_then(|()| none(sync::GetRevisionIdListResponse { list }.encode(v)));
            ("GetRevisionIdList", answer)
        }
        sync::Request::GetUpdateData(request) => {
            ("GetUpdateData", good(&request.cookie).and_then(|()| update_data(state, request, trouble)))
        }
        sync::Request::GetDeployments(request) => {
            let since = anchor_of(request.deployment_anchor.as_deref());
            let after = |at: &u64| *at > since;
            let result = sync::ServerSyncDeploymentResult {
                anchor: Some(format!("at {}", state.clock)),
                groups: state.groups.clone(),
                deployments: state
                    .deployments
                    .iter()
                    .filter(|(at, d)| after(at) && !state.dead.iter().any(|(_, dead)| *dead == d.deployment))
                    .map(|(_, d)| d.clone())
                    .collect(),
                dead_deployments: state.dead.iter().filter(|(at, _)| after(at)).map(|(_, d)| *d).collect(),
                hidden_updates: state.hidden.iter().map(|u| u.0).collect(),
                accepted_eulas: state.eulas.clone(),
            };
            let answer =
                good(&request.cookie).and_then(|()| none(sync::GetDeploymentsResponse { result }.encode(v)));
            ("GetDeployments", answer)
        }
        sync::Request::DownloadFiles(request) => {
            state.asked_files.extend(request.file_digests.unwrap_or_default());
            ("DownloadFiles", none(sync::DownloadFilesResponse {}.encode(v)))
        }
        sync::Request::GetUpdateDecryptionData(request) => {
            ("GetUpdateDecryptionData", good(&request.cookie).and_then(|()| decryption_data(state, request)))
        }
        _ => ("other", Err(ErrorCode::InternalServerError)),
    }
}

fn report(state: &mut State, request: rollup::Request) -> (&'static str, Answered) {
    let v = SoapVersion::V11;
    let none = |body: Vec<u8>| Ok((body, Vec::new()));
    match request {
        rollup::Request::GetRollupConfiguration(_) => {
            let configuration = rollup::RollupConfiguration {
                do_detailed_rollup: true,
                rollup_reset: Guid::from_u128(5),
                server_id: Guid::from_u128(6 + state.other_server),
                max_downstream_servers: 5_000,
                max_computers: 1_500,
                max_out_of_sync: 20_000,
                max_status: 500,
            };
            (
                "GetRollupConfiguration",
                none(rollup::GetRollupConfigurationResponse { configuration }.encode(v)),
            )
        }
        rollup::Request::RollupDownstreamServers(request) => {
            state.servers.extend(request.servers.unwrap_or_default());
            ("RollupDownstreamServers", none(rollup::RollupDownstreamServersResponse {}.encode(v)))
        }
        rollup::Request::RollupComputers(request) => {
            let computers = request.computers.unwrap_or_default();
            let changed = computers
                .iter()
                .filter(|c| {
                    c.details.is_none() && !state.computers.iter().any(|k| k.computer_id == c.computer_id)
                })
                .map(|c| rollup::ChangedComputer {
                    computer_id: c.computer_id.clone(),
                    change: rollup::ComputerChange::NewParent,
                })
                .collect();
            state.computers.extend(computers);
            ("RollupComputers", none(rollup::RollupComputersResponse { changed }.encode(v)))
        }
        rollup::Request::GetOutOfSyncComputers(request) => {
            let asked = request.last_rollup_numbers.unwrap_or_default().into_iter();
            let unknown = |asked: &rollup::ComputerLastRollupNumber| {
                let status = |s: &rollup::ComputerStatusRollupInfo| {
                    s.computer_id == asked.computer_id && s.rollup_number == asked.rollup_number
                };
                !state.statuses.iter().any(status)
                    || !state.computers.iter().any(|k| k.computer_id == asked.computer_id)
            };
            let computers = asked.filter(unknown).filter_map(|asked| asked.computer_id).collect();
            ("GetOutOfSyncComputers", none(rollup::GetOutOfSyncComputersResponse { computers }.encode(v)))
        }
        rollup::Request::RollupComputerStatus(request) => {
            let taken = state.busy == 0;
            if taken {
                state.statuses.extend(request.computers.unwrap_or_default());
            }
            state.busy = state.busy.saturating_sub(1);
            ("RollupComputerStatus", none(rollup::RollupComputerStatusResponse { taken }.encode(v)))
        }
        rollup::Request::Ping(_) => ("Ping", Err(ErrorCode::InternalServerError)),
    }
}
