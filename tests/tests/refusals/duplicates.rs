//! The same order twice, and another order under the same id.

use anyhow::{Context, Result, ensure};
use enclave_protocol::code::Code;
use enclave_protocol::reply::{Reply, Status};
use enclave_protocol::request::Request;
use enclave_tests::enclave::Options;
use serde_json::Value;

use crate::case::Case;
use crate::orders::{describe, provision};
use crate::zone::{Seen, Zone};

/// The same envelope in other JSON: the queue drops equal bodies by itself, so a copy must differ somewhere.
fn copies(body: &str) -> Result<Vec<(&'static str, String)>> {
    let parsed: Value = serde_json::from_str(body)?;
    let fields = parsed.as_object().context("an object")?;
    let turned: Vec<String> = fields.iter().rev().map(|(name, value)| format!("{name:?}:{value}")).collect();
    Ok(vec![
        ("a space after it", format!("{body} ")),
        ("on many lines", serde_json::to_string_pretty(&parsed)?),
        ("its fields turned round", format!("{{{}}}", turned.join(" , "))),
    ])
}

/// Sees a copy answered as the original was, byte for byte, and with nothing else.
fn same_answer(name: &str, copy: &Seen, first: &str) -> Result<()> {
    ensure!(copy.consumed, "{name}: not consumed");
    ensure!(copy.changes().is_empty(), "{name}: {:?}", copy.changes());
    ensure!(copy.bodies() == [first], "{name}: {:#?}\nat first: {first}", copy.bodies());
    ensure!(copy.sent_to_results(), "{name}: answered elsewhere");
    ensure!(copy.claimed.is_empty(), "{name}: claimed {:?}", copy.claimed);
    Ok(())
}

fn launches(zone: &Zone) -> usize {
    zone.enclave.calls().iter().filter(|call| call.action == "RunInstances").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_acted_on_once_and_answered_with_the_same_bytes() -> Result<()> {
    let zone = Zone::start().await?;
    let request = zone.server.request(provision(&zone, 2));
    let body = zone.signed(request.clone())?;
    // The same content signed anew: another signature, the same order.
    let again = zone.signed(request)?;
    assert_ne!(again, body);

    let first = zone.give(&body).await?;
    let under_way: Reply = first.reply()?;
    assert_eq!(under_way.status, Status::InProgress, "{under_way:#?}");
    let in_progress = first.bodies()[0].to_owned();
    let launched = launches(&zone);
    assert_ne!(launched, 0, "nothing was launched");
    for (name, copy) in copies(&body)? {
        let seen = zone.give(&copy).await?;
        // It makes the line look again, and what it finds may be news.
        ensure!(seen.bodies().first() == Some(&in_progress.as_str()), "{name}: {:#?}", seen.bodies());
        ensure!(seen.consumed && seen.changes().is_empty(), "{name}: {:?}", seen.changes());
        if seen.bodies().len() > 1 {
            break;
        }
    }
    assert_eq!(launches(&zone), launched);

    let done = loop {
        let seen = zone.give(&format!("{body}{}", " ".repeat(2 + zone.enclave.calls().len()))).await?;
        let bodies = seen.bodies();
        let last = (*bodies.last().context("a duplicate is answered")?).to_owned();
        if serde_json::from_str::<Reply>(&last)?.status.is_final() {
            break last;
        }
        zone.tick().await?;
    };
    let reply: Reply = serde_json::from_str(&done)?;
    assert_eq!((reply.status, reply.hosts.len()), (Status::Done, 2), "{reply:#?}");
    let copies = copies(&body)?.into_iter().map(|(name, copy)| (name, format!("{copy}\n")));
    for (name, copy) in copies.chain([("signed anew", again)]) {
        same_answer(name, &zone.give(&copy).await?, &done)?;
    }
    assert_eq!(launches(&zone), launched);
    let instances = zone.enclave.clients().ec2.describe_instances().send().await?;
    assert_eq!(instances.reservations().iter().map(|it| it.instances().len()).sum::<usize>(), 2);
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_of_what_was_refused_or_only_asked_is_answered_with_the_same_bytes() -> Result<()> {
    let zone = Zone::start_with(Options { max_hosts: 1, ..Options::default() }).await?;
    let refused = zone.signed(zone.server.request(provision(&zone, 2)))?;
    let asked = zone.signed(zone.server.request(describe()))?;
    let planned = zone.signed(zone.plan(provision(&zone, 1)))?;
    for body in [refused, asked, planned] {
        let first = zone.give(&body).await?;
        let answer = first.bodies();
        let [answer] = answer.as_slice() else { anyhow::bail!("not one answer: {answer:#?}") };
        for (name, copy) in copies(&body)? {
            same_answer(name, &zone.give(&copy).await?, answer)?;
        }
    }
    assert_eq!(launches(&zone), 0);
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_order_under_a_used_id_is_refused_and_the_first_goes_on() -> Result<()> {
    let zone = Zone::start().await?;
    let request = zone.server.request(provision(&zone, 1));
    let id = request.request_id;
    let first = zone.give(&zone.signed(request.clone())?).await?;
    assert_eq!(first.reply()?.status, Status::InProgress);
    let used = |name: &str, other: Request| {
        let other = Request { request_id: id, ..other };
        anyhow::Ok(Case::by_request(name, zone.signed(other)?, Code::RequestIdReused, id.to_string()))
    };
    let later = request.expires_at - jiff::SignedDuration::from_secs(1);
    zone.refuses([
        used("five hosts, while one is on its way", zone.server.request(provision(&zone, 5)))?,
        used("the same order, issued anew", zone.server.request(provision(&zone, 1)))?,
        used("the same order with another end", Request { expires_at: later, ..request.clone() })?,
        used("a question", zone.server.request(describe()))?,
    ])
    .await?;

    let done = zone.follow(zone.tick().await?).await?;
    assert_eq!((done.request_id, done.hosts.len()), (Some(id), 1), "{done:#?}");
    zone.refuses([used("five hosts, when one is there", zone.server.request(provision(&zone, 5)))?]).await?;
    // It is off the line again: a tick finds nothing to do.
    let tick = zone.tick().await?;
    assert_eq!((tick.changes(), tick.writes(), tick.bodies()), (vec![], vec![], vec![]));

    assert_eq!(launches(&zone), 1);
    let copy = zone.give(&format!("{} ", zone.signed(request)?)).await?;
    let copied: Reply = copy.reply()?;
    assert_eq!(copied, done);
    zone.accepts("a new id", &zone.signed(zone.plan(provision(&zone, 5)))?).await?;
    zone.end().await
}
