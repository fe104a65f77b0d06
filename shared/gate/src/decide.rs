//! Decisions. Pure: the same rules, facts and request give the same answer.
//!
//! The tenant's Cedar policies are to be asked between [`authorize_signer`] and the limits of [`authorize_order`].

use enclave_protocol::chain::Opened;
use enclave_protocol::code::Code;
use enclave_protocol::names::{ImageId, TenantName};
use enclave_protocol::request::{Order, Request};
use thiserror::Error;

use crate::rules::{Gate, Role};

/// A refusal: its stable code and a sentence that names the offending value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct Denial {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: String,
}

impl Denial {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Whether this signer may give orders at all: revocations first, then the register.
pub fn authorize_signer(gate: &Gate, signer: &Opened, request: &Request) -> Result<(), Denial> {
    let identity = signer.identity.as_str();
    let revoked = &gate.revocations;
    if revoked.identities.iter().any(|revoked| revoked == identity) {
        return Err(Denial::new(Code::Revoked, format!("{identity} is revoked")));
    }
    if revoked.key_sha256.iter().any(|revoked| revoked.eq_ignore_ascii_case(&signer.key_sha256)) {
        return Err(Denial::new(Code::Revoked, format!("the key {} is revoked", signer.key_sha256)));
    }
    if let Some(earliest) = revoked.issued_before.filter(|earliest| request.issued_at < *earliest) {
        return Err(Denial::new(
            Code::Revoked,
            format!("requests issued before {earliest} are revoked, this one was at {}", request.issued_at),
        ));
    }
    match gate.identities.iter().find(|known| known.identity == identity).map(|known| known.role) {
        Some(Role::Operator | Role::Tenant) => Ok(()),
        Some(Role::Host) => {
            Err(Denial::new(Code::UnknownIdentity, format!("{identity} is a host; hosts give no orders")))
        }
        None => Err(Denial::new(Code::UnknownIdentity, format!("{identity} is not registered"))),
    }
}

/// Whether the order keeps within the tenant's bounds.
///
/// `other_hosts` counts the zone's hosts without this request's own, those that other open requests may still launch
/// included; it is asked for `provision_hosts` only.
pub fn authorize_order(
    gate: &Gate,
    tenant: &TenantName,
    images: &[ImageId],
    other_hosts: u32,
    order: &Order,
) -> Result<(), Denial> {
    if let Some((application, _)) = order.application_and_cluster()
        && application.tenant() != tenant.as_str()
    {
        return Err(Denial::new(
            Code::WrongTenant,
            format!("{application} is not an application of {tenant}, whom this account is registered to"),
        ));
    }
    let image = match order {
        Order::ProvisionHosts(order) => Some(&order.image),
        Order::RebuildHosts(order) => Some(&order.image),
        _ => None,
    };
    if let Some(image) = image.filter(|image| !images_in_force(gate, images).contains(image)) {
        return Err(Denial::new(
            Code::ImageNotAllowed,
            format!("{image} is not on the tenant's list of images"),
        ));
    }
    // Hosts that are rebuilt are there already: only launches meet the cap.
    let Order::ProvisionHosts(order) = order else { return Ok(()) };
    let limit = gate.limits.max_hosts;
    if other_hosts.saturating_add(order.count) > limit {
        return Err(Denial::new(
            Code::CapExceeded,
            format!("{} hosts more than the {other_hosts} there are would exceed {limit}", order.count),
        ));
    }
    Ok(())
}

/// The images hosts may boot: the foundation's, narrowed by the gate.
pub fn images_in_force(gate: &Gate, foundation: &[ImageId]) -> Vec<ImageId> {
    let narrowed = gate.limits.images.as_ref();
    foundation.iter().filter(|image| narrowed.is_none_or(|list| list.contains(image))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use enclave_protocol::names::{ApplicationId, ClusterId};
    use enclave_protocol::request::{
        Audience, ConfigureLoadBalancer, DeprovisionHosts, Describe, Mode, ProvisionHosts, RebuildHosts,
        RemoveLoadBalancer, Scheme,
    };
    use jiff::Timestamp;

    use super::*;
    use crate::rules::{Limits, RegisteredIdentity, Revocations};

    const SIGNER: &str = "spiffe://operator.example/configuration-server";

    fn gate() -> Gate {
        let registered = |identity: &str, role| RegisteredIdentity { identity: identity.to_owned(), role };
        Gate {
            schema: 1,
            trust_roots: Vec::new(),
            identities: vec![
                registered("spiffe://operator.example/other", Role::Operator),
                registered(SIGNER, Role::Operator),
            ],
            revocations: Revocations::default(),
            limits: Limits { max_hosts: 10, images: None, destruction: None },
        }
    }

    fn signer() -> Opened {
        Opened {
            identity: SIGNER.parse().unwrap(),
            certificate_sha256: "cc".to_owned(),
            key_sha256: "ab12".to_owned(),
        }
    }

    fn image(last: char) -> ImageId {
        format!("ami-0000000{last}").parse().unwrap()
    }

    fn provision(application: &str, count: u32, image: ImageId) -> Order {
        Order::ProvisionHosts(ProvisionHosts {
            application: application.parse().unwrap(),
            cluster: "content".parse().unwrap(),
            count,
            instance_types: vec!["m7g.large".parse().unwrap()],
            resources: None,
            image,
            availability_zones: None,
        })
    }

    fn request() -> Request {
        Request {
            audience: Audience {
                account: "000000000000".to_owned(),
                region: "us-east-1".to_owned(),
                zone: "z".to_owned(),
                enclave_id: "e".to_owned(),
            },
            tenant: "acme".parse().unwrap(),
            request_id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            issued_at: Timestamp::from_second(1000).unwrap(),
            expires_at: Timestamp::from_second(1600).unwrap(),
            certificate_sha256: "cc".to_owned(),
            mode: Mode::Apply,
            deadline_seconds: None,
            order: provision("acme.shop.default", 1, image('1')),
        }
    }

    /// Nothing where the signer may give orders, else the code.
    fn asked(gate: &Gate) -> Option<(Code, String)> {
        authorize_signer(gate, &signer(), &request()).err().map(|denial| (denial.code, denial.message))
    }

    #[test]
    fn a_registered_operator_or_tenant_gives_orders_and_a_host_does_not() {
        let mut gate = gate();
        assert_eq!(asked(&gate), None);
        gate.identities[1].role = Role::Tenant;
        assert_eq!(asked(&gate), None);
        gate.identities[1].role = Role::Host;
        let host = format!("{SIGNER} is a host; hosts give no orders");
        assert_eq!(asked(&gate), Some((Code::UnknownIdentity, host)));
    }

    #[test]
    fn only_the_whole_identity_is_the_identity() {
        for other in [
            "spiffe://operator.example/configuration-server/2",
            "spiffe://operator.example/Configuration-Server",
        ] {
            let mut gate = gate();
            gate.identities[1].identity = other.to_owned();
            let unknown = format!("{SIGNER} is not registered");
            assert_eq!(asked(&gate), Some((Code::UnknownIdentity, unknown)), "{other}");
        }
    }

    #[test]
    fn a_revoked_identity_or_key_gives_no_orders_whatever_the_register_says() {
        let mut gate = gate();
        gate.revocations.identities = vec!["spiffe://operator.example/other".to_owned()];
        gate.revocations.key_sha256 = vec!["ab13".to_owned()];
        assert_eq!(asked(&gate), None, "others' revocations");
        gate.revocations.key_sha256.push("AB12".to_owned());
        assert_eq!(asked(&gate), Some((Code::Revoked, "the key ab12 is revoked".to_owned())));
        gate.revocations = Revocations { identities: vec![SIGNER.to_owned()], ..Revocations::default() };
        assert_eq!(asked(&gate), Some((Code::Revoked, format!("{SIGNER} is revoked"))));
        gate.identities.clear();
        assert_eq!(asked(&gate).unwrap().0, Code::Revoked, "revoked comes before unknown");
    }

    #[test]
    fn what_was_issued_before_the_line_is_revoked_and_what_was_issued_at_it_is_not() {
        for (earliest, expected) in [(999, None), (1000, None), (1001, Some(Code::Revoked))] {
            let mut gate = gate();
            gate.revocations.issued_before = Some(Timestamp::from_second(earliest).unwrap());
            assert_eq!(asked(&gate).map(|(code, _)| code), expected, "{earliest}");
        }
    }

    fn ordered(gate: &Gate, others: u32, order: &Order) -> Option<(Code, String)> {
        authorize_order(gate, &"acme".parse().unwrap(), &[image('1'), image('2')], others, order)
            .err()
            .map(|denial| (denial.code, denial.message))
    }

    #[test]
    fn hosts_up_to_the_cap_are_allowed_and_one_more_is_not() {
        let order = provision("acme.shop.default", 4, image('1'));
        assert_eq!(ordered(&gate(), 6, &order), None);
        let over = "4 hosts more than the 7 there are would exceed 10".to_owned();
        assert_eq!(ordered(&gate(), 7, &order), Some((Code::CapExceeded, over)));
        let most = ordered(&gate(), u32::MAX, &order).map(|(code, _)| code);
        assert_eq!(most, Some(Code::CapExceeded), "no overflow lets it through");
    }

    #[test]
    fn an_image_must_be_on_the_list_in_force() {
        let order = |last| provision("acme.shop.default", 1, image(last));
        let refused = |last| {
            let message = format!("ami-0000000{last} is not on the tenant's list of images");
            Some((Code::ImageNotAllowed, message))
        };
        assert_eq!(ordered(&gate(), 0, &order('2')), None);
        assert_eq!(ordered(&gate(), 0, &order('3')), refused('3'));
        let mut narrow = gate();
        narrow.limits.images = Some(vec![image('1')]);
        assert_eq!(ordered(&narrow, 0, &order('1')), None);
        assert_eq!(ordered(&narrow, 0, &order('2')), refused('2'));
    }

    fn rebuild(application: &str, image: ImageId) -> Order {
        Order::RebuildHosts(RebuildHosts {
            application: application.parse().unwrap(),
            cluster: "content".parse().unwrap(),
            host_ids: (0..9).map(|number| format!("i-0000000{number}").parse().unwrap()).collect(),
            image,
            at_a_time: None,
        })
    }

    #[test]
    fn a_rebuild_needs_a_listed_image_and_meets_no_cap() {
        assert_eq!(ordered(&gate(), u32::MAX, &rebuild("acme.shop.default", image('2'))), None);
        let refused = |gate: &Gate, last| {
            ordered(gate, 0, &rebuild("acme.shop.default", image(last))).map(|(code, _)| code)
        };
        assert_eq!(refused(&gate(), '3'), Some(Code::ImageNotAllowed));
        let mut narrow = gate();
        narrow.limits.images = Some(vec![image('1')]);
        assert_eq!(refused(&narrow, '2'), Some(Code::ImageNotAllowed));
        assert_eq!(refused(&narrow, '1'), None);
    }

    #[test]
    fn every_order_about_another_tenants_application_is_refused() {
        let orders = |application: &str| {
            let (application, cluster): (ApplicationId, ClusterId) =
                (application.parse().unwrap(), "content".parse().unwrap());
            [
                provision("other.shop.default", 1, image('1')),
                Order::DeprovisionHosts(DeprovisionHosts {
                    application: Clone::clone(&application),
                    cluster: Clone::clone(&cluster),
                    host_ids: Vec::new(),
                }),
                Order::ConfigureLoadBalancer(ConfigureLoadBalancer::new(
                    Clone::clone(&application),
                    Clone::clone(&cluster),
                    Scheme::Public,
                    Vec::new(),
                    Vec::new(),
                )),
                rebuild(application.as_str(), image('1')),
                Order::RemoveLoadBalancer(RemoveLoadBalancer { application, cluster, name: None }),
            ]
        };
        for order in orders("other.shop.default") {
            assert_eq!(ordered(&gate(), 0, &order).unwrap().0, Code::WrongTenant, "{:?}", order.action());
        }
        // Only provisioning is bounded by the cap.
        for order in orders("acme.shop.default").into_iter().skip(1) {
            assert_eq!(ordered(&gate(), 11, &order), None, "{:?}", order.action());
        }
        assert_eq!(
            ordered(&gate(), 0, &provision("acme2.shop.default", 1, image('1'))).unwrap().0,
            Code::WrongTenant
        );
        assert_eq!(ordered(&gate(), 99, &Order::Describe(Describe::default())), None);
    }

    #[test]
    fn the_gate_narrows_the_foundations_images_and_never_widens_them() {
        let foundation = [image('1'), image('2')];
        let mut gate = gate();
        assert_eq!(images_in_force(&gate, &foundation), [image('1'), image('2')]);
        gate.limits.images = Some(vec![image('3'), image('2')]);
        assert_eq!(images_in_force(&gate, &foundation), [image('2')]);
        gate.limits.images = Some(Vec::new());
        assert_eq!(images_in_force(&gate, &foundation), []);
    }
}
