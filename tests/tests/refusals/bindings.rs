//! Requests that were well signed, but for another enclave, another tenant or another time.

use anyhow::Result;
use enclave_protocol::code::Code;
use enclave_protocol::request::Request;
use jiff::{SignedDuration, Timestamp};

use crate::case::Case;
use crate::orders::{describe, provision};
use crate::zone::Zone;

/// A request that is issued so many seconds from now, and valid for so long.
fn timed(request: Request, issued_in: i64, valid_for: i64) -> Request {
    let issued_at = Timestamp::now() + SignedDuration::from_secs(issued_in);
    Request { issued_at, expires_at: issued_at + SignedDuration::from_secs(valid_for), ..request }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_somebody_else_is_refused() -> Result<()> {
    let zone = Zone::start().await?;
    let neighbour = Zone::start().await?;
    let case = |name: &str, code: Code, naming: &str, change: &dyn Fn(&mut Request)| {
        let mut request = zone.server.request(provision(&zone, 1));
        change(&mut request);
        anyhow::Ok(Case::by_request(name, zone.signed(request)?, code, naming))
    };
    zone.refuses([
        case("another account", Code::WrongAccount, "\"999999999999\"", &|request| {
            "999999999999".clone_into(&mut request.audience.account);
        })?,
        case("another region", Code::WrongRegion, "\"eu-west-1\"", &|request| {
            "eu-west-1".clone_into(&mut request.audience.region);
        })?,
        case("another zone", Code::WrongZone, "\"prod.aws-us-east-1\"", &|request| {
            "prod.aws-us-east-1".clone_into(&mut request.audience.zone);
        })?,
        case("the zone in capitals", Code::WrongZone, "\"DEV.AWS-US-EAST-1\"", &|request| {
            request.audience.zone = request.audience.zone.to_uppercase();
        })?,
        case("no zone at all", Code::WrongZone, "\"\"", &|request| request.audience.zone.clear())?,
        case(
            "another installation",
            Code::WrongEnclave,
            &neighbour.server.enclave().enclave_id,
            &|request| {
                request.audience.enclave_id.clone_from(&neighbour.server.enclave().enclave_id);
            },
        )?,
        case("another tenant", Code::WrongTenant, "globex", &|request| {
            request.tenant = "globex".parse().unwrap();
        })?,
        case("a very long zone", Code::WrongZone, &"x".repeat(80), &|request| {
            request.audience.zone = "x".repeat(20_000);
        })?,
        // All four are wrong: the first of them is named.
        case("another enclave altogether", Code::WrongAccount, "\"0\"", &|request| {
            "0".clone_into(&mut request.audience.account);
            request.audience.region.clear();
            request.audience.zone.clear();
            request.audience.enclave_id.clear();
        })?,
    ])
    .await?;
    zone.accepts("the right one", &zone.signed(zone.plan(provision(&zone, 1)))?).await?;
    neighbour.end().await?;
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_another_time_is_refused() -> Result<()> {
    let zone = Zone::start().await?;
    let case = |name: &str, code: Code, naming: &dyn Fn(&Request) -> String, issued_in, valid_for| {
        let request = timed(zone.server.request(provision(&zone, 1)), issued_in, valid_for);
        let naming = naming(&request);
        anyhow::Ok(Case::by_request(name, zone.signed(request)?, code, naming))
    };
    let expiry = |request: &Request| format!("{:.3}", request.expires_at);
    let issue = |request: &Request| format!("{:.3}", request.issued_at);
    let validity =
        |request: &Request| format!("not {}", request.expires_at.duration_since(request.issued_at).as_secs());
    zone.refuses([
        case("expired", Code::Expired, &expiry, -600, 300)?,
        case("expired a moment ago", Code::Expired, &expiry, -301, 300)?,
        case("expired long ago", Code::Expired, &expiry, -400 * 24 * 3600, 900)?,
        case("issued in the future", Code::IssuedInFuture, &issue, 600, 300)?,
        case("issued beyond the skew of clocks", Code::IssuedInFuture, &issue, 120, 300)?,
        case("valid for too long", Code::InvalidValidity, &validity, 0, 901)?,
        case("valid for a year", Code::InvalidValidity, &validity, 0, 365 * 24 * 3600)?,
        case("valid for no time", Code::InvalidValidity, &validity, 0, 0)?,
        case("expires before it is issued", Code::InvalidValidity, &validity, 0, -60)?,
        case("valid for too long, and expired", Code::InvalidValidity, &validity, -2000, 1000)?,
    ])
    .await?;
    let twin =
        |issued_in, valid_for| zone.signed(timed(zone.server.request(describe()), issued_in, valid_for));
    zone.accepts("15 minutes exactly", &twin(0, 900)?).await?;
    zone.accepts("issued a while ago", &twin(-800, 900)?).await?;
    zone.accepts("a clock 30 seconds ahead", &twin(30, 300)?).await?;
    zone.end().await
}
