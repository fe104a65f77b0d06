//! The smallest function there is: does what the event's `mode` says, by default answers with the event itself.
//!
//! An SQS event's records are taken one by one, each with its body's own `mode`; `until` ends it with that receive.
//! The local enclave is tested with it, and start times are compared with its own.

use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload["Records"].as_array() {
        Some(records) => work_off(records).await,
        None => act(&event.payload, &event.context).await,
    }
}

/// As a FIFO queue wants it: the first failure fails all that come after it.
async fn work_off(records: &[Value]) -> Result<Value, Error> {
    let mut failures: Vec<Value> = Vec::new();
    for record in records {
        let body: Value =
            record["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        let receives: Option<u64> =
            record["attributes"]["ApproximateReceiveCount"].as_str().and_then(|count| count.parse().ok());
        let over = body["until"].as_u64().is_some_and(|until| receives.unwrap_or_default() >= until);
        let fails = body["mode"] == "fail" && !over;
        if fails || !failures.is_empty() {
            failures.push(json!({ "itemIdentifier": record["messageId"] }));
        } else if !over {
            act(&body, &Context::default()).await?;
        }
    }
    Ok(json!({ "batchItemFailures": failures, "records": records }))
}

async fn act(event: &Value, context: &Context) -> Result<Value, Error> {
    match event["mode"].as_str() {
        Some("context") => Ok(json!({
            "request_id": context.request_id,
            "deadline_ms": context.deadline,
            "function_arn": context.invoked_function_arn,
            "trace_id": context.xray_trace_id,
            "environment": std::env::vars().collect::<std::collections::BTreeMap<_, _>>(),
        })),
        Some("error") => Err("as asked".into()),
        Some("panic") => panic!("as asked"),
        Some("exit") => std::process::exit(3),
        // Not a sleep but no answer, for as long as the process lives.
        Some("hang") => std::future::pending().await,
        _ => Ok(event.clone()),
    }
}
