//! Replies for people.

use std::fmt::{Display, Write};

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use enclave_protocol::notice::Notice;
use enclave_protocol::reply::{HostResult, Inventory, LoadBalancerResult, MissingHosts, PlanPreview, Reply};
use serde::Serialize;

use crate::freeze::Outcome;
use crate::output::printable;

/// A final reply as a text that ends with a line break.
pub(crate) fn render(reply: &Reply) -> String {
    let (status, code) = (word(&reply.status), reply.code.to_string());
    let code = if code == status { String::new() } else { format!(" ({code})") };
    let mut text = format!("{status}{code}: {}\n", printable(&reply.message));
    if let Some(id) = reply.request_id {
        let _ = writeln!(text, "request {id}");
    }
    for part in [
        reply.plan.as_ref().map(plan),
        (!reply.hosts.is_empty()).then(|| hosts(&reply.hosts)),
        (!reply.missing.is_empty()).then(|| missing(&reply.missing)),
        reply.load_balancer.as_ref().map(|balancer| balancers(&[(String::new(), balancer)])),
        reply.inventory.as_ref().map(inventory),
    ]
    .into_iter()
    .flatten()
    {
        let _ = write!(text, "\n{part}");
    }
    text
}

/// A notice as one line.
pub(crate) fn render_notice(notice: &Notice) -> String {
    format!("{:.0} {}: {}\n", notice.seen_at, notice.event.kind(), printable(&notice.message))
}

/// How a freeze or its lifting went, as a text that ends with a line break.
pub(crate) fn render_freeze(outcome: &Outcome) -> String {
    let state = match (outcome.frozen, outcome.changed) {
        (true, true) => "changes are frozen",
        (true, false) => "changes were frozen already",
        (false, true) => "changes go on",
        (false, false) => "changes were not frozen",
    };
    let Some(freeze) = &outcome.freeze else { return format!("{state}\n") };
    let until = freeze.until.map(|until| format!(", until {until}")).unwrap_or_default();
    let (who, why) = (printable(&freeze.who), printable(&freeze.why));
    if outcome.frozen {
        format!("{state} by {who}: {why}{until}\n")
    } else {
        format!("{state}; frozen by {who}: {why}\n")
    }
}

fn plan(plan: &PlanPreview) -> String {
    let decision = if plan.decision.allowed {
        "the tenant's rules allow it".to_owned()
    } else {
        format!("the tenant's rules refuse it: {}", plan.decision.code)
    };
    if plan.steps.is_empty() {
        return format!("plan: {decision}; nothing to do\n");
    }
    let rows = plan
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| [(index + 1).to_string(), printable(&step.kind), printable(&step.summary)]);
    format!("plan: {decision}\n{}", table(["#", "step", "what it does"], rows))
}

fn hosts(hosts: &[HostResult]) -> String {
    let rows = hosts.iter().map(|host| {
        [
            host.host_id.to_string(),
            host.rebuild
                .map_or(word(&host.state), |rebuild| format!("{}, {}", word(&host.state), word(&rebuild))),
            shown(host.instance_type.as_ref()),
            shown(host.availability_zone.as_ref()),
            shown(host.ipv6_address.as_ref()),
            printable(host.reason.as_deref().unwrap_or_default()),
        ]
    });
    table(["host", "state", "type", "availability zone", "IPv6", "reason"], rows)
}

fn missing(missing: &[MissingHosts]) -> String {
    let rows =
        missing.iter().map(|some| [some.count.to_string(), some.code.to_string(), printable(&some.reason)]);
    table(["missing", "code", "reason"], rows)
}

fn balancers(balancers: &[(String, &LoadBalancerResult)]) -> String {
    let rows = balancers.iter().map(|(cluster, balancer)| {
        let endpoints = balancer.endpoints.iter().map(|endpoint| {
            format!("{}:{}/{}", endpoint.port, endpoint.target_port, word(&endpoint.protocol))
        });
        [
            cluster.clone(),
            printable(&balancer.name),
            word(&balancer.state),
            word(&balancer.scheme),
            endpoints.collect::<Vec<_>>().join("\n"),
            balancer.targets.len().to_string(),
            printable(balancer.dns_name.as_deref().unwrap_or_default()),
        ]
    });
    let mut text =
        table(["cluster", "load balancer", "state", "scheme", "endpoints", "targets", "DNS name"], rows);
    let more = balancers.iter().filter_map(|(_, balancer)| more_of(balancer));
    for line in more {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// What of a load balancer has no column: settings, endpoint service, what it superseded.
fn more_of(balancer: &LoadBalancerResult) -> Option<String> {
    let mut more = Vec::new();
    if let Some(check) = &balancer.health_check {
        let port = check.port.map(|port| format!(":{port}")).unwrap_or_default();
        let path = check.path.as_ref().map(ToString::to_string).unwrap_or_default();
        let protocol = word(&check.protocol);
        more.push(format!("health check {protocol}{port}{path} every {} s", check.interval_seconds));
    }
    let seconds = |name: &str, value: Option<u32>| value.map(|value| format!("{name} {value} s"));
    more.extend(seconds("deregistration delay", balancer.deregistration_delay_seconds));
    more.extend(seconds("idle timeout", balancer.idle_timeout_seconds));
    more.extend(balancer.cross_zone.map(|on| format!("cross-zone {}", if on { "on" } else { "off" })));
    if let Some(link) = &balancer.private_link {
        let accepted = if link.acceptance_required { "accepted by the tenant" } else { "accepted at once" };
        more.push(format!(
            "PrivateLink {} ({}), {accepted}, for {}",
            link.service_name,
            word(&link.state),
            link.allowed_principals.join(", "),
        ));
    }
    if !balancer.superseded.is_empty() {
        more.push(format!("supersedes {}", balancer.superseded.join(", ")));
    }
    (!more.is_empty()).then(|| printable(&format!("{}: {}", balancer.name, more.join("; "))))
}

fn inventory(inventory: &Inventory) -> String {
    let images = if inventory.images.is_empty() { "none".to_owned() } else { joined(&inventory.images) };
    let mut text = format!("version {}, images: {images}\n", printable(&inventory.version));
    if inventory.hosts.is_empty() {
        text.push_str("no hosts\n");
    } else {
        let rows = inventory.hosts.iter().map(|host| {
            [
                format!("{}/{}", host.application, host.cluster),
                host.host_id.to_string(),
                word(&host.state),
                host.instance_type.to_string(),
                host.availability_zone.to_string(),
                shown(host.ipv6_address.as_ref()),
                host.image.to_string(),
            ]
        });
        text += &table(["cluster", "host", "state", "type", "availability zone", "IPv6", "image"], rows);
    }
    if let (true, Some(last)) = (inventory.truncated, inventory.hosts.last()) {
        let _ = writeln!(text, "more hosts follow: --after {}", last.host_id);
    }
    if inventory.load_balancers.is_empty() {
        text.push_str("no load balancers\n");
    } else {
        let rows = inventory.load_balancers.iter();
        let rows = rows.map(|row| (format!("{}/{}", row.application, row.cluster), &row.load_balancer));
        text += &balancers(&rows.collect::<Vec<_>>());
    }
    text
}

fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header).add_rows(rows);
    format!("{table}\n")
}

/// A word of the protocol as it stands on the wire.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn shown(value: Option<&impl Display>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn joined(values: &[impl Display]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use enclave_core::foundation::Freeze;
    use serde_json::{Value, json};

    use super::*;

    #[allow(clippy::needless_pass_by_value)] // The JSON is written where it is called.
    fn reply(more: Value) -> Reply {
        let mut reply = json!({
            "request_id": uuid::Uuid::nil(), "zone": "z", "enclave_id": "e", "status": "done", "code": "done",
            "message": "Three hosts are ready.", "decided_at": "2026-06-01T12:00:00Z",
        });
        for (key, value) in more.as_object().unwrap() {
            reply[key] = value.clone();
        }
        serde_json::from_value(reply).unwrap()
    }

    #[track_caller]
    fn shows(text: &str, needles: &[&str]) {
        for needle in needles {
            assert!(text.contains(needle), "{needle:?} is not in\n{text}");
        }
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{text:?}");
    }

    #[test]
    fn a_reply_without_more_is_two_lines() {
        let text =
            render(&reply(json!({ "status": "rejected", "code": "frozen", "message": "Frozen by ann." })));
        assert_eq!(text, "rejected (frozen): Frozen by ann.\nrequest 00000000-0000-0000-0000-000000000000\n");
    }

    #[test]
    fn hosts_and_what_is_missing_are_tables() {
        let text = render(&reply(json!({
            "hosts": [
                { "host_id": "i-01234567", "state": "ready", "instance_type": "m7g.large",
                  "availability_zone": "us-east-1a", "ipv6_address": "2001:db8::1" },
                { "host_id": "i-89abcdef", "state": "terminated", "reason": "It had a public address." },
                { "host_id": "i-00000001", "state": "running", "rebuild": "not_begun" },
            ],
            "missing": [{ "count": 2, "code": "insufficient_capacity", "reason": "No pool had room." }],
        })));
        shows(
            &text,
            &[
                "i-01234567",
                "ready",
                "m7g.large",
                "us-east-1a",
                "2001:db8::1",
                "It had a public address.",
                "running, not_begun",
            ],
        );
        shows(&text, &["2", "insufficient_capacity", "No pool had room."]);
    }

    #[test]
    fn a_plan_says_whether_it_is_allowed_and_what_it_would_do() {
        let of = |allowed: bool, code: &str, steps: Value| {
            render(&reply(
                json!({ "plan": { "decision": { "allowed": allowed, "code": code }, "steps": steps } }),
            ))
        };
        let text = of(true, "done", json!([{ "kind": "launch", "summary": "Launch 3 m7g.large." }]));
        shows(&text, &["the tenant's rules allow it", "launch", "Launch 3 m7g.large."]);
        shows(&of(false, "cap_exceeded", json!([])), &["refuse it: cap_exceeded; nothing to do"]);
    }

    #[test]
    fn an_inventory_lists_hosts_and_load_balancers() {
        let balancer = json!({
            "name": "e-abc", "dns_name": "e-abc.elb.amazonaws.com", "state": "active", "scheme": "public",
            "endpoints": [{ "port": 443, "protocol": "tcp", "target_port": 8443 }], "targets": ["i-01234567"],
        });
        let text = render(&reply(json!({ "load_balancer": balancer })));
        shows(&text, &["e-abc", "active", "443:8443/tcp", "e-abc.elb.amazonaws.com"]);

        let cluster = json!({ "application": "acme.shop.default", "cluster": "content" });
        let with = |mut more: Value| {
            more.as_object_mut().unwrap().extend(cluster.as_object().unwrap().clone());
            more
        };
        let host = with(json!({
            "host_id": "i-01234567", "state": "ready", "instance_type": "m7g.large",
            "availability_zone": "us-east-1a", "image": "ami-01234567",
        }));
        let of = |hosts: Value, balancers: Value, truncated: bool| {
            render(&reply(json!({ "inventory": {
                "version": "0.1.0", "payload_types": [], "actions": ["describe"], "images": ["ami-01234567"],
                "hosts": hosts, "load_balancers": balancers, "truncated": truncated,
            } })))
        };
        let text = of(json!([host]), json!([with(json!({ "load_balancer": balancer }))]), true);
        shows(
            &text,
            &["version 0.1.0", "acme.shop.default/content", "i-01234567", "--after i-01234567", "e-abc"],
        );
        shows(&of(json!([]), json!([]), false), &["no hosts\nno load balancers\n"]);
    }

    #[test]
    fn settings_endpoint_service_and_what_was_superseded_stand_below_the_table() {
        let text = render(&reply(json!({ "load_balancer": {
            "name": "e-abc", "state": "active", "scheme": "private", "endpoints": [], "targets": [],
            "health_check": { "protocol": "https", "port": 9443, "path": "/ok", "interval_seconds": 10,
                "healthy_threshold": 2, "unhealthy_threshold": 2 },
            "deregistration_delay_seconds": 0, "idle_timeout_seconds": 60, "cross_zone": false,
            "private_link": { "service_id": "vpce-svc-1", "service_name": "com.amazonaws.vpce.x.vpce-svc-1",
                "state": "available", "allowed_principals": ["arn:aws:iam::123456789012:root"],
                "acceptance_required": true },
            "superseded": ["e-old"],
        } })));
        shows(
            &text,
            &[
                "e-abc: health check https:9443/ok every 10 s; deregistration delay 0 s; idle timeout 60 s",
                "cross-zone off",
                "PrivateLink com.amazonaws.vpce.x.vpce-svc-1 (available), accepted by the tenant, for arn:aws",
                "supersedes e-old",
            ],
        );
    }

    #[test]
    fn text_from_elsewhere_cannot_govern_the_terminal() {
        let text = render(&reply(json!({
            "message": "a\u{1b}[2Jb\r\u{9b}31mc\nd",
            "hosts": [{ "host_id": "i-01234567", "state": "ready", "reason": "\u{1b}]0;x\u{7}" }],
        })));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(text.starts_with("done: a [2Jb  31mc d\n"), "{text:?}");
    }

    #[test]
    fn a_notice_is_one_line_whatever_it_says() {
        let notice = serde_json::from_value(json!({
            "zone": "z", "enclave_id": "e", "host_id": "i-01234567", "application": "acme.shop.default",
            "cluster": "content", "seen_at": "2026-06-01T12:00:00.5Z", "message": "It\nstopped.",
            "event": { "kind": "host_state_changed", "state": "stopped", "previous": "running" },
        }))
        .unwrap();
        assert_eq!(render_notice(&notice), "2026-06-01T12:00:00Z host_state_changed: It stopped.\n");
    }

    #[test]
    fn freezes_are_told_in_one_line() {
        let freeze = Freeze {
            who: "ann".to_owned(),
            why: "audit".to_owned(),
            until: Some("2030-01-01T00:00:00Z".parse().unwrap()),
        };
        let of = |frozen, changed, freeze: Option<&Freeze>| {
            render_freeze(&Outcome { frozen, changed, freeze: freeze.cloned() })
        };
        assert_eq!(
            of(true, true, Some(&freeze)),
            "changes are frozen by ann: audit, until 2030-01-01T00:00:00Z\n"
        );
        assert_eq!(of(false, true, Some(&freeze)), "changes go on; frozen by ann: audit\n");
        assert_eq!(of(false, false, None), "changes were not frozen\n");
    }
}
