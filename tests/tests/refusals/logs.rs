//! What operators of the enclave search: the function's own log.

use anyhow::{Result, ensure};
use enclave_protocol::code::Code;
use serde_json::Value;

use crate::case::Case;
use crate::orders::provision;
use crate::zone::Zone;

/// Which of two fields of one name a reader takes is up to the reader, so that either may be lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_log_has_each_field_once() -> Result<()> {
    let zone = Zone::start().await?;
    let refused = zone.signed(zone.server.request(provision(&zone, 1000)))?;
    zone.refuses([
        Case::unanswered("no envelope", "{}", Code::MalformedEnvelope, "not an envelope"),
        Case::claimed("too many hosts", refused, Code::CapExceeded, "1000 hosts"),
    ])
    .await?;
    zone.carry_out(provision(&zone, 1)).await?;
    let log = std::fs::read_to_string(zone.enclave.function().log())?;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("\"level\"")).collect();
    ensure!(!lines.is_empty(), "nothing is logged");
    for line in &lines {
        serde_json::from_str::<Value>(line)?;
    }
    let twice: Vec<&&str> = lines.iter().filter(|line| line.matches("\"message\":").count() > 1).collect();
    ensure!(twice.is_empty(), "two fields \"message\": {twice:#?}");
    zone.end().await
}
