//! JSON Schema of what crosses the wire, for those who do not write Rust.

use schemars::{JsonSchema, schema_for};

use crate::envelope::Envelope;
use crate::reply::Reply;
use crate::request::Request;

/// Each file of `docs/schema/`: its name and its text.
///
/// # Errors
/// Only if a schema could not be written as JSON.
pub fn documents() -> Result<[(&'static str, String); 3], serde_json::Error> {
    Ok([
        ("request.v1.schema.json", document::<Request>()?),
        ("reply.v1.schema.json", document::<Reply>()?),
        ("envelope.v1.schema.json", document::<Envelope>()?),
    ])
}

fn document<T: JsonSchema>() -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&schema_for!(T))? + "\n")
}
