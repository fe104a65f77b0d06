//! Many hosts, many requests: what they cost the function, measured from outside.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use enclave_protocol::reply::{Reply, Status};

use crate::configuration_server::ConfigurationServer;
use crate::enclave::{LocalEnclave, Options};
use crate::orders;
use crate::wait::until;

/// Longest time for one measurement; the emulator's share of it is by far the largest.
const LIMIT: Duration = Duration::from_mins(90);

/// Clock ticks per second as `/proc` counts them on every architecture of Lambda
/// (<https://man7.org/linux/man-pages/man7/time.7.html>).
const USER_HZ: u32 = 100;

/// What a number of requests cost.
#[derive(Debug, Clone)]
pub struct Cost {
    /// How many requests.
    pub requests: u32,
    /// How many hosts each asked for.
    pub hosts: u32,
    /// Calls to AWS in all, those to S3 and SQS among them.
    pub calls: usize,
    /// Calls to EC2 alone.
    pub ec2_calls: usize,
    /// User and system time of the function's process, its start included.
    pub cpu: Duration,
    /// Its peak resident set, in KiB.
    pub peak_kib: u64,
    /// Bytes of the largest reply.
    pub largest_reply: usize,
}

/// Sends requests at once, each for so many hosts, and ticks until all are done. `function` is its binary, this
/// workspace's debug build when absent.
pub async fn measure(requests: u32, hosts: u32, function: Option<PathBuf>) -> Result<Cost> {
    let options = Options {
        tick_every: None,
        max_hosts: requests.saturating_mul(hosts),
        function_binary: function,
        // As long as Lambda allows: the emulator is slower than AWS where there are many hosts.
        function_timeout: Duration::from_mins(15),
        ..Options::default()
    };
    let enclave = LocalEnclave::start(options).await?;
    let server = ConfigurationServer::of(&enclave)?;
    let image = &enclave.made().hosts.images[0];
    let mut handled = enclave.event_source().handled();
    let mut under_way = BTreeSet::new();
    for _ in 0..requests {
        let body = server.sign(server.request(orders::provision_hosts(hosts, image)))?.to_json();
        let queue = &enclave.made().queues.requests.url;
        let send = enclave.clients().sqs.send_message().queue_url(queue).message_body(body);
        let message = send.message_group_id("line").send().await?;
        under_way.insert(message.message_id.context("a message without an id")?);
    }
    let all = async {
        while !under_way.is_empty() {
            let message = handled.recv().await?;
            ensure!(
                message.succeeded,
                "{:?}\n{}",
                message.invocation.outcome,
                enclave.function().log_tail(10)
            );
            under_way.remove(&message.message_id);
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LIMIT, all).await.context("the requests were not worked on in time")??;
    let replies = until("a final reply to each request", LIMIT, async || {
        let finals = finals(&enclave)?;
        if finals.len() >= requests as usize {
            return Ok(Some(finals));
        }
        let tick = enclave.tick().await?;
        while handled.recv().await?.message_id != tick {}
        Ok(None)
    })
    .await?;
    for (_, reply) in &replies {
        let ready = reply.hosts.len() == hosts as usize;
        ensure!(reply.status == Status::Done && ready, "{:?}: {}", reply.status, reply.message);
    }
    let calls = enclave.calls();
    let Some(process) = enclave.function().process_id().await else { bail!("the function does not run") };
    let cost = Cost {
        requests,
        hosts,
        calls: calls.len(),
        ec2_calls: calls.iter().filter(|call| call.service == "ec2").count(),
        cpu: cpu(process)?,
        peak_kib: peak_kib(process)?,
        largest_reply: replies.iter().map(|(bytes, _)| *bytes).max().unwrap_or_default(),
    };
    enclave.shutdown().await;
    Ok(cost)
}

/// The final replies that were sent, each with its size.
fn finals(enclave: &LocalEnclave) -> Result<Vec<(usize, Reply)>> {
    let mut finals = Vec::new();
    for call in enclave.calls().iter().filter(|call| call.action == "SendMessage") {
        let body = call.parameter("MessageBody");
        let reply: Reply = serde_json::from_str(body)?;
        if reply.status.is_final() {
            finals.push((body.len(), reply));
        }
    }
    Ok(finals)
}

/// User and system time, all threads: fields 14 and 15 of
/// <https://www.kernel.org/doc/html/latest/filesystems/proc.html#process-specific-subdirectories>.
fn cpu(process: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name before it may hold anything, a parenthesis too.
    let fields: Vec<&str> = stat.rsplit_once(')').context("no name")?.1.split_whitespace().collect();
    let ticks =
        |field: usize| -> Result<u64> { Ok(fields.get(field - 3).context("too few fields")?.parse()?) };
    Ok(Duration::from_secs(ticks(14)? + ticks(15)?) / USER_HZ)
}

fn peak_kib(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
