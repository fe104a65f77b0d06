//! Logs as JSON lines and metrics in CloudWatch's embedded metric format, both on standard output.

use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tracing_subscriber::EnvFilter;

/// The CloudWatch namespace of every metric.
pub const NAMESPACE: &str = "Enclave";

/// Starts JSON logging; `RUST_LOG` sets the level, by default `info`.
pub fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(true)
        .with_env_filter(filter)
        .with_target(false)
        .init();
}

/// What a metric counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Milliseconds.
    Milliseconds,
}

/// Metrics of one invocation, written as one line of embedded metric format
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
#[derive(Debug, Clone)]
pub struct Metrics {
    dimensions: Vec<(&'static str, String)>,
    values: Vec<(&'static str, Unit, f64)>,
    properties: Vec<(&'static str, String)>,
}

impl Metrics {
    /// Metrics of one zone and function.
    pub fn new(zone: &str, function: &str) -> Self {
        Self {
            dimensions: vec![("Zone", zone.to_owned()), ("Function", function.to_owned())],
            values: Vec::new(),
            properties: Vec::new(),
        }
    }

    /// Adds `value` to a metric of this invocation.
    pub fn add(&mut self, name: &'static str, unit: Unit, value: f64) {
        match self.values.iter_mut().find(|(known, _, _)| *known == name) {
            Some((_, _, sum)) => *sum += value,
            None => self.values.push((name, unit, value)),
        }
    }

    /// A searchable value that is no dimension, e.g. a request id.
    pub fn property(&mut self, name: &'static str, value: impl Into<String>) {
        self.properties.push((name, value.into()));
    }

    /// The line as CloudWatch reads it.
    pub fn to_line(&self, now: Timestamp) -> Value {
        let dimension_names: Vec<&str> = self.dimensions.iter().map(|(name, _)| *name).collect();
        let metrics: Vec<Value> =
            self.values.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": now.as_millisecond(),
                "CloudWatchMetrics": [
                    {"Namespace": NAMESPACE, "Dimensions": [dimension_names], "Metrics": metrics}
                ]
            }),
        );
        for (name, value) in self.dimensions.iter().chain(&self.properties) {
            line.insert((*name).to_owned(), json!(value));
        }
        for (name, _, value) in &self.values {
            line.insert((*name).to_owned(), json!(value));
        }
        Value::Object(line)
    }

    /// Writes the line; a closed standard output loses it, which is no reason to fail the work.
    pub fn emit(&self, now: Timestamp) {
        if !self.values.is_empty() {
            let _ = writeln!(std::io::stdout(), "{}", self.to_line(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_named_in_the_directive_stands_in_the_line_with_its_sum() {
        let mut metrics = Metrics::new("dev", "provision");
        metrics.add("Requests", Unit::Count, 1.0);
        metrics.add("Requests", Unit::Count, 1.0);
        metrics.add("Duration", Unit::Milliseconds, 12.5);
        metrics.property("RequestId", "r1");
        let line = metrics.to_line(Timestamp::from_millisecond(5).unwrap());
        assert_eq!(line["Requests"], 2.0);
        assert_eq!(line["Duration"], 12.5);
        assert_eq!(line["RequestId"], "r1");
        assert_eq!(line["_aws"]["Timestamp"], 5);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["Zone", "Function"]]));
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_number());
        }
        for dimension in ["Zone", "Function"] {
            assert!(line[dimension].is_string());
        }
    }
}
