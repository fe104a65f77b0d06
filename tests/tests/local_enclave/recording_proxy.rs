//! What the recording proxy passes on, and what it writes down.

use aws_sdk_ec2::types::Filter;
use aws_sdk_s3::error::ProvideErrorMetadata;
use enclave_tests::aws::Clients;
use enclave_tests::recording_proxy::{Call, Fault, Rule};

use crate::support::{echo_options, start};

#[tokio::test]
async fn calls_pass_unchanged_and_are_recorded_with_name_parameters_and_error() {
    let enclave = start(echo_options()).await;
    let recorded = Clients::new(&enclave.recorded_endpoint());
    let made = enclave.made();

    let filter = Filter::builder().name("vpc-id").values(&made.network.vpc_id).build();
    let subnets = recorded.ec2.describe_subnets().filters(filter).send().await.unwrap();
    assert_eq!(subnets.subnets().len(), 4);
    let refused =
        recorded.ec2.describe_instances().instance_ids("i-0123456789abcdef0").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidInstanceID.NotFound"));

    let (bucket, key) = (&made.buckets.state, "state/v1/a b+c/ü.json");
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let put =
        || recorded.s3.put_object().bucket(bucket).key(key).if_none_match("*").body(body.clone().into());
    put().send().await.unwrap();
    let again = put().send().await.unwrap_err();
    assert_eq!(again.code(), Some("PreconditionFailed"));
    let read = recorded.s3.get_object().bucket(bucket).key(key).send().await.unwrap();
    assert_eq!(read.body.collect().await.unwrap().to_vec(), body);
    recorded.s3.head_object().bucket(bucket).key(key).send().await.unwrap();
    recorded.s3.list_objects_v2().bucket(bucket).prefix("state/").send().await.unwrap();

    let results = recorded.sqs.send_message().queue_url(&made.queues.results.url).message_body("reply");
    results.message_group_id("group").message_deduplication_id("once").send().await.unwrap();
    recorded.elbv2.describe_load_balancers().page_size(7).send().await.unwrap();

    let calls = enclave.calls();
    let seen: Vec<(&str, &str, u16, Option<&str>)> = calls
        .iter()
        .map(|call| (call.service.as_str(), call.action.as_str(), call.status, call.error.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            ("ec2", "DescribeSubnets", 200, None),
            ("ec2", "DescribeInstances", 400, Some("InvalidInstanceID.NotFound")),
            ("s3", "PutObject", 200, None),
            ("s3", "PutObject", 412, Some("PreconditionFailed")),
            ("s3", "GetObject", 200, None),
            // A HEAD has no body that could carry a code.
            ("s3", "HeadObject", 200, None),
            ("s3", "ListObjectsV2", 200, None),
            ("sqs", "SendMessage", 200, None),
            ("elasticloadbalancing", "DescribeLoadBalancers", 200, None),
        ]
    );
    assert!(calls.windows(2).all(|pair| pair[0].sequence + 1 == pair[1].sequence));
    assert_eq!(calls[0].parameter("Filter.1.Value.1"), made.network.vpc_id);
    assert_eq!((calls[2].parameter("bucket"), calls[2].parameter("key")), (bucket.as_str(), key));
    assert_eq!(calls[2].parameter("if_none_match"), "*");
    assert_eq!(calls[6].parameter("prefix"), "state/");
    assert_eq!(calls[7].parameter("MessageGroupId"), "group");
    assert_eq!(calls[8].parameter("PageSize"), "7");

    let log = std::fs::read_to_string(enclave.ready().unwrap().calls_log).unwrap();
    let written: Vec<Call> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(written, calls);
    enclave.forget_calls();
    assert_eq!(enclave.calls(), []);
    enclave.shutdown().await;
}

#[tokio::test]
async fn a_refusal_inside_a_success_strikes_only_calls_whose_api_answers_so() {
    let enclave = start(echo_options()).await;
    let recorded = Clients::new(&enclave.recorded_endpoint());
    let inside = Rule { action: None, ..Rule::always("", Fault::RefuseItems("RequestLimitExceeded")) };
    enclave.proxy().script(vec![inside]);
    assert!(!recorded.ec2.describe_subnets().send().await.unwrap().subnets().is_empty());
    let ids = ["vpce-svc-00000000000000001", "vpce-svc-00000000000000002"];
    let delete = recorded.ec2.delete_vpc_endpoint_service_configurations();
    let answer = delete.set_service_ids(Some(ids.map(str::to_owned).into())).send().await.unwrap();
    let refused: Vec<(Option<&str>, Option<&str>)> = answer
        .unsuccessful()
        .iter()
        .map(|item| (item.resource_id(), item.error().and_then(|error| error.code())))
        .collect();
    assert_eq!(refused, ids.map(|id| (Some(id), Some("RequestLimitExceeded"))));
    let struck = enclave.proxy().take_struck();
    assert_eq!(struck.len(), 1, "{struck:?}");
    enclave.shutdown().await;
}
