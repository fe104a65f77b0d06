//! What a call to AWS says: which service, which action, with which parameters; and which error came back.

use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One call that a function made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Counts from 1, in the order of the answers.
    pub sequence: u64,
    /// When it was made.
    pub time: Timestamp,
    /// Until it was answered.
    pub duration_ms: u64,
    /// The service as request signatures name it: `ec2`, `elasticloadbalancing`, `s3`, `sqs`.
    pub service: String,
    /// The action as IAM and the API reference name it, e.g. `RunInstances` or `PutObject`.
    pub action: String,
    /// Form fields, the JSON body's fields, or S3's bucket, key and conditions.
    pub parameters: Map<String, Value>,
    /// HTTP status of the answer; 502 also where there was none.
    pub status: u16,
    /// AWS's error code, if it is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Call {
    /// A parameter as text; empty when it is not there.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A call before its answer.
pub(super) struct Request {
    service: String,
    action: String,
    parameters: Map<String, Value>,
}

impl Request {
    pub(super) fn service(&self) -> &str {
        &self.service
    }

    pub(super) fn action(&self) -> &str {
        &self.action
    }

    /// A parameter as text; empty when it is not there.
    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn read(head: &Parts, body: &[u8]) -> Self {
        let service = service(&head.headers);
        let (action, parameters) = if service == "s3" { s3(head) } else { rpc(head, body) };
        Self { service, action, parameters }
    }

    pub(super) fn answered(
        self,
        sequence: u64,
        time: Timestamp,
        duration: Duration,
        status: u16,
        error: Option<String>,
    ) -> Call {
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let Self { service, action, parameters } = self;
        Call { sequence, time, duration_ms, service, action, parameters, status, error }
    }
}

/// From the signature's scope: `Credential=KEY/20260131/us-east-1/ec2/aws4_request`.
fn service(headers: &HeaderMap) -> String {
    let authorization = text(headers, header::AUTHORIZATION.as_str());
    let scope = authorization.split("Credential=").nth(1).and_then(|rest| rest.split(',').next());
    let service = scope.and_then(|scope| scope.trim().rsplit('/').nth(1));
    service.unwrap_or("unsigned").to_owned()
}

/// The query protocol (EC2, Elastic Load Balancing, IAM) and the JSON protocols (SQS, KMS).
fn rpc(head: &Parts, body: &[u8]) -> (String, Map<String, Value>) {
    if let Some((_, action)) = text(&head.headers, "x-amz-target").rsplit_once('.') {
        let parameters = serde_json::from_slice(body).unwrap_or_default();
        return (action.to_owned(), parameters);
    }
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let mut fields: Map<String, Value> = form_urlencoded::parse(query)
        .chain(form_urlencoded::parse(body))
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    fields.remove("Version");
    let action = fields.remove("Action").and_then(|action| action.as_str().map(str::to_owned));
    (action.unwrap_or_default(), fields)
}

fn s3(head: &Parts) -> (String, Map<String, Value>) {
    let path = head.uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let query = head.uri.query().unwrap_or_default();
    let query: Map<String, Value> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    let mut parameters = Map::new();
    let mut set = |name: &str, value: &str| {
        if !value.is_empty() {
            parameters.insert(name.to_owned(), Value::String(value.to_owned()));
        }
    };
    set("bucket", bucket);
    set("key", &decoded(key));
    set("if_match", text(&head.headers, header::IF_MATCH.as_str()));
    set("if_none_match", text(&head.headers, header::IF_NONE_MATCH.as_str()));
    for name in ["prefix", "start-after", "continuation-token", "max-keys", "versionId"] {
        set(&name.replace('-', "_"), query.get(name).and_then(Value::as_str).unwrap_or_default());
    }
    (s3_action(&head.method, &head.headers, bucket, key, &query), parameters)
}

/// The SDKs say it in `x-id` for most; the rest follows from method and sub-resource.
fn s3_action(
    method: &Method,
    headers: &HeaderMap,
    bucket: &str,
    key: &str,
    query: &Map<String, Value>,
) -> String {
    if let Some(id) = query.get("x-id").and_then(Value::as_str) {
        return id.to_owned();
    }
    let action = match (method.as_str(), bucket.is_empty(), key.is_empty()) {
        ("GET", true, _) => "ListBuckets",
        ("GET", _, true) if query.contains_key("list-type") => "ListObjectsV2",
        ("GET", _, true) if query.contains_key("versions") => "ListObjectVersions",
        ("POST", _, true) if query.contains_key("delete") => "DeleteObjects",
        ("PUT", _, false) if headers.contains_key("x-amz-copy-source") => "CopyObject",
        ("PUT", _, false) => "PutObject",
        ("GET", _, false) => "GetObject",
        ("HEAD", _, false) => "HeadObject",
        ("DELETE", _, false) => "DeleteObject",
        ("GET", _, true) if query.is_empty() => "ListObjects",
        ("HEAD", _, true) => "HeadBucket",
        ("PUT", _, true) if query.is_empty() => "CreateBucket",
        ("DELETE", _, true) if query.is_empty() => "DeleteBucket",
        _ => return format!("{method} {}", query.keys().cloned().collect::<Vec<_>>().join("&")),
    };
    action.to_owned()
}

/// A path's percent-encoding is a form's, but for the plus sign, which a path means as it is.
fn decoded(path: &str) -> String {
    let escaped = format!("k={}", path.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(escaped.as_bytes()).next().map(|(_, key)| key.into_owned()).unwrap_or_default()
}

/// The code of an error, in whichever place the protocol puts it.
pub(super) fn error_code(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    if status.is_success() {
        return None;
    }
    let body = String::from_utf8_lossy(body);
    if let Some(code) = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")) {
        return Some(code.0.to_owned());
    }
    // `AWS.SimpleQueueService.NonExistentQueue;Sender`: the code that SQS had before it spoke JSON.
    let query_error = text(headers, "x-amzn-query-error").split(';').next().filter(|code| !code.is_empty());
    let json: Option<Value> = serde_json::from_str(&body).ok();
    let kind =
        json.as_ref().and_then(|json| json["__type"].as_str()).and_then(|kind| kind.rsplit('#').next());
    kind.or(query_error).map(str::to_owned)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http;

    fn read(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Request {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Request::read(&request.body(()).unwrap().into_parts().0, body.as_bytes())
    }

    fn signed(service: &str) -> (&'static str, String) {
        let scope = format!("20260131/us-east-1/{service}/aws4_request");
        (
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential=testing/{scope}, SignedHeaders=host, Signature=0"),
        )
    }

    #[test]
    fn a_query_call_is_its_form() {
        let (name, value) = signed("ec2");
        let body = "Action=RunInstances&Version=2016-11-15&MaxCount=3&TagSpecification.1.Tag.1.Value=a+b%2Fc";
        let call = read("POST", "/", &[(name, &value)], body);
        assert_eq!((call.service.as_str(), call.action.as_str()), ("ec2", "RunInstances"));
        assert_eq!(call.parameters["TagSpecification.1.Tag.1.Value"], "a b/c");
        assert!(!call.parameters.contains_key("Version"));
    }

    #[test]
    fn a_json_call_is_its_body() {
        let (name, value) = signed("sqs");
        let headers = [(name, value.as_str()), ("x-amz-target", "AmazonSQS.SendMessage")];
        let call = read("POST", "/", &headers, r#"{"MessageGroupId":"g"}"#);
        assert_eq!((call.service.as_str(), call.action.as_str()), ("sqs", "SendMessage"));
        assert_eq!(call.parameters["MessageGroupId"], "g");
    }

    #[test]
    fn an_s3_call_is_its_method_path_and_conditions() {
        let (name, value) = signed("s3");
        let headers = [(name, value.as_str()), ("if-none-match", "*")];
        let call = read("PUT", "/bucket/state/v1/a%2Bb+c.json?x-id=PutObject", &headers, "");
        assert_eq!(call.action, "PutObject");
        assert_eq!(call.parameters["key"], "state/v1/a+b+c.json");
        assert_eq!(call.parameters["if_none_match"], "*");
        let list = read("GET", "/bucket?list-type=2&prefix=state%2F", &[(name, value.as_str())], "");
        assert_eq!((list.action.as_str(), &list.parameters["prefix"]), ("ListObjectsV2", &"state/".into()));
    }

    #[test]
    fn an_error_has_a_code_in_each_protocol() {
        let none = HeaderMap::new();
        let code = |body: &str| error_code(StatusCode::BAD_REQUEST, &none, body.as_bytes());
        assert_eq!(
            code("<Response><Errors><Error><Code>A.B</Code></Error></Errors></Response>").as_deref(),
            Some("A.B")
        );
        assert_eq!(
            code(r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}"#).as_deref(),
            Some("QueueDoesNotExist")
        );
        assert_eq!(error_code(StatusCode::OK, &none, b"<Code>x</Code>"), None);
    }
}
