//! The Lambda runtime API, version 2018-06-01, for one process of one function.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>. Each process gets a server of its own, so what a
//! killed one still says can never be taken for its successor's word.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Lambda's limit for the payload of a synchronous invocation, and for its answer.
const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

/// What one invocation brings to the process.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) request_id: String,
    pub(crate) payload: Value,
    pub(crate) timeout: Duration,
}

/// What the process does with it.
#[derive(Debug)]
pub(crate) enum Event {
    /// It took the invocation, and has until then.
    Taken { deadline: Instant },
    /// It answered.
    Response(Value),
    /// It reported an error.
    Error(Value),
    /// It cannot even start.
    InitError(Value),
}

/// A listening runtime API.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    address: String,
    work: mpsc::Sender<Work>,
    events: mpsc::Receiver<Event>,
    server: JoinHandle<()>,
}

impl RuntimeApi {
    /// Listens on a free port for the process of the function with this ARN.
    pub(crate) async fn start(function_arn: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for a function")?;
        let address = listener.local_addr().context("a listener without an address")?.to_string();
        let (work, waiting) = mpsc::channel(1);
        let (event_sender, events) = mpsc::channel(4);
        let exchange = Arc::new(Exchange {
            function_arn: function_arn.to_owned(),
            waiting: Mutex::new(waiting),
            current: Mutex::new(None),
            events: event_sender,
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{request_id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{request_id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(PAYLOAD_LIMIT))
            .with_state(exchange);
        let server = tokio::spawn(async move {
            // It ends only by being aborted; a failed accept is retried inside.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, work, events, server })
    }

    /// `host:port`, as `AWS_LAMBDA_RUNTIME_API` names it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Puts one invocation before the process; to be called again only when it is over.
    pub(crate) async fn offer(&self, work: Work) -> Result<()> {
        self.work.send(work).await.ok().context("the runtime API is gone")
    }

    /// What the process does next.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Exchange {
    function_arn: String,
    waiting: Mutex<mpsc::Receiver<Work>>,
    /// The request id the process is at work on.
    current: Mutex<Option<String>>,
    events: mpsc::Sender<Event>,
}

impl Exchange {
    async fn tell(&self, event: Event) {
        // Nobody listens only when the function has been given up.
        let _ = self.events.send(event).await;
    }

    /// Ends the current invocation, if that is its id.
    async fn finish(&self, request_id: &str, event: Event) -> Response {
        let mut current = self.current.lock().await;
        if current.as_deref() != Some(request_id) {
            return refusal("InvalidRequestID", "no such invocation is under way");
        }
        *current = None;
        self.tell(event).await;
        accepted()
    }
}

async fn next(State(exchange): State<Arc<Exchange>>) -> Response {
    let Some(work) = exchange.waiting.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    *exchange.current.lock().await = Some(work.request_id.clone());
    exchange.tell(Event::Taken { deadline: Instant::now() + work.timeout }).await;
    let deadline = SystemTime::now() + work.timeout;
    let deadline_ms = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let headers = [
        ("Lambda-Runtime-Aws-Request-Id", work.request_id),
        ("Lambda-Runtime-Deadline-Ms", deadline_ms.to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", exchange.function_arn.clone()),
        ("Lambda-Runtime-Trace-Id", trace_id(deadline - work.timeout)),
    ];
    (headers, Json(work.payload)).into_response()
}

async fn response(
    State(exchange): State<Arc<Exchange>>,
    Path(request_id): Path<String>,
    body: Bytes,
) -> Response {
    match serde_json::from_slice(&body) {
        Ok(value) => exchange.finish(&request_id, Event::Response(value)).await,
        // Lambda reports this to the caller as an error of the function, too.
        Err(problem) => {
            let error =
                json!({ "errorType": "Runtime.InvalidResponse", "errorMessage": problem.to_string() });
            exchange.finish(&request_id, Event::Error(error)).await
        }
    }
}

async fn error(
    State(exchange): State<Arc<Exchange>>,
    Path(request_id): Path<String>,
    body: Bytes,
) -> Response {
    exchange.finish(&request_id, Event::Error(error_body(&body))).await
}

async fn init_error(State(exchange): State<Arc<Exchange>>, body: Bytes) -> Response {
    exchange.tell(Event::InitError(error_body(&body))).await;
    accepted()
}

/// An error is shown whatever its form.
fn error_body(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
}

fn refusal(kind: &str, message: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "errorType": kind, "errorMessage": message }))).into_response()
}

/// In the form of <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.
fn trace_id(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let random = uuid::Uuid::now_v7().simple().to_string();
    format!("Root=1-{seconds:08x}-{};Sampled=0", &random[8..])
}
