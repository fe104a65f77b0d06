//! Attributes that every load balancer of ours has, set explicitly so that a default of AWS never decides.

/// Targets of every availability zone serve every balancer node.
pub(crate) const CROSS_ZONE: (&str, &str) = ("load_balancing.cross_zone.enabled", "true");

/// Seconds a target is drained; AWS's default, 0 to 3600
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html>).
pub(crate) const DEREGISTRATION_DELAY: (&str, &str) = ("deregistration_delay.timeout_seconds", "300");

/// Off: with it on, a host that calls its own balancer times out
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-troubleshooting.html>).
pub(crate) const PRESERVE_CLIENT_IP: (&str, &str) = ("preserve_client_ip.enabled", "false");

/// Seconds an idle TCP flow is kept; AWS's default, 60 to 6000
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html>).
pub(crate) const TCP_IDLE_TIMEOUT: (&str, &str) = ("tcp.idle_timeout.seconds", "350");

/// Whether every wanted attribute is among those found.
pub(crate) fn all_set<'a>(
    wanted: &[(&str, &str)],
    found: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>,
) -> bool {
    let found: Vec<_> = found.collect();
    wanted.iter().all(|(key, value)| found.contains(&(Some(key), Some(value))))
}
