//! JSON Schema of what crosses the wire, for those who do not write Rust.

use schemars::{JsonSchema, schema_for};

use crate::code::Code;
use crate::envelope::Envelope;
use crate::notice::Notice;
use crate::reply::Reply;
use crate::request::Request;

/// Each file of `docs/schema/`: its name and its text.
///
/// # Errors
/// Only if a schema could not be written as JSON.
pub fn documents() -> Result<[(&'static str, String); 4], serde_json::Error> {
    Ok([
        ("request.v1.schema.json", document::<Request>()?),
        ("reply.v1.schema.json", document::<Reply>()?),
        ("notice.v1.schema.json", document::<Notice>()?),
        ("envelope.v1.schema.json", document::<Envelope>()?),
    ])
}

fn document<T: JsonSchema>() -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&schema_for!(T))? + "\n")
}

/// Every code as it stands on the wire, with its meaning.
///
/// # Errors
/// Only if a schema could not be written as JSON.
pub fn code_meanings() -> Result<Vec<(String, String)>, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Codes {
        #[serde(rename = "oneOf")]
        codes: Vec<Meaning>,
    }
    #[derive(serde::Deserialize)]
    struct Meaning {
        #[serde(rename = "const")]
        code: String,
        description: String,
    }
    let codes: Codes = serde_json::from_value(serde_json::to_value(schema_for!(Code))?)?;
    Ok(codes.codes.into_iter().map(|meaning| (meaning.code, meaning.description)).collect())
}
