//! How to reach AWS for an enclave.

use std::net::{Ipv4Addr, Ipv6Addr};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;

use crate::description::EnclaveDescription;

/// Variables by which the environment gives credentials, or says where they are.
const CREDENTIAL_VARIABLES: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// The SDK's configuration for an enclave: its region, its endpoint, and the usual chain of credentials.
///
/// An enclave on this very machine takes any credentials, so where the environment has none, made-up ones are
/// used there, and only there.
pub async fn sdk_config(enclave: &EnclaveDescription) -> SdkConfig {
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).region(Region::new(enclave.region.clone()));
    if let Some(endpoint) = &enclave.endpoint_url {
        loader = loader.endpoint_url(endpoint);
        let given = CREDENTIAL_VARIABLES.iter().any(|name| std::env::var_os(name).is_some());
        if !given && is_loopback(endpoint) {
            loader = loader.credentials_provider(Credentials::new("test", "test", None, None, "loopback"));
        }
    }
    loader.load().await
}

/// Whether a URL's host is this very machine, by address or as `localhost`.
pub fn is_loopback(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if let Some(bracketed) = authority.strip_prefix('[') {
        let Some((host, port)) = bracketed.split_once(']') else { return false };
        return is_port(port) && host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    }
    let host = authority
        .split_once(':')
        .map_or(authority, |(host, port)| if port.bytes().all(|b| b.is_ascii_digit()) { host } else { "" });
    host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_machine_is_loopback() {
        for url in [
            "http://127.0.0.1:5000",
            "http://127.9.9.9/",
            "http://localhost:1/x",
            "https://[::1]:443",
            "http://[::1]",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "127.0.0.1",
            "http://128.0.0.1",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1@example.com",
            "http://127.0.0.1:80@example.com",
            "http://example.com/127.0.0.1",
            "http://[::2]",
            "http://[::1].example.com",
            "http://[::1",
            "https://sqs.us-east-1.amazonaws.com",
            "http://",
            "",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
