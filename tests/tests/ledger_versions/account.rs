//! The account as a version left it: its calls made once more, on the foundation of a new enclave.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use enclave_core::foundation::ZONE_KEY;
use enclave_gate::rules::GATE_KEY;
use enclave_tests::enclave::LocalEnclave;
use enclave_tests::operator_ca::TRUST_DOMAIN;
use enclave_tests::wait::until;
use serde_json::{Value, json};

use crate::fixture::{Change, Fixture, Names, filled};

/// The emulator gives what is made these ids (`tests/emulator/enclave_emulator/ec2_given_ids.py`).
const GIVEN_IDS: &str = "x-emulator-ids";

/// What stands for an id that an account draws and that nothing signed or hashed names.
pub(crate) fn foundation_names(enclave: &LocalEnclave) -> Names {
    let made = enclave.made();
    let foundation = &made.foundation;
    let mut names = Names::from([
        ("{{vpc}}".to_owned(), foundation.vpc_id.clone()),
        ("{{host security group}}".to_owned(), foundation.host_security_group_id.clone()),
        ("{{instance profile}}".to_owned(), foundation.instance_profile_arn.clone()),
        ("{{volume key}}".to_owned(), foundation.volume_kms_key_arn.clone()),
    ]);
    for (zone, of) in &foundation.availability_zones {
        names.insert(format!("{{{{host subnet in {zone}}}}}"), of.host_subnet_id.clone());
        names.insert(format!("{{{{balancer subnet in {zone}}}}}"), of.balancer_subnet_id.clone());
        names.insert(format!("{{{{launch template in {zone}}}}}"), of.launch_template_id.clone());
    }
    names
}

/// Gives a new enclave the identity of the fixture's, trust in its root, and what its calls made; all placeholders.
pub(crate) async fn restore(enclave: &LocalEnclave, fixture: &Fixture) -> Result<Names> {
    make_what_was_signed(enclave, fixture).await?;
    let mut names = foundation_names(enclave);
    for change in &fixture.changes {
        make(enclave, change, &mut names).await.with_context(|| format!("{change:?}"))?;
    }
    Ok(names)
}

/// The image, the security group, and the tenant's two objects that name them.
async fn make_what_was_signed(enclave: &LocalEnclave, fixture: &Fixture) -> Result<()> {
    let (scene, made) = (&fixture.scene, enclave.made());
    let ec2 = &enclave.clients().ec2;
    let known = ec2.describe_images().image_ids(made.hosts.images[0].as_str()).send().await?;
    let known = known.images().first().context("the enclave's image")?;
    let image = scene.image.clone();
    let registered = ec2
        .register_image()
        .name("fixture")
        .set_architecture(known.architecture().cloned())
        .virtualization_type("hvm")
        .set_root_device_name(known.root_device_name().map(str::to_owned))
        .set_block_device_mappings(Some(known.block_device_mappings().to_vec()))
        .customize()
        .mutate_request(move |request| _ = request.headers_mut().insert(GIVEN_IDS, image.clone()))
        .send()
        .await?;
    ensure!(registered.image_id() == Some(&scene.image), "the emulator gives no ids");
    let group = scene.balancer_security_group.clone();
    let create = ec2.create_security_group().vpc_id(&made.network.vpc_id).group_name("fixture");
    let created = create
        .description("of the fixture")
        .customize()
        .mutate_request(move |request| _ = request.headers_mut().insert(GIVEN_IDS, group.clone()))
        .send()
        .await?;
    ensure!(created.group_id() == Some(&scene.balancer_security_group), "the emulator gives no ids");

    let mut zone = serde_json::to_value(&made.foundation)?;
    zone["audience"] = scene.audience.clone();
    zone["balancer_security_group_id"] = json!(scene.balancer_security_group);
    zone["images"].as_array_mut().context("images")?.push(json!(scene.image));
    let mut gate = serde_json::to_value(&made.gate)?;
    gate["trust_roots"] = json!([{ "certificate": scene.root_certificate, "trust_domain": TRUST_DOMAIN }]);
    for (key, object) in [(ZONE_KEY, zone), (GATE_KEY, gate)] {
        let put = enclave.clients().s3.put_object().bucket(&made.buckets.tenant).key(key);
        put.body(serde_json::to_vec(&object)?.into()).send().await?;
    }
    Ok(())
}

/// Makes one call to the letter and learns the ARN of what it made.
async fn make(enclave: &LocalEnclave, change: &Change, names: &mut Names) -> Result<()> {
    let parameters = filled(&serde_json::to_string(&change.parameters)?, names)?;
    let parameters: serde_json::Map<String, Value> = serde_json::from_str(&parameters)?;
    let fields = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
    if change.action == "RegisterTargets" {
        let targets = fields.clone().filter(|(name, _)| name.ends_with(".Id"));
        run(enclave, targets.map(|(_, id)| id.to_owned()).collect()).await?;
    }
    let version = if change.service == "ec2" { "2016-11-15" } else { "2015-12-01" };
    let fixed = [("Action", change.action.as_str()), ("Version", version)];
    let body =
        form_urlencoded::Serializer::new(String::new()).extend_pairs(fixed).extend_pairs(fields).finish();
    let answer = post(enclave, &change.service, &change.hosts.join(","), body).await?;
    if let Some(placeholder) = &change.made {
        let tag = match change.action.as_str() {
            "CreateTargetGroup" => "TargetGroupArn",
            "CreateLoadBalancer" => "LoadBalancerArn",
            _ => "ListenerArn",
        };
        let arn = answer.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once('<'));
        names.insert(placeholder.clone(), arn.context("an answer without an ARN")?.0.to_owned());
    }
    let missing = change.hosts.iter().find(|host| !answer.contains(host.as_str()));
    ensure!(missing.is_none(), "{missing:?} was not launched: {answer}");
    Ok(())
}

/// Only a running host can be a target.
async fn run(enclave: &LocalEnclave, hosts: Vec<String>) -> Result<()> {
    use aws_sdk_ec2::types::InstanceStateName::Running;
    until("the targets to run", Duration::from_secs(30), async || {
        let look = enclave.clients().ec2.describe_instances().set_instance_ids(Some(hosts.clone()));
        let seen = look.send().await?;
        let mut states = seen.reservations().iter().flat_map(|it| it.instances()).filter_map(|it| it.state());
        Ok(states.all(|state| state.name() == Some(&Running)).then_some(()))
    })
    .await
}

/// A call of the query protocol as it stood on the wire; the emulator checks no signature.
async fn post(enclave: &LocalEnclave, service: &str, ids: &str, body: String) -> Result<String> {
    use axum::body::{Body, to_bytes};
    let region = &enclave.endpoint().region;
    let scope = format!("Credential=testing/20260131/{region}/{service}/aws4_request");
    let request = axum::http::Request::post(enclave.endpoint().url.as_str())
        .header("authorization", format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header(GIVEN_IDS, ids)
        .body(Body::from(body))?;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new());
    let answer = client.build_http::<Body>().request(request).await?;
    let status = answer.status();
    let body = to_bytes(Body::new(answer.into_body()), 16 * 1024 * 1024).await?;
    let text = String::from_utf8_lossy(&body).into_owned();
    ensure!(status.is_success(), "{status}: {text}");
    Ok(text)
}

/// A root certificate as the gate and the fixture name it.
pub(crate) fn certificate(enclave: &LocalEnclave) -> String {
    STANDARD.encode(enclave.operator_root().certificate_der())
}
