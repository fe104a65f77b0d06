//! The foundation, as anybody sees it who asks AWS.

use std::os::unix::fs::PermissionsExt;

use aws_sdk_ec2::types::{
    Filter, LaunchTemplateHttpTokensState, LaunchTemplateInstanceMetadataProtocolIpv6,
    LaunchTemplateSpecification, ResponseLaunchTemplateData,
};
use aws_sdk_s3::types::ServerSideEncryption;
use aws_sdk_sqs::types::QueueAttributeName;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use enclave_core::foundation::{Foundation, ZONE_KEY};
use enclave_gate::rules::{GATE_KEY, Gate, Role};
use enclave_tests::enclave::{LocalEnclave, Options};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::support::{echo_options, start};

async fn object<T: DeserializeOwned>(enclave: &LocalEnclave, key: &str) -> T {
    let get = enclave.clients().s3.get_object().bucket(&enclave.made().buckets.tenant).key(key);
    let body = get.send().await.unwrap().body.collect().await.unwrap();
    serde_json::from_slice(&body.into_bytes()).unwrap()
}

fn vpc(enclave: &LocalEnclave) -> Filter {
    Filter::builder().name("vpc-id").values(&enclave.made().network.vpc_id).build()
}

#[tokio::test]
async fn the_foundation_is_what_its_objects_say() {
    let enclave = start(Options { max_hosts: 7, ..echo_options() }).await;
    the_objects(&enclave).await;
    the_network(&enclave).await;
    the_groups(&enclave).await;
    the_templates(&enclave).await;
    the_stores(&enclave).await;
    the_queues(&enclave).await;
    a_host(&enclave).await;
    enclave.shutdown().await;
}

async fn the_objects(enclave: &LocalEnclave) {
    let foundation: Foundation = object(enclave, ZONE_KEY).await;
    assert_eq!(foundation, enclave.made().foundation);
    assert_eq!(foundation.audience.zone, "dev.aws-us-east-1");
    assert_eq!(foundation.audience.account, "123456789012");
    assert_eq!(foundation.availability_zones.len(), 2);
    assert_eq!(foundation.tenant.as_str(), "acme");

    let gate: Gate = object(enclave, GATE_KEY).await;
    assert_eq!(gate, enclave.made().gate);
    assert_eq!(gate.limits.max_hosts, 7);
    assert_eq!(gate.trust_roots[0].certificate, STANDARD.encode(enclave.operator_root().certificate_der()));
    assert_eq!(gate.identities[0].role, Role::Operator);
    assert_eq!(gate.identities[0].identity, "spiffe://operator.example/configserver/dev.aws-us-east-1");

    let ready = enclave.ready().unwrap();
    let mode = std::fs::metadata(&ready.operator_key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&ready.operator_certificate).unwrap(), enclave.operator().chain_pem());
}

async fn the_network(enclave: &LocalEnclave) {
    let ec2 = &enclave.clients().ec2;
    let network = &enclave.made().network;
    let subnets = ec2.describe_subnets().filters(vpc(enclave)).send().await.unwrap();
    assert_eq!(subnets.subnets().len(), 4);
    for subnet in subnets.subnets() {
        assert_eq!(subnet.ipv6_cidr_block_association_set().len(), 1);
        assert_eq!(subnet.map_public_ip_on_launch(), Some(false));
    }
    let tables = ec2.describe_route_tables().filters(vpc(enclave)).send().await.unwrap();
    let routes_of = |subnet: &str| {
        let table = tables.route_tables().iter().find(|table| {
            table.associations().iter().any(|association| association.subnet_id() == Some(subnet))
        });
        table.unwrap().routes().to_vec()
    };
    for subnets in network.subnets.values() {
        let hosts = routes_of(&subnets.host);
        assert!(hosts.iter().all(|route| !route.gateway_id().unwrap_or_default().starts_with("igw-")));
        assert!(hosts.iter().all(|route| route.destination_cidr_block() != Some("0.0.0.0/0")));
        let out = hosts.iter().find(|route| route.destination_ipv6_cidr_block() == Some("::/0")).unwrap();
        assert!(out.egress_only_internet_gateway_id().unwrap().starts_with("eigw-"));
        let balancers = routes_of(&subnets.balancer);
        assert_eq!(
            balancers
                .iter()
                .filter(|route| route.gateway_id().is_some_and(|id| id.starts_with("igw-")))
                .count(),
            2
        );
    }
}

async fn the_groups(enclave: &LocalEnclave) {
    let network = &enclave.made().network;
    let (hosts, balancers) = (&network.host_security_group_id, &network.balancer_security_group_id);
    let describe = enclave.clients().ec2.describe_security_groups().group_ids(hosts);
    let known = describe.send().await.unwrap();
    let group = &known.security_groups()[0];
    let mut admitted: Vec<&str> = Vec::new();
    for permission in group.ip_permissions() {
        assert!(permission.ip_ranges().is_empty() && permission.ipv6_ranges().is_empty());
        admitted.extend(permission.user_id_group_pairs().iter().filter_map(|pair| pair.group_id()));
    }
    admitted.sort_unstable();
    let mut wanted = [hosts.as_str(), balancers.as_str()];
    wanted.sort_unstable();
    assert_eq!(admitted, wanted);
    for permission in group.ip_permissions_egress() {
        assert!(permission.ip_ranges().is_empty());
    }
}

async fn the_templates(enclave: &LocalEnclave) {
    let made = enclave.made();
    for (zone, template) in &made.hosts.launch_templates {
        let describe =
            enclave.clients().ec2.describe_launch_template_versions().launch_template_id(&template.id);
        let known = describe.versions(template.version.to_string()).send().await.unwrap();
        let version = &known.launch_template_versions()[0];
        assert_eq!(version.version_number(), Some(1));
        the_template(enclave, version.launch_template_data().unwrap(), &made.network.subnets[zone].host);
    }
}

fn the_template(enclave: &LocalEnclave, data: &ResponseLaunchTemplateData, subnet: &str) {
    let made = enclave.made();
    let interface = &data.network_interfaces()[0];
    assert_eq!(interface.subnet_id(), Some(subnet));
    assert_eq!(interface.groups(), std::slice::from_ref(&made.network.host_security_group_id));
    assert_eq!(interface.ipv6_address_count(), Some(1));
    assert_eq!(interface.primary_ipv6(), Some(true));
    assert_eq!(interface.associate_public_ip_address(), Some(false));
    assert_eq!(interface.delete_on_termination(), Some(true));
    let metadata = data.metadata_options().unwrap();
    assert_eq!(metadata.http_tokens(), Some(&LaunchTemplateHttpTokensState::Required));
    assert_eq!(metadata.http_put_response_hop_limit(), Some(1));
    assert_eq!(metadata.http_protocol_ipv6(), Some(&LaunchTemplateInstanceMetadataProtocolIpv6::Enabled));
    assert_eq!(data.iam_instance_profile().unwrap().arn(), Some(made.hosts.instance_profile_arn.as_str()));
    let volume = data.block_device_mappings()[0].ebs().unwrap();
    assert_eq!((volume.encrypted(), volume.kms_key_id()), (Some(true), Some(made.keys.volumes.as_str())));
    let user_data = STANDARD.decode(data.user_data().unwrap()).unwrap();
    assert_eq!(hex::encode(Sha256::digest(&user_data)), made.hosts.user_data_sha256);
    assert!(user_data.starts_with(b"#cloud-config\n"));
}

async fn the_stores(enclave: &LocalEnclave) {
    let (buckets, keys) = (&enclave.made().buckets, &enclave.made().keys);
    let all = [&buckets.tenant, &buckets.state, &buckets.audit, &buckets.archive];
    for (bucket, key) in all.into_iter().zip([&keys.state, &keys.state, &keys.state, &keys.archive]) {
        let s3 = &enclave.clients().s3;
        // What versioning does, and not what GetBucketVersioning says: moto wraps that answer in a foreign element.
        let put =
            s3.put_object().bucket(bucket).key("versioned").body(b"1".to_vec().into()).send().await.unwrap();
        assert!(put.version_id().is_some_and(|version| version != "null"), "{bucket}");
        let encryption = s3.get_bucket_encryption().bucket(bucket).send().await.unwrap();
        let rule = &encryption.server_side_encryption_configuration().unwrap().rules()[0];
        let default = rule.apply_server_side_encryption_by_default().unwrap();
        assert_eq!(default.sse_algorithm(), &ServerSideEncryption::AwsKms);
        assert_eq!(default.kms_master_key_id(), Some(key.as_str()));
    }
}

async fn the_queues(enclave: &LocalEnclave) {
    let (queues, keys) = (&enclave.made().queues, &enclave.made().keys);
    assert!(queues.requests.url.ends_with("/dev-aws-us-east-1-requests.fifo"));
    assert!(queues.results.url.ends_with("/dev-aws-us-east-1-results.fifo"));
    for (queue, dead, receives) in [
        (&queues.requests, &queues.requests_dead_letters, 5),
        (&queues.results, &queues.results_dead_letters, 1000),
    ] {
        for queue in [queue, dead] {
            let attributes = attributes(enclave, &queue.url).await;
            assert_eq!(attributes[&QueueAttributeName::FifoQueue], "true");
            assert_eq!(attributes[&QueueAttributeName::KmsMasterKeyId], keys.queues);
        }
        let redrive = &attributes(enclave, &queue.url).await[&QueueAttributeName::RedrivePolicy];
        let redrive: serde_json::Value = serde_json::from_str(redrive).unwrap();
        assert_eq!(redrive["deadLetterTargetArn"], dead.arn.as_str());
        assert_eq!(redrive["maxReceiveCount"], receives);
    }
    let requests = attributes(enclave, &queues.requests.url).await;
    assert_eq!(requests[&QueueAttributeName::ContentBasedDeduplication], "true");
    assert_eq!(requests[&QueueAttributeName::VisibilityTimeout], "35");
}

async fn attributes(
    enclave: &LocalEnclave,
    url: &str,
) -> std::collections::HashMap<QueueAttributeName, String> {
    let get =
        enclave.clients().sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    get.send().await.unwrap().attributes.unwrap()
}

/// What the template is for: a host that keeps the promises although the launch names only image and type.
async fn a_host(enclave: &LocalEnclave) {
    let (ec2, made) = (&enclave.clients().ec2, enclave.made());
    assert_eq!(ec2.describe_volumes().send().await.unwrap().volumes().len(), 0);
    let (zone, template) = made.hosts.launch_templates.iter().next().unwrap();
    let version = template.version.to_string();
    let template =
        LaunchTemplateSpecification::builder().launch_template_id(&template.id).version(version).build();
    let run = ec2.run_instances().launch_template(template).image_id(made.hosts.images[1].as_str());
    let run = run.instance_type("m7g.large".into()).min_count(1).max_count(1).send().await.unwrap();
    let instance = &run.instances()[0];
    assert_eq!(instance.subnet_id(), Some(made.network.subnets[zone].host.as_str()));
    let describe = ec2.describe_instances().instance_ids(instance.instance_id().unwrap());
    let known = describe.send().await.unwrap();
    let instance = &known.reservations()[0].instances()[0];
    assert!(instance.ipv6_address().is_some_and(|address| address.contains(':')));
    assert_eq!(instance.public_ip_address(), None);
    let volumes = ec2.describe_volumes().send().await.unwrap();
    assert_eq!(volumes.volumes().len(), 1);
    assert_eq!(volumes.volumes()[0].kms_key_id(), Some(made.keys.volumes.as_str()));
}
