//! What EventBridge sends of hosts: the bodies that its rules put on the requests queue.
//!
//! <https://docs.aws.amazon.com/ec2/latest/instancetypes/monitoring-instance-state-changes.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>

use enclave_protocol::names::HostId;
use enclave_protocol::request::Audience;
use serde_json::{Value, json};
use uuid::Uuid;

/// An instance is in another state.
pub fn state_changed(audience: &Audience, host: &HostId, state: &str) -> Value {
    let detail = json!({ "instance-id": host, "state": state });
    event(audience, host, "EC2 Instance State-change Notification", &detail)
}

/// A spot instance is taken back.
pub fn spot_interruption(audience: &Audience, host: &HostId, action: &str) -> Value {
    let detail = json!({ "instance-id": host, "instance-action": action });
    event(audience, host, "EC2 Spot Instance Interruption Warning", &detail)
}

fn event(audience: &Audience, host: &HostId, detail_type: &str, detail: &Value) -> Value {
    let (account, region) = (&audience.account, &audience.region);
    json!({
        "version": "0",
        // Each is its own: the queue drops what it has seen.
        "id": Uuid::now_v7(),
        "detail-type": detail_type,
        "source": "aws.ec2",
        "account": account,
        "time": jiff::Timestamp::now(),
        "region": region,
        "resources": [format!("arn:aws:ec2:{region}:{account}:instance/{host}")],
        "detail": detail,
    })
}
