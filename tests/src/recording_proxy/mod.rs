//! Stands between the functions and AWS, passes every call on, and writes down each; where a test asks for it, a
//! fault strikes.

mod age;
mod call;
mod faults;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::uri::{Authority, Scheme, Uri};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use call::Call;
use call::{Request as Asked, error_code};
use faults::{Answer, Faults, refusal, server_error, throttle, with_max_count, with_refused_items};
pub use faults::{Fault, Random, Rule};

use crate::process::Killer;

/// The largest body that AWS itself takes in one call is far above this; the functions' are far below.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// A listening proxy.
#[derive(Debug)]
pub struct RecordingProxy {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: Authority,
    client: Client<HttpConnector, Body>,
    record: Mutex<Record>,
    faults: Mutex<Faults>,
    age: Mutex<Option<Duration>>,
    killer: OnceLock<Killer>,
}

#[derive(Debug)]
struct Record {
    next: u64,
    calls: Vec<Call>,
    file: File,
}

impl RecordingProxy {
    /// Listens on a free port, passes calls on to `upstream`, and writes each to `log` as one line of JSON.
    pub async fn start(upstream: &str, log: &Path) -> Result<Self> {
        let target: Uri = upstream.parse().with_context(|| format!("{upstream} is no URL"))?;
        if target.scheme() != Some(&Scheme::HTTP) {
            bail!("{upstream}: the recording proxy speaks to http:// endpoints only");
        }
        let authority = target.authority().with_context(|| format!("{upstream} names no host"))?.clone();
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let shared = Arc::new(Shared {
            upstream: authority,
            client: Client::builder(TokioExecutor::new()).build_http(),
            record: Mutex::new(Record { next: 1, calls: Vec::new(), file }),
            faults: Mutex::default(),
            age: Mutex::default(),
            killer: OnceLock::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for calls")?;
        let url = format!("http://{}", listener.local_addr().context("a listener without an address")?);
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // It ends only by being aborted; a failed accept is retried inside.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, shared, server })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every call so far, in the order in which they were answered.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.with_record(|record| record.calls.clone())
    }

    /// Forgets the calls so far; the file keeps them.
    pub fn forget(&self) {
        self.shared.with_record(|record| record.calls.clear());
    }

    /// Strikes calls by these rules from now on, counted from now on; the first that fits does.
    pub fn script(&self, rules: Vec<Rule>) {
        self.shared.with_faults(|faults| faults.script(rules));
    }

    /// Strikes calls as drawn from a seed; `None` ends it.
    pub fn draw(&self, random: Option<Random>) {
        self.shared.with_faults(|faults| faults.draw(random));
    }

    /// Lets what describes show lag behind by up to this; `None` ends it.
    pub fn stale_for(&self, lag: Option<Duration>) {
        self.shared.with_faults(|faults| faults.stale_for(lag));
    }

    /// Lets the function see every instance as launched so much earlier; `None` ends it.
    pub fn age_instances(&self, by: Option<Duration>) {
        *self.shared.age.lock().unwrap_or_else(PoisonError::into_inner) = by;
    }

    /// What struck since this was asked last, as `Action: Fault`.
    pub fn take_struck(&self) -> Vec<String> {
        self.shared.with_faults(Faults::take_struck)
    }

    /// Moves the clock by which reads lag behind; once moved, it follows no real time, only these moves and the calls.
    pub fn advance(&self, time: Duration) {
        self.shared.with_faults(|faults| faults.advance(time));
    }

    /// Whom a killing fault kills.
    pub(crate) fn kills(&self, killer: Killer) {
        // Set once, by the enclave that owns both.
        let _ = self.shared.killer.set(killer);
    }
}

impl Drop for RecordingProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn with_record<T>(&self, work: impl FnOnce(&mut Record) -> T) -> T {
        // Every change to the record is complete before anything in it can panic.
        work(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_faults<T>(&self, work: impl FnOnce(&mut Faults) -> T) -> T {
        work(&mut self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn kill(&self) {
        if let Some(killer) = self.killer.get() {
            killer.kill();
        }
    }

    /// One call with whatever strikes it. `None`: the caller hears nothing.
    async fn exchange(&self, asked: &Asked, head: Parts, body: Bytes) -> Result<Option<Answer>> {
        match self.with_faults(|faults| faults.strike(asked)) {
            None => {}
            Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
            Some(Fault::Refuse(code)) => return Ok(Some(refusal(asked.service(), code))),
            Some(Fault::Throttle) => return Ok(Some(refusal(asked.service(), throttle(asked.service())))),
            Some(Fault::ServerError) => {
                return Ok(Some(refusal(asked.service(), server_error(asked.service()))));
            }
            Some(Fault::RefuseItems(code)) => {
                if let Some(refused) = with_refused_items(asked, code, &body) {
                    return Ok(Some(refused));
                }
            }
            Some(Fault::LoseRequest) => return Ok(None),
            Some(Fault::KillBefore) => {
                self.kill();
                return Ok(None);
            }
            Some(Fault::LoseAnswer) => {
                self.pass_on(head, body).await?;
                return Ok(None);
            }
            Some(Fault::KillAfter) => {
                self.pass_on(head, body).await?;
                self.kill();
                return Ok(None);
            }
            Some(Fault::AtMost(most)) => {
                return self.pass_on(head, with_max_count(&body, most)).await.map(Some);
            }
        }
        if let Some(stale) = self.with_faults(|faults| faults.stale_answer(asked, &body)) {
            return Ok(Some(stale));
        }
        let mut answer = self.pass_on(head, body.clone()).await?;
        let age = *self.age.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(by) = age.filter(|_| asked.action() == "DescribeInstances") {
            answer.2 = age::aged(&answer.2, by);
            // It may be shorter now; the server counts it anew.
            answer.1.remove(header::CONTENT_LENGTH);
        }
        self.with_faults(|faults| faults.keep(asked, &body, &answer));
        Ok(Some(answer))
    }

    async fn pass_on(&self, mut head: Parts, body: Bytes) -> Result<Answer> {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.upstream.clone())
            .path_and_query(path)
            .build()
            .context("an address that cannot be passed on")?;
        // A fault may have changed the body; the client counts it anew.
        head.headers.remove(header::CONTENT_LENGTH);
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = head.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = end_to_end(head.headers);
        let answer = self.client.request(request).await.context("no answer from the endpoint")?;
        let (head, body) = answer.into_parts();
        let body = to_bytes(Body::new(body), BODY_LIMIT).await.context("the answer broke off")?;
        Ok((head.status, end_to_end(head.headers), body))
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return (StatusCode::BAD_REQUEST, "the request broke off, or is too large").into_response();
    };
    let asked = Asked::read(&head, &body);
    let time = Timestamp::now();
    let begin = Instant::now();
    let answer = shared.exchange(&asked, head, body).await;
    let (status, code) = match &answer {
        Ok(Some((status, headers, body))) => (status.as_u16(), error_code(*status, headers, body)),
        Ok(None) | Err(_) => (StatusCode::BAD_GATEWAY.as_u16(), None),
    };
    shared.with_record(|record| {
        let call = asked.answered(record.next, time, begin.elapsed(), status, code);
        record.next += 1;
        // A full disk must not change what the functions see; the call is still in memory.
        let _ = serde_json::to_string(&call).map(|line| writeln!(record.file, "{line}"));
        record.calls.push(call);
    });
    match answer {
        Ok(Some((status, headers, body))) => (status, headers, body).into_response(),
        Ok(None) => broken_off(),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

/// An answer whose connection breaks before anything of its body has come.
fn broken_off() -> Response {
    let broken =
        futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("the connection breaks")) });
    Body::from_stream(broken).into_response()
}

/// Without the headers that belong to one connection: bodies travel whole here.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    headers.remove(header::CONNECTION);
    headers.remove(header::TRANSFER_ENCODING);
    headers
}
