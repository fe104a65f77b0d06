//! Requests: they round-trip, and what is out of bounds is refused by name.

use enclave_protocol::code::Code;
use enclave_protocol::names::{
    ApplicationId, AvailabilityZone, ClusterId, HealthCheckPath, HostId, ImageId, InstanceType, PrincipalArn,
};
use enclave_protocol::request::{
    Audience, ConfigureLoadBalancer, DeprovisionHosts, Describe, Endpoint, EndpointProtocol, HealthCheck,
    HealthCheckProtocol, Mode, Order, PrivateLink, ProvisionHosts, RebuildHosts, RemoveLoadBalancer, Request,
    Scheme,
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

fn name<T>(pattern: &'static str) -> impl Strategy<Value = T>
where
    T: TryFrom<String, Error: std::fmt::Debug> + std::fmt::Debug,
{
    pattern.prop_map(|text| T::try_from(text).unwrap())
}

fn application() -> impl Strategy<Value = ApplicationId> {
    name("[a-z][a-z0-9-]{0,9}(\\.[a-z][a-z0-9-]{0,9}){2}")
}

fn cluster() -> impl Strategy<Value = ClusterId> {
    name("[a-z][a-z0-9-]{0,62}")
}

fn hosts(at_least: usize) -> impl Strategy<Value = Vec<HostId>> {
    prop::collection::btree_set(name("i-[0-9a-f]{17}"), at_least..6).prop_map(|set| set.into_iter().collect())
}

type Settings = (Scheme, Option<PrivateLink>, Option<HealthCheck>, [Option<u32>; 2], Option<bool>);

fn settings() -> impl Strategy<Value = Settings> {
    let principal = name::<PrincipalArn>(
        "arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:(root|(user|role)/[A-Za-z0-9+=,.@_-]{1,20})",
    );
    let link = (prop::collection::btree_set(principal, 1..4), any::<bool>()).prop_map(
        |(principals, acceptance_required)| PrivateLink {
            allowed_principals: principals.into_iter().collect(),
            acceptance_required,
        },
    );
    let protocols = vec![HealthCheckProtocol::Tcp, HealthCheckProtocol::Http, HealthCheckProtocol::Https];
    let check = (
        prop::sample::select(protocols),
        prop::option::of(1_u16..),
        prop::option::of(name::<HealthCheckPath>("/[!-~]{0,20}")),
        (5_u32..=300).prop_flat_map(|interval| (Just(interval), prop::option::of(2..=interval.min(120)))),
        (2_u32..=10, 2_u32..=10),
    )
        .prop_map(|(protocol, port, path, (interval_seconds, timeout_seconds), (healthy, unhealthy))| {
            HealthCheck {
                protocol,
                port,
                path: path.filter(|_| protocol != HealthCheckProtocol::Tcp),
                interval_seconds,
                timeout_seconds,
                healthy_threshold: healthy,
                unhealthy_threshold: unhealthy,
            }
        });
    (
        prop::sample::select(vec![Scheme::Public, Scheme::Private]),
        prop::option::of(link),
        prop::option::of(check),
        (prop::option::of(0_u32..=3600), prop::option::of(60_u32..=6000)).prop_map(<[Option<u32>; 2]>::from),
        prop::option::of(any::<bool>()),
    )
}

fn order() -> impl Strategy<Value = Order> {
    let types =
        prop::collection::btree_set(name::<InstanceType>("[a-z][a-z0-9-]{1,9}\\.[a-z0-9-]{1,9}"), 1..5);
    let zones = prop::collection::btree_set(name::<AvailabilityZone>("[a-z]{2}[a-z0-9-]{4,10}"), 1..4);
    let protocols = prop::sample::select(EndpointProtocol::ALL.to_vec());
    let endpoint = (1_u16.., protocols, 1_u16..).prop_map(|(port, protocol, target_port)| Endpoint {
        port,
        protocol,
        target_port,
    });
    let endpoints = prop::collection::vec(endpoint, 1..5).prop_filter("each port once", |endpoints| {
        let ports: std::collections::BTreeSet<u16> = endpoints.iter().map(|endpoint| endpoint.port).collect();
        ports.len() == endpoints.len()
    });
    prop_oneof![
        (
            application(),
            cluster(),
            1_u32..=1000,
            types,
            name::<ImageId>("ami-[0-9a-f]{8}"),
            prop::option::of(zones)
        )
            .prop_map(|(application, cluster, count, types, image, zones)| {
                Order::ProvisionHosts(ProvisionHosts {
                    application,
                    cluster,
                    count,
                    instance_types: types.into_iter().collect(),
                    resources: None,
                    image,
                    availability_zones: zones.map(|zones| zones.into_iter().collect()),
                })
            }),
        (application(), cluster(), hosts(1)).prop_map(|(application, cluster, host_ids)| {
            Order::DeprovisionHosts(DeprovisionHosts { application, cluster, host_ids })
        }),
        (
            application(),
            cluster(),
            hosts(1),
            name::<ImageId>("ami-[0-9a-f]{17}"),
            prop::option::of(1_u32..=100)
        )
            .prop_map(|(application, cluster, host_ids, image, at_a_time)| {
                Order::RebuildHosts(RebuildHosts { application, cluster, host_ids, image, at_a_time })
            }),
        (application(), cluster(), endpoints, hosts(0), settings()).prop_map(
            |(application, cluster, endpoints, targets, settings)| {
                let (scheme, private_link, health_check, [delay, idle], cross_zone) = settings;
                Order::ConfigureLoadBalancer(ConfigureLoadBalancer {
                    private_link,
                    health_check,
                    deregistration_delay_seconds: delay,
                    idle_timeout_seconds: idle,
                    cross_zone,
                    ..ConfigureLoadBalancer::new(application, cluster, scheme, endpoints, targets)
                })
            }
        ),
        (application(), cluster(), prop::option::of(name("[A-Za-z0-9-]{1,32}"))).prop_map(
            |(application, cluster, name)| {
                Order::RemoveLoadBalancer(RemoveLoadBalancer { application, cluster, name })
            }
        ),
        prop::option::of(name("i-[0-9a-f]{8}")).prop_map(|after| Order::Describe(Describe { after })),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let texts = ("[0-9]{12}", "[a-z-]{1,20}", "\\PC{0,20}", "\\PC{0,20}");
    let seconds = 0_i64..4_000_000_000;
    (texts, cluster(), any::<u128>(), (seconds.clone(), seconds), "[0-9a-f]{64}", any::<bool>(), order())
        .prop_map(
            |((account, region, zone, enclave_id), tenant, id, (issued, expires), hash, plan, order)| {
                Request {
                    audience: Audience { account, region, zone, enclave_id },
                    tenant: tenant.as_str().parse().unwrap(),
                    request_id: uuid::Builder::from_u128(id)
                        .with_version(uuid::Version::SortRand)
                        .into_uuid(),
                    issued_at: Timestamp::from_second(issued).unwrap(),
                    expires_at: Timestamp::from_second(expires).unwrap(),
                    certificate_sha256: hash,
                    mode: if plan { Mode::Plan } else { Mode::Apply },
                    deadline_seconds: plan.then_some(86_400),
                    order,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn requests_round_trip(request in request()) {
        let json = serde_json::to_vec(&request).unwrap();
        prop_assert_eq!(Request::parse(&json).unwrap(), request);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Request::parse(&bytes).is_err());
    }
}

fn sound() -> Value {
    json!({
        "audience": { "account": "123456789012", "region": "us-east-1", "zone": "prod", "enclave_id": "e-1" },
        "tenant": "acme",
        "request_id": "0197e1c5-6b80-7000-8000-000000000001",
        "issued_at": "2026-06-01T12:00:00Z",
        "expires_at": "2026-06-01T12:05:00Z",
        "certificate_sha256": "00".repeat(32),
        "mode": "apply",
        "order": {
            "action": "provision_hosts", "application": "acme.shop.default", "cluster": "content", "count": 3,
            "instance_types": ["m7g.large"], "image": "ami-0123456789abcdef0",
        },
    })
}

fn refused(pointer: &str, value: Value) -> (Code, String) {
    let mut request = sound();
    *request.pointer_mut(pointer).unwrap() = value;
    let error = Request::parse(request.to_string().as_bytes()).unwrap_err();
    (error.code, error.message)
}

#[test]
fn bounds_are_inclusive_and_named() {
    assert!(Request::parse(sound().to_string().as_bytes()).is_ok());
    for (pointer, value, needle) in [
        ("/order/count", json!(0), "count must be 1 to 1000, got 0"),
        ("/order/count", json!(1001), "got 1001"),
        ("/order/instance_types", json!([]), "instance_types must be 1 to 16, got 0"),
        ("/order/instance_types", json!(["m7g.large", "m7g.large"]), "named twice"),
        ("/request_id", json!(Uuid::nil()), "is not a UUIDv7"),
    ] {
        let (code, message) = refused(pointer, value);
        assert_eq!(code, Code::InvalidRequest);
        assert!(message.contains(needle), "{message}");
    }
    let sized = json!({"vcpu": 4, "memory_gib": 16, "disk_gb": 100, "architecture": "x86_64"});
    let mut request = sound();
    request["order"]["resources"] = sized.clone();
    let error = Request::parse(request.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.message, "instance_types and resources: name one of them");
    request["order"].as_object_mut().unwrap().remove("instance_types");
    assert!(Request::parse(request.to_string().as_bytes()).is_ok());
    for (field, bad) in [("vcpu", 0), ("vcpu", 1025), ("memory_gib", 0), ("disk_gb", 1_000_001)] {
        request["order"]["resources"] = sized.clone();
        request["order"]["resources"][field] = json!(bad);
        let error = Request::parse(request.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code, Code::InvalidRequest);
        assert!(error.message.starts_with(field), "{}", error.message);
    }
    let mut deadline = sound();
    deadline["deadline_seconds"] = json!(0);
    assert_eq!(Request::parse(deadline.to_string().as_bytes()).unwrap_err().code, Code::InvalidRequest);
}

#[test]
fn a_rebuild_names_each_host_once_and_one_to_a_hundred_at_a_time() {
    let of = |hosts: Value, at_a_time: Value| {
        let mut request = sound();
        request["order"] = json!({
            "action": "rebuild_hosts", "application": "acme.shop.default", "cluster": "content",
            "host_ids": hosts, "image": "ami-0123456789abcdef0", "at_a_time": at_a_time,
        });
        Request::parse(request.to_string().as_bytes())
    };
    let host = |number: usize| format!("i-{number:017x}");
    let hosts = |count: usize| json!((0..count).map(host).collect::<Vec<_>>());
    for (count, at_a_time) in [(1, json!(1)), (1000, json!(100)), (1, json!(null))] {
        assert!(of(hosts(count), at_a_time).is_ok(), "{count}");
    }
    for (hosts, at_a_time, needle) in [
        (hosts(0), json!(1), "host_ids must be 1 to 1000, got 0"),
        (hosts(1001), json!(1), "host_ids must be 1 to 1000, got 1001"),
        (json!([host(1), host(1)]), json!(1), "named twice"),
        (hosts(1), json!(0), "at_a_time must be 1 to 100, got 0"),
        (hosts(1), json!(101), "at_a_time must be 1 to 100, got 101"),
    ] {
        let error = of(hosts, at_a_time).unwrap_err();
        assert_eq!(error.code, Code::InvalidRequest);
        assert!(error.message.contains(needle), "{}", error.message);
    }
    let Order::RebuildHosts(order) = of(hosts(1), json!(null)).unwrap().order else { panic!() };
    assert_eq!(order.at_a_time(), 1, "one at a time where nothing is said");
}

#[test]
fn shapes_are_strict_and_named() {
    let mut unknown = sound();
    unknown["order"]["user_data"] = json!("#!/bin/sh");
    let error = Request::parse(unknown.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.code, Code::MalformedRequest);
    assert!(error.message.contains("user_data"), "{}", error.message);

    let (code, message) = refused("/order/action", json!("terminate_everything"));
    assert_eq!(code, Code::UnknownAction);
    assert!(message.contains("terminate_everything"), "{message}");

    for (pointer, value) in [
        ("/order/count", json!(-1)),
        ("/order/count", json!(1.5)),
        ("/order/image", json!("ubuntu")),
        ("/order/application", json!("acme.shop")),
        ("/mode", json!("dry-run")),
        ("/audience", json!("here")),
    ] {
        assert_eq!(refused(pointer, value).0, Code::MalformedRequest, "{pointer}");
    }
    assert_eq!(Request::parse("[".repeat(17).as_bytes()).unwrap_err().code, Code::NestedTooDeep);
}

/// A balancer's order with everything in it, with one value changed.
fn balancing(pointer: &str, value: Value) -> Result<Request, enclave_protocol::request::RequestError> {
    let mut request = sound();
    request["order"] = json!({
        "action": "configure_load_balancer", "application": "acme.shop.default", "cluster": "content",
        "endpoints": [{ "port": 443, "protocol": "tls", "target_port": 8443 }], "scheme": "private",
        "targets": ["i-0123456789abcdef0"],
        "private_link": { "allowed_principals": ["arn:aws:iam::123456789012:root"], "acceptance_required": false },
        "health_check": {
            "protocol": "http", "port": 8080, "path": "/ok", "interval_seconds": 10, "timeout_seconds": 10,
            "healthy_threshold": 2, "unhealthy_threshold": 10,
        },
        "deregistration_delay_seconds": 3600, "idle_timeout_seconds": 60, "cross_zone": false,
    });
    *request.pointer_mut(pointer).unwrap() = value;
    Request::parse(request.to_string().as_bytes())
}

#[test]
fn a_balancers_bounds_are_inclusive_and_named() {
    for (pointer, value) in [
        ("/order/cross_zone", json!(true)),
        ("/order/deregistration_delay_seconds", json!(0)),
        ("/order/idle_timeout_seconds", json!(6000)),
        ("/order/health_check/timeout_seconds", json!(2)),
        ("/order/health_check/interval_seconds", json!(300)),
    ] {
        assert!(balancing(pointer, value).is_ok(), "{pointer}");
    }
    let principal = |number: usize| format!("arn:aws:iam::{number:012}:root");
    let principals: Vec<String> = (0..51).map(principal).collect();
    let link = "/order/private_link/allowed_principals";
    assert!(balancing(link, json!(principals[..50])).is_ok());
    for (pointer, value, needle) in [
        (link, json!([]), "private_link.allowed_principals must be 1 to 50, got 0"),
        (link, json!(principals), "got 51"),
        (link, json!([principal(7), principal(7)]), "named twice"),
        ("/order/deregistration_delay_seconds", json!(3601), "0 to 3600, got 3601"),
        ("/order/idle_timeout_seconds", json!(59), "60 to 6000, got 59"),
        ("/order/idle_timeout_seconds", json!(6001), "got 6001"),
        ("/order/health_check/interval_seconds", json!(4), "5 to 300, got 4"),
        ("/order/health_check/interval_seconds", json!(301), "got 301"),
        ("/order/health_check/timeout_seconds", json!(1), "2 to 120, got 1"),
        ("/order/health_check/timeout_seconds", json!(11), "at most the interval of 10, got 11"),
        ("/order/health_check/healthy_threshold", json!(1), "2 to 10, got 1"),
        ("/order/health_check/unhealthy_threshold", json!(11), "2 to 10, got 11"),
        ("/order/health_check/port", json!(0), "health_check.port must be 1 to 65535, got 0"),
        ("/order/health_check/protocol", json!("tcp"), "path is for http and https, got /ok with tcp"),
    ] {
        let error = balancing(pointer, value).unwrap_err();
        assert_eq!(error.code, Code::InvalidRequest, "{pointer}");
        assert!(error.message.contains(needle), "{}", error.message);
    }
}

#[test]
fn everybody_is_no_principal_and_what_aws_would_not_take_is_named() {
    for (pointer, value, needle) in [
        ("/order/private_link/allowed_principals", json!(["*"]), "\"*\""),
        ("/order/private_link/allowed_principals", json!(["arn:aws:iam::*:root"]), "arn:aws:iam::*:root"),
        ("/order/private_link", json!({}), "allowed_principals"),
        ("/order/private_link/acceptance_required", json!("no"), "\"no\""),
        ("/order/health_check/path", json!("ok"), "\"ok\""),
        ("/order/health_check/protocol", json!("udp"), "`udp`"),
        ("/order/endpoints/0/protocol", json!("udp"), "`udp`"),
        ("/order/scheme", json!("internal"), "`internal`"),
        ("/order/health_check/interval_seconds", json!(-1), "-1"),
    ] {
        let error = balancing(pointer, value).unwrap_err();
        assert_eq!(error.code, Code::MalformedRequest, "{pointer}");
        assert!(error.message.contains(needle), "{}", error.message);
    }
}
