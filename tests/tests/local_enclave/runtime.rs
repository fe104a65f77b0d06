//! Functions behind the runtime API.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use enclave_tests::function::{Function, FunctionOptions, Outcome};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{ECHO, runs};

const TIMEOUT: Duration = Duration::from_secs(3);

fn function(binary: &str) -> (Function, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let function = Function::new(FunctionOptions {
        name: "echo".to_owned(),
        binary: binary.into(),
        environment: vec![("OWN".to_owned(), "value".into())],
        timeout: TIMEOUT,
        memory_mib: 128,
        region: "us-east-1".to_owned(),
        account: "123456789012".to_owned(),
        log: directory.path().join("echo.log"),
    });
    (function, directory)
}

async fn outcome(function: &Function, payload: Value) -> Outcome {
    function.invoke(payload).await.unwrap().outcome
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

#[tokio::test]
async fn a_function_learns_its_invocation_and_nothing_of_this_machine() {
    let (function, _directory) = function(ECHO);
    let before = now_ms();
    let invocation = function.invoke(json!({ "mode": "context" })).await.unwrap();
    let after = now_ms();
    let Outcome::Response(seen) = &invocation.outcome else { panic!("{:?}", invocation.outcome) };
    assert_eq!(seen["request_id"], invocation.request_id.as_str());
    assert_eq!(seen["function_arn"], "arn:aws:lambda:us-east-1:123456789012:function:echo");
    let deadline = u128::from(seen["deadline_ms"].as_u64().unwrap());
    assert!((before + TIMEOUT.as_millis()..=after + TIMEOUT.as_millis()).contains(&deadline), "{deadline}");
    assert!(seen["trace_id"].as_str().unwrap().starts_with("Root=1-"), "{}", seen["trace_id"]);

    let environment = seen["environment"].as_object().unwrap();
    assert_eq!(environment["OWN"], "value");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_NAME"], "echo");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "128");
    let foreign: Vec<&String> = environment
        .keys()
        // The last is the X-Ray id, which the runtime itself sets for each invocation.
        .filter(|name| {
            !["OWN", "PATH", "LANG", "TZ", "_HANDLER", "_X_AMZN_TRACE_ID"].contains(&name.as_str())
        })
        .filter(|name| !name.starts_with("AWS_"))
        .collect();
    assert_eq!(foreign, Vec::<&String>::new());
}

#[tokio::test]
async fn a_process_serves_many_invocations_and_survives_its_errors() {
    let (function, _directory) = function(ECHO);
    assert_eq!(outcome(&function, json!({ "a": 1 })).await, Outcome::Response(json!({ "a": 1 })));
    let process = function.process_id().await.unwrap();
    for mode in ["error", "panic"] {
        let Outcome::FunctionError(error) = outcome(&function, json!({ "mode": mode })).await else {
            panic!("{mode}")
        };
        assert!(error["errorMessage"].as_str().unwrap().contains("as asked"), "{error}");
        assert!(error["errorType"].is_string(), "{error}");
    }
    assert!(function.log_tail(20).contains("as asked"), "{}", function.log_tail(20));
    assert_eq!(function.process_id().await, Some(process));
}

#[tokio::test]
async fn an_exit_is_seen_and_the_next_invocation_gets_a_new_process() {
    let (function, _directory) = function(ECHO);
    outcome(&function, json!({})).await;
    let first = function.process_id().await.unwrap();
    let Outcome::Exited { status } = outcome(&function, json!({ "mode": "exit" })).await else {
        panic!("no exit")
    };
    assert_eq!(status.code(), Some(3));
    assert!(!runs(first));
    assert_eq!(outcome(&function, json!({ "a": 2 })).await, Outcome::Response(json!({ "a": 2 })));
    assert_ne!(function.process_id().await, Some(first));
}

#[tokio::test]
async fn a_function_is_killed_at_its_deadline() {
    let (function, _directory) = function(ECHO);
    outcome(&function, json!({})).await;
    let first = function.process_id().await.unwrap();
    let invocation = function.invoke(json!({ "mode": "hang" })).await.unwrap();
    assert_eq!(invocation.outcome, Outcome::TimedOut);
    assert!(invocation.duration >= TIMEOUT && invocation.duration < 3 * TIMEOUT, "{:?}", invocation.duration);
    assert!(!runs(first));
    assert_eq!(outcome(&function, json!({ "a": 3 })).await, Outcome::Response(json!({ "a": 3 })));
}

#[tokio::test]
async fn a_function_that_is_given_up_leaves_no_process() {
    let (function, _directory) = function(ECHO);
    outcome(&function, json!({})).await;
    let process = function.process_id().await.unwrap();
    assert!(runs(process));
    drop(function);
    assert!(!runs(process));
}

#[tokio::test]
async fn invocations_wait_for_each_other() {
    let (function, _directory) = function(ECHO);
    let (first, second) =
        tokio::join!(function.invoke(json!({ "a": 1 })), function.invoke(json!({ "a": 2 })));
    assert_eq!(first.unwrap().outcome, Outcome::Response(json!({ "a": 1 })));
    assert_eq!(second.unwrap().outcome, Outcome::Response(json!({ "a": 2 })));
}

#[tokio::test]
async fn a_binary_that_is_no_function_ends_and_one_that_is_missing_is_named() {
    let (ends, _directory) = function("/bin/true");
    assert!(matches!(outcome(&ends, json!({})).await, Outcome::Exited { status } if status.success()));
    let (missing, _directory) = function("/nowhere/provision");
    let error = format!("{:#}", missing.invoke(json!({})).await.unwrap_err());
    assert!(error.contains("/nowhere/provision"), "{error}");
}
