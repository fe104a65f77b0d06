//! What the tests of the pure parts share: one enclave, one signed order, one ledger record.

use std::collections::{BTreeMap, BTreeSet};

use enclave_core::aws::{AwsFailure, ErrorClass};
use enclave_core::creation::{
    Answer, CreateTargetGroup, Creation, HostBefore, Pool, ReplaceRootVolume, RunInstances, StoredCall,
    client_token, rebuild_token,
};
use enclave_core::foundation::{Foundation, ZoneFoundation};
use enclave_core::ledger::{HostProgress, HostStage, RequestRecord};
use enclave_core::reconcile::{
    BalancerState, DesiredLoadBalancer, EndpointServiceState, InstanceState, Observed, ObservedBalancing,
    ObservedEndpointService, ObservedHost, ObservedLoadBalancer, Reading,
};
use enclave_core::tags::Owner;
use enclave_protocol::names::{HostId, ImageId};
use enclave_protocol::request::{
    Audience, ConfigureLoadBalancer, DeprovisionHosts, Endpoint, EndpointProtocol, Mode, Order,
    ProvisionHosts, RebuildHosts, RemoveLoadBalancer, Request, Scheme,
};
use jiff::Timestamp;
use uuid::Uuid;

/// When the tests' requests are claimed.
pub(crate) const CLAIMED: i64 = 1_800_000_000;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn host(number: u32) -> HostId {
    format!("i-{number:017x}").parse().unwrap()
}

pub(crate) fn image() -> ImageId {
    "ami-0123456789abcdef0".parse().unwrap()
}

pub(crate) fn pool(instance_type: &str, zone: &str) -> Pool {
    Pool { instance_type: instance_type.parse().unwrap(), availability_zone: zone.parse().unwrap() }
}

pub(crate) fn owner() -> Owner {
    Owner { application: "acme.shop.default".parse().unwrap(), cluster: "content".parse().unwrap() }
}

pub(crate) fn foundation() -> Foundation {
    let zone = |suffix: &str, launch_template_version| ZoneFoundation {
        host_subnet_id: format!("subnet-{suffix}"),
        balancer_subnet_id: format!("subnet-lb-{suffix}"),
        launch_template_id: format!("lt-{suffix}"),
        launch_template_version,
        user_data_sha256: "user-data".to_owned(),
        root_volume_gib: 50,
    };
    Foundation {
        schema: 1,
        tenant: "acme".parse().unwrap(),
        audience: Audience {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            zone: "test.aws-us-east-1a".to_owned(),
            enclave_id: "e-1".to_owned(),
        },
        vpc_id: "vpc-1".to_owned(),
        host_security_group_id: "sg-hosts".to_owned(),
        balancer_security_group_id: "sg-balancers".to_owned(),
        instance_profile_arn: "arn:profile".to_owned(),
        volume_kms_key_arn: "arn:key".to_owned(),
        availability_zones: BTreeMap::from([
            ("us-east-1a".parse().unwrap(), zone("a", 7)),
            ("us-east-1b".parse().unwrap(), zone("b", 9)),
        ]),
        images: vec![image()],
    }
}

pub(crate) fn request(order: Order) -> Request {
    Request {
        audience: foundation().audience,
        tenant: "acme".parse().unwrap(),
        request_id: id(1),
        issued_at: at(CLAIMED - 10),
        expires_at: at(CLAIMED + 890),
        certificate_sha256: "cc".to_owned(),
        mode: Mode::Apply,
        deadline_seconds: None,
        order,
    }
}

pub(crate) fn provision(count: u32) -> Order {
    Order::ProvisionHosts(ProvisionHosts {
        application: owner().application,
        cluster: owner().cluster,
        count,
        instance_types: vec!["m7g.large".parse().unwrap(), "m6g.large".parse().unwrap()],
        resources: None,
        image: image(),
        availability_zones: None,
    })
}

pub(crate) fn deprovision(hosts: &[u32]) -> Order {
    Order::DeprovisionHosts(DeprovisionHosts {
        application: owner().application,
        cluster: owner().cluster,
        host_ids: hosts.iter().copied().map(host).collect(),
    })
}

/// These hosts from the one image, so many at a time.
pub(crate) fn rebuild(hosts: &[u32], at_a_time: u32) -> Order {
    Order::RebuildHosts(RebuildHosts {
        application: owner().application,
        cluster: owner().cluster,
        host_ids: hosts.iter().copied().map(host).collect(),
        image: image(),
        at_a_time: Some(at_a_time),
    })
}

pub(crate) fn configure() -> Order {
    let endpoint = Endpoint { port: 443, protocol: EndpointProtocol::Tcp, target_port: 8080 };
    Order::ConfigureLoadBalancer(ConfigureLoadBalancer::new(
        owner().application,
        owner().cluster,
        Scheme::Public,
        vec![endpoint],
        vec![host(1)],
    ))
}

/// What an order for a balancer wants.
pub(crate) fn desired_of(order: Order) -> DesiredLoadBalancer {
    let Order::ConfigureLoadBalancer(order) = order else { panic!("{order:?}") };
    crate::desired::desired_load_balancer(&order, &foundation())
}

/// An active balancer of the owner without a listener.
pub(crate) fn observed_balancer() -> ObservedLoadBalancer {
    ObservedLoadBalancer {
        arn: "arn:balancer".to_owned(),
        dns_name: "dns".to_owned(),
        state: BalancerState::Active,
        scheme: Some(Scheme::Public),
        owner: Some(owner()),
        listeners: BTreeMap::new(),
        settings: None,
        security: None,
    }
}

/// An available endpoint service before a balancer of the owner.
pub(crate) fn observed_service(balancer: &str) -> ObservedEndpointService {
    ObservedEndpointService {
        service_name: "com.amazonaws.vpce.us-east-1.vpce-svc-1".to_owned(),
        state: EndpointServiceState::Available,
        owner: Some(owner()),
        balancer: Some(balancer.to_owned()),
        acceptance_required: true,
        ip_address_types: ["ipv4", "ipv6"].map(str::to_owned).into(),
        allowed_principals: ["arn:aws:iam::111122223333:root".to_owned()].into(),
        connections: BTreeMap::new(),
    }
}

pub(crate) fn remove() -> Order {
    Order::RemoveLoadBalancer(RemoveLoadBalancer {
        application: owner().application,
        cluster: owner().cluster,
        name: None,
    })
}

pub(crate) fn record() -> RequestRecord {
    RequestRecord {
        envelope: "{}".to_owned(),
        envelope_sha256: "ee".to_owned(),
        sent_at: at(CLAIMED - 1),
        claimed_at: at(CLAIMED),
        deadline_at: at(CLAIMED + 1800),
        accepted: true,
        calls: Vec::new(),
        instance_types: Vec::new(),
        closed_pools: Vec::new(),
        hosts: BTreeMap::new(),
        events: Vec::new(),
        replies: Vec::new(),
        finished: false,
    }
}

/// A record with hosts 1, 2, … at these stages since the claim.
pub(crate) fn with_hosts(stages: &[HostStage]) -> RequestRecord {
    let mut record = record();
    let progress = |stage: &HostStage| HostProgress { stage: *stage, since: at(CLAIMED), fault: None };
    record.hosts = (1..).zip(stages).map(|(number, stage)| (host(number), progress(stage))).collect();
    record
}

/// A launch of `max_count` hosts from a pool, with its answer.
pub(crate) fn launch(pool: Pool, max_count: u32, answer: Option<Answer>) -> StoredCall {
    let creation = Creation::RunInstances(RunInstances {
        client_token: client_token(id(1), 0, &pool),
        pool,
        launch_template_id: "lt-a".to_owned(),
        launch_template_version: 7,
        image: image(),
        max_count,
        tags: BTreeMap::new(),
    });
    StoredCall { creation, decided_at: at(CLAIMED), tries: 0, answer }
}

/// The call that replaces a host's root volume, with its answer.
pub(crate) fn rebuild_call(number: u32, answer: Option<Answer>) -> StoredCall {
    let creation = Creation::CreateReplaceRootVolumeTask(ReplaceRootVolume {
        client_token: rebuild_token(id(1), 0, &host(number)),
        host: host(number),
        image: image(),
        tags: BTreeMap::new(),
        before: HostBefore {
            root_volume_id: "vol-old".to_owned(),
            root_volume_type: "gp3".to_owned(),
            root_volume_goes_with_host: true,
            launch_template: None,
            user_data_sha256: "user-data".to_owned(),
        },
    });
    StoredCall { creation, decided_at: at(CLAIMED), tries: 0, answer }
}

pub(crate) fn target_group_call(answer: Option<Answer>) -> StoredCall {
    let creation = Creation::CreateTargetGroup(CreateTargetGroup {
        name: "group".to_owned(),
        port: 8080,
        vpc_id: "vpc-1".to_owned(),
        tags: BTreeMap::new(),
    });
    StoredCall { creation, decided_at: at(CLAIMED), tries: 0, answer }
}

/// An answer as a call holds it.
#[expect(clippy::unnecessary_wraps)]
pub(crate) fn launched(hosts: &[u32], second: i64) -> Option<Answer> {
    Some(Answer::Launched { hosts: hosts.iter().copied().map(host).collect(), at: at(second) })
}

/// An answer as a call holds it.
#[expect(clippy::unnecessary_wraps)]
pub(crate) fn refused(class: ErrorClass, second: i64) -> Option<Answer> {
    let (call, code, message) = ("Call".to_owned(), "Code".to_owned(), "no".to_owned());
    Some(Answer::Refused { failure: AwsFailure { call, class, code, message }, at: at(second) })
}

pub(crate) fn observed_host(state: InstanceState, request: u128) -> ObservedHost {
    ObservedHost {
        state,
        owner: owner(),
        request_id: id(request),
        client_token: String::new(),
        instance_type: "m7g.large".parse().unwrap(),
        availability_zone: "us-east-1a".parse().unwrap(),
        image: image(),
        launched_at: at(CLAIMED),
        subnet_id: String::new(),
        security_group_ids: BTreeSet::new(),
        instance_profile_arn: None,
        public_ipv4: None,
        primary_ipv6: Some("2001:db8::1".parse().unwrap()),
        interfaces: 1,
        imds_token_required: true,
        launch_template: None,
        key_pair: None,
        volume_ids: Vec::new(),
        root_volume_id: None,
        spot_request: None,
        state_reason: None,
    }
}

/// Hosts 1, 2, … of request 1 in these states; none is not seen.
pub(crate) fn in_states(states: &[Option<InstanceState>]) -> BTreeMap<HostId, ObservedHost> {
    let seen = |(number, state): (u32, &Option<InstanceState>)| {
        state.map(|state| (host(number), observed_host(state, 1)))
    };
    (1..).zip(states).filter_map(seen).collect()
}

pub(crate) fn seen(hosts: BTreeMap<HostId, ObservedHost>) -> Observed {
    Observed {
        hosts: Reading::Known(hosts),
        balancing: Reading::Known(ObservedBalancing::default()),
        root_volume_tasks: Reading::Known(BTreeMap::new()),
    }
}
