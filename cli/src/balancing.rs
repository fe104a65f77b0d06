//! The arguments of a load balancer, and the order they stand for.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use enclave_protocol::names::{ApplicationId, ClusterId, HealthCheckPath, HostId, PrincipalArn};
use enclave_protocol::request::{
    ConfigureLoadBalancer, Endpoint, EndpointProtocol, HealthCheck, HealthCheckProtocol, PrivateLink, Scheme,
};
use thiserror::Error;

#[derive(Debug, Args)]
pub(crate) struct BalancerArguments {
    /// Port to listen on and port of the hosts; with /tls the hosts hold the certificates
    #[arg(long = "endpoint", value_name = "PORT:TARGET_PORT[/tcp|/tls]", required = true)]
    endpoints: Vec<EndpointArgument>,
    /// Host behind it; what is not named is taken out
    #[arg(long = "target", value_name = "i-...")]
    targets: Vec<HostId>,
    /// Who can reach it; another scheme is another load balancer, made beside the old one
    #[arg(long, value_enum, default_value = "public")]
    scheme: SchemeName,
    /// Account, user or role that may connect by an endpoint service; who is not named is disconnected
    #[arg(long = "private-link", value_name = "ARN")]
    principals: Vec<PrincipalArn>,
    /// Let their connections carry traffic before the tenant has accepted them
    #[arg(long, requires = "principals")]
    accept_connections: bool,
    /// How to find out which hosts are healthy [default: tcp, on the target port]
    #[arg(long, value_name = "tcp|http|https[:PORT][/PATH]")]
    health_check: Option<CheckArgument>,
    /// Seconds between two checks of a host
    #[arg(long, value_name = "N", requires = "health_check", default_value = "30",
        value_parser = clap::value_parser!(u32).range(5..=300))]
    health_check_interval_seconds: u32,
    /// Seconds without an answer that fail a check [default: 6 with http, else 10]
    #[arg(long, value_name = "N", requires = "health_check",
        value_parser = clap::value_parser!(u32).range(2..=120))]
    health_check_timeout_seconds: Option<u32>,
    /// Good checks in a row that make a host healthy
    #[arg(long, value_name = "N", requires = "health_check", default_value = "5",
        value_parser = clap::value_parser!(u32).range(2..=10))]
    healthy_threshold: u32,
    /// Failed checks in a row that make it unhealthy
    #[arg(long, value_name = "N", requires = "health_check", default_value = "2",
        value_parser = clap::value_parser!(u32).range(2..=10))]
    unhealthy_threshold: u32,
    /// Seconds a host that is taken out keeps its connections [default: 300]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=3600))]
    deregistration_delay_seconds: Option<u32>,
    /// Seconds an idle connection is kept [default: 350]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(60..=6000))]
    idle_timeout_seconds: Option<u32>,
    /// Whether hosts of every availability zone serve the clients of each [default: true]
    #[arg(long, value_name = "true|false")]
    cross_zone: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemeName {
    /// The internet
    Public,
    /// The zone's VPC and what is connected to it
    Private,
}

impl BalancerArguments {
    /// The order that the arguments stand for.
    pub(crate) fn order(self, application: ApplicationId, cluster: ClusterId) -> ConfigureLoadBalancer {
        let endpoints = self.endpoints.into_iter().map(|EndpointArgument(endpoint)| endpoint).collect();
        let scheme = match self.scheme {
            SchemeName::Public => Scheme::Public,
            SchemeName::Private => Scheme::Private,
        };
        let check = self.health_check.map(|CheckArgument { protocol, port, path }| HealthCheck {
            protocol,
            port,
            path,
            interval_seconds: self.health_check_interval_seconds,
            timeout_seconds: self.health_check_timeout_seconds,
            healthy_threshold: self.healthy_threshold,
            unhealthy_threshold: self.unhealthy_threshold,
        });
        ConfigureLoadBalancer {
            private_link: (!self.principals.is_empty()).then_some(PrivateLink {
                allowed_principals: self.principals,
                acceptance_required: !self.accept_connections,
            }),
            health_check: check,
            deregistration_delay_seconds: self.deregistration_delay_seconds,
            idle_timeout_seconds: self.idle_timeout_seconds,
            cross_zone: self.cross_zone,
            ..ConfigureLoadBalancer::new(application, cluster, scheme, endpoints, self.targets)
        }
    }
}

/// `PORT:TARGET_PORT`, with `/tcp`, `/tls` or without.
#[derive(Debug, Clone, PartialEq, Eq)]
struct EndpointArgument(Endpoint);

#[derive(Debug, PartialEq, Eq, Error)]
#[error(
    "an endpoint is PORT:TARGET_PORT, PORT:TARGET_PORT/tcp or PORT:TARGET_PORT/tls with ports of 1 to 65535, got {0:?}"
)]
struct InvalidEndpoint(String);

impl FromStr for EndpointArgument {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = || InvalidEndpoint(text.to_owned());
        let (ports, protocol) = match text.split_once('/') {
            None | Some((_, "tcp")) => (text.trim_end_matches("/tcp"), EndpointProtocol::Tcp),
            Some((ports, "tls")) => (ports, EndpointProtocol::Tls),
            Some(_) => return Err(invalid()),
        };
        let (port, target_port) = ports.split_once(':').ok_or_else(invalid)?;
        let (Some(port), Some(target_port)) = (number(port), number(target_port)) else {
            return Err(invalid());
        };
        Ok(Self(Endpoint { port, protocol, target_port }))
    }
}

/// `tcp`, `http:8080/ok`, `https/ok` and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CheckArgument {
    protocol: HealthCheckProtocol,
    port: Option<u16>,
    path: Option<HealthCheckPath>,
}

#[derive(Debug, PartialEq, Eq, Error)]
#[error("a health check is tcp[:PORT], http[:PORT][/PATH] or https[:PORT][/PATH], got {0:?}")]
struct InvalidCheck(String);

impl FromStr for CheckArgument {
    type Err = InvalidCheck;

    fn from_str(text: &str) -> Result<Self, InvalidCheck> {
        let invalid = || InvalidCheck(text.to_owned());
        let (address, path) = match text.find('/') {
            None => (text, None),
            Some(at) => (&text[..at], Some(text[at..].parse().map_err(|_| invalid())?)),
        };
        let (protocol, port) = match address.split_once(':') {
            None => (address, None),
            Some((protocol, port)) => (protocol, Some(number(port).ok_or_else(invalid)?)),
        };
        let protocol = match protocol {
            "tcp" if path.is_none() => HealthCheckProtocol::Tcp,
            "http" => HealthCheckProtocol::Http,
            "https" => HealthCheckProtocol::Https,
            _ => return Err(invalid()),
        };
        Ok(Self { protocol, port, path })
    }
}

/// A port of digits only.
fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0 && text.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        balancer: BalancerArguments,
    }

    fn parsed(line: &str) -> Result<Value, clap::Error> {
        let line = Line::try_parse_from(["x"].into_iter().chain(line.split_whitespace()))?;
        let order = line.balancer.order("acme.shop.default".parse().unwrap(), "content".parse().unwrap());
        Ok(serde_json::to_value(order).unwrap())
    }

    #[test]
    fn every_option_stands_for_its_field() {
        let order = parsed(
            "--endpoint 443:8443/tls --endpoint 80:8080 --target i-01234567 --scheme private \
             --private-link arn:aws:iam::123456789012:root --private-link arn:aws:iam::123456789012:role/a \
             --accept-connections --health-check https:9443/ok --health-check-interval-seconds 10 \
             --health-check-timeout-seconds 5 --healthy-threshold 2 --unhealthy-threshold 3 \
             --deregistration-delay-seconds 0 --idle-timeout-seconds 60 --cross-zone false",
        );
        assert_eq!(
            order.unwrap(),
            json!({
                "application": "acme.shop.default", "cluster": "content", "scheme": "private",
                "endpoints": [
                    { "port": 443, "protocol": "tls", "target_port": 8443 },
                    { "port": 80, "protocol": "tcp", "target_port": 8080 },
                ],
                "targets": ["i-01234567"],
                "private_link": {
                    "allowed_principals": ["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/a"],
                    "acceptance_required": false,
                },
                "health_check": {
                    "protocol": "https", "port": 9443, "path": "/ok", "interval_seconds": 10,
                    "timeout_seconds": 5, "healthy_threshold": 2, "unhealthy_threshold": 3,
                },
                "deregistration_delay_seconds": 0, "idle_timeout_seconds": 60, "cross_zone": false,
            })
        );
    }

    #[test]
    fn what_is_not_said_is_left_to_the_enclave() {
        let order = parsed("--endpoint 443:8443").unwrap();
        let fields: Vec<&str> = order.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["application", "cluster", "endpoints", "scheme", "targets"]);
        let order = parsed("--endpoint 443:8443 --private-link arn:aws:iam::123456789012:root").unwrap();
        assert_eq!(order["private_link"]["acceptance_required"], true);
        let order = parsed("--endpoint 443:8443 --health-check tcp").unwrap();
        assert_eq!(order["health_check"]["interval_seconds"], 30);
    }

    #[test]
    fn an_option_that_needs_another_says_which() {
        for (line, needle) in [
            ("--endpoint 1:2 --accept-connections", "--private-link"),
            ("--endpoint 1:2 --healthy-threshold 2", "--health-check"),
            ("--endpoint 1:2 --health-check tcp --healthy-threshold 11", "11 is not in 2..=10"),
            ("--endpoint 1:2 --idle-timeout-seconds 59", "59 is not in 60..=6000"),
            ("--endpoint 1:2 --scheme internal", "internal"),
        ] {
            let refused = parsed(line).unwrap_err().to_string();
            assert!(refused.contains(needle), "{line}: {refused}");
        }
    }

    #[test]
    fn endpoints_are_read_strictly() {
        for wrong in [
            "",
            "443",
            ":",
            "443:",
            ":1",
            "0:1",
            "1:0",
            "65536:1",
            "+1:2",
            "1:2/udp",
            "1:2/",
            "1:2/TCP",
            "1:2:3",
            "1:2/tcp/tcp",
            "1:2/tls/tcp",
        ] {
            assert!(wrong.parse::<EndpointArgument>().is_err(), "{wrong}");
        }
        assert_eq!("1:65535".parse(), "1:65535/tcp".parse::<EndpointArgument>());
        assert_ne!("1:65535".parse(), "1:65535/tls".parse::<EndpointArgument>());
    }

    #[test]
    fn health_checks_are_read_strictly() {
        for wrong in
            ["", "udp", "tcp/", "tcp:0", "tcp:x", "http:", "http:+1", "HTTP", "http//a b", "http:1:2", "/ok"]
        {
            assert!(wrong.parse::<CheckArgument>().is_err(), "{wrong}");
        }
        let check: CheckArgument = "http/a:b/c".parse().unwrap();
        assert_eq!((check.port, check.path.unwrap().as_str()), (None, "/a:b/c"));
    }
}
