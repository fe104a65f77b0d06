//! `v1/gate.json`: the tenant's rules, one atomic object.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use enclave_protocol::chain::TrustRoot;
use enclave_protocol::identity::is_trust_domain;
use enclave_protocol::names::ImageId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Key of the gate in the tenant bucket.
pub const GATE_KEY: &str = "v1/gate.json";

/// Version of the shape that this build reads.
pub const SCHEMA: u32 = 1;

/// Why an object is no gate. Until the tenant restores a good one, every change is denied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GateError {
    /// Not JSON of the right shape.
    #[error("the gate cannot be read: {0}")]
    Malformed(String),
    /// Written for another version.
    #[error("the gate has schema {0}, this version reads {SCHEMA}")]
    Schema(u32),
    /// Nobody could sign anything.
    #[error("the gate has no trust root")]
    NoTrustRoot,
    /// More than all hosts.
    #[error("share_per_hour_percent of the gate is {0}, it must be 0 to 100")]
    Share(u32),
    /// A root that is no certificate in base64, or vouches for no trust domain.
    #[error("trust root {index} of the gate: {reason}")]
    TrustRoot {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// The tenant's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Version of this object's shape; 1.
    pub schema: u32,
    /// Roots that signers' certificates lead to; several at once while one replaces another.
    pub trust_roots: Vec<TrustRootEntry>,
    /// Who may give orders.
    pub identities: Vec<RegisteredIdentity>,
    /// Who may no longer.
    #[serde(default)]
    pub revocations: Revocations,
    /// Bounds on what may exist.
    pub limits: Limits,
}

/// One trusted root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustRootEntry {
    /// The root certificate, base64 of its DER.
    pub certificate: String,
    /// The only SPIFFE trust domain this root may vouch for.
    pub trust_domain: String,
    /// Whether a leaf without a SPIFFE URI is named by its Athenz common name.
    #[serde(default)]
    pub accept_athenz_common_name: bool,
}

/// One identity that the tenant knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredIdentity {
    /// The full SPIFFE URI, or `athenz:<domain>.<service>`.
    pub identity: String,
    /// What it is to the tenant.
    pub role: Role,
}

/// What an identity is to the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A configuration server of the operator.
    Operator,
    /// The tenant itself.
    Tenant,
    /// A host, which never signs requests.
    Host,
}

/// Who may no longer give orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Revocations {
    /// Revoked identities.
    pub identities: Vec<String>,
    /// Revoked keys: SHA-256 of the leaf's subject public key info, in hexadecimal.
    pub key_sha256: Vec<String>,
    /// Requests issued before this are refused, whoever signed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
}

/// Bounds on what may exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most hosts in the zone, those being launched included.
    pub max_hosts: u32,
    /// Further narrows the foundation's image list, where present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Vec<ImageId>>,
    /// How many hosts may be destroyed; [`Destruction::default`] where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destruction: Option<Destruction>,
}

/// Hosts of a zone below which only [`Destruction::hosts_per_hour`] bounds: a small cluster must be removable.
pub const DESTRUCTION_SHARE_FLOOR: u32 = 10;

/// How many hosts of the zone may be destroyed within any hour, whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destruction {
    /// So many at most; 0 forbids all.
    pub hosts_per_hour: u32,
    /// And this share of the hosts there were at the hour's beginning, in percent, 0 to 100; but the share never
    /// forbids the first [`DESTRUCTION_SHARE_FLOOR`].
    pub share_per_hour_percent: u32,
}

impl Default for Destruction {
    /// 100 hosts and a quarter of them: a cluster of ten goes at once, a mistake about hundreds is stopped early.
    fn default() -> Self {
        Self { hosts_per_hour: 100, share_per_hour_percent: 25 }
    }
}

impl Destruction {
    /// Hosts that may be destroyed in an hour in which there were `hosts` at first.
    pub fn in_an_hour(self, hosts: u32) -> u32 {
        let share = u64::from(hosts) * u64::from(self.share_per_hour_percent) / 100;
        let share = u32::try_from(share).unwrap_or(u32::MAX);
        self.hosts_per_hour.min(share.max(DESTRUCTION_SHARE_FLOOR))
    }
}

impl Gate {
    /// Reads a gate and checks that it can be used.
    pub fn parse(json: &[u8]) -> Result<Self, GateError> {
        let gate: Self =
            serde_json::from_slice(json).map_err(|error| GateError::Malformed(error.to_string()))?;
        if gate.schema != SCHEMA {
            return Err(GateError::Schema(gate.schema));
        }
        gate.trust_roots()?;
        if let Some(percent) =
            gate.limits.destruction.map(|it| it.share_per_hour_percent).filter(|it| *it > 100)
        {
            return Err(GateError::Share(percent));
        }
        Ok(gate)
    }

    /// A gate that denies everything: what holds while the tenant's own cannot be read.
    pub fn closed() -> Self {
        let destruction = Some(Destruction { hosts_per_hour: 0, share_per_hour_percent: 0 });
        Self {
            schema: SCHEMA,
            trust_roots: Vec::new(),
            identities: Vec::new(),
            revocations: Revocations::default(),
            limits: Limits { max_hosts: 0, images: Some(Vec::new()), destruction },
        }
    }

    /// The roots that signers' certificates lead to.
    pub fn trust_roots(&self) -> Result<Vec<TrustRoot>, GateError> {
        if self.trust_roots.is_empty() {
            return Err(GateError::NoTrustRoot);
        }
        let root = |(index, entry): (usize, &TrustRootEntry)| {
            let certificate = STANDARD
                .decode(&entry.certificate)
                .map_err(|_| GateError::TrustRoot { index, reason: "its certificate is not base64" })?;
            if certificate.is_empty() {
                return Err(GateError::TrustRoot { index, reason: "its certificate is empty" });
            }
            if !is_trust_domain(&entry.trust_domain) {
                return Err(GateError::TrustRoot { index, reason: "its trust domain is not one" });
            }
            Ok(TrustRoot {
                certificate,
                trust_domain: entry.trust_domain.clone(),
                accept_athenz_common_name: entry.accept_athenz_common_name,
            })
        };
        self.trust_roots.iter().enumerate().map(root).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn good() -> Value {
        json!({
            "schema": 1,
            "trust_roots": [
                {"certificate": "AAEC", "trust_domain": "operator.example"},
                {"certificate": "AwQF", "trust_domain": "athenz.example", "accept_athenz_common_name": true},
            ],
            "identities": [{"identity": "spiffe://operator.example/cs", "role": "operator"}],
            "limits": {"max_hosts": 100},
        })
    }

    fn parse(gate: &Value) -> Result<Gate, GateError> {
        Gate::parse(gate.to_string().as_bytes())
    }

    #[test]
    fn a_gate_says_nothing_it_was_not_told() {
        let gate = parse(&good()).unwrap();
        assert_eq!(gate.revocations, Revocations::default());
        assert_eq!(gate.limits, Limits { max_hosts: 100, images: None, destruction: None });
        assert_eq!(
            gate.trust_roots().unwrap(),
            [
                TrustRoot {
                    certificate: vec![0, 1, 2],
                    trust_domain: "operator.example".to_owned(),
                    accept_athenz_common_name: false,
                },
                TrustRoot {
                    certificate: vec![3, 4, 5],
                    trust_domain: "athenz.example".to_owned(),
                    accept_athenz_common_name: true,
                },
            ],
        );
    }

    #[test]
    fn what_is_no_gate_is_refused_with_the_reason() {
        let root = |index, reason| GateError::TrustRoot { index, reason };
        let faults: [(&str, Value, GateError); 7] = [
            ("/schema", json!(0), GateError::Schema(0)),
            ("/schema", json!(2), GateError::Schema(2)),
            ("/trust_roots", json!([]), GateError::NoTrustRoot),
            ("/trust_roots/1/certificate", json!("not base64!"), root(1, "its certificate is not base64")),
            ("/trust_roots/0/certificate", json!(""), root(0, "its certificate is empty")),
            ("/trust_roots/0/trust_domain", json!(""), root(0, "its trust domain is not one")),
            (
                "/trust_roots/1/trust_domain",
                json!("Operator/example"),
                root(1, "its trust domain is not one"),
            ),
        ];
        for (pointer, value, error) in faults {
            let mut gate = good();
            *gate.pointer_mut(pointer).unwrap() = value;
            assert_eq!(parse(&gate), Err(error), "{pointer}");
        }
    }

    #[test]
    fn a_field_that_is_wrong_or_unknown_is_refused_by_name() {
        let changes: [fn(&mut Value); 6] = [
            |gate| gate["polices"] = json!([]),
            |gate| gate["revocations"] = json!({"polices": []}),
            |gate| gate["limits"] = json!({"max_hosts": 1, "polices": 0}),
            |gate| gate["identities"][0]["polices"] = json!(true),
            |gate| gate["trust_roots"][0]["polices"] = json!(1),
            |gate| gate["identities"][0]["role"] = json!("polices"),
        ];
        for change in changes {
            let mut gate = good();
            change(&mut gate);
            let Err(GateError::Malformed(reason)) = parse(&gate) else { panic!("{gate}") };
            assert!(reason.contains("polices"), "{reason}");
        }
    }

    #[test]
    fn a_gate_without_a_rule_it_needs_is_none() {
        for field in ["schema", "trust_roots", "identities", "limits"] {
            let mut gate = good();
            gate.as_object_mut().unwrap().remove(field);
            let Err(GateError::Malformed(reason)) = parse(&gate) else { panic!("{field}") };
            assert!(reason.contains(field), "{reason}");
        }
        for text in ["", "null", "[]", "{", "\u{feff}{}"] {
            assert!(matches!(Gate::parse(text.as_bytes()), Err(GateError::Malformed(_))), "{text:?}");
        }
        for cap in [json!(-1), json!(4_294_967_296_u64), json!(1.5), json!("10"), json!(null)] {
            let mut gate = good();
            gate["limits"]["max_hosts"] = cap.clone();
            assert!(matches!(parse(&gate), Err(GateError::Malformed(_))), "{cap}");
        }
    }

    #[test]
    fn the_destruction_budget_is_the_smaller_of_number_and_share_but_lets_small_zones_go() {
        let budget = |hosts_per_hour, share_per_hour_percent, hosts| {
            Destruction { hosts_per_hour, share_per_hour_percent }.in_an_hour(hosts)
        };
        for (number, share, hosts, expected) in [
            (100, 25, 0, 10),
            (100, 25, 40, 10),
            (100, 25, 44, 11),
            (100, 25, 1000, 100),
            (5, 25, 1000, 5),
            (0, 100, 1000, 0),
            (100, 0, 1000, 10),
            (u32::MAX, 100, u32::MAX, u32::MAX),
        ] {
            assert_eq!(budget(number, share, hosts), expected, "{number} {share} % of {hosts}");
        }
        assert_eq!(Destruction::default().in_an_hour(400), 100);
    }

    #[test]
    fn a_destruction_budget_is_read_strictly() {
        let with = |budget: Value| {
            let mut gate = good();
            gate["limits"]["destruction"] = budget;
            parse(&gate)
        };
        let good = with(json!({"hosts_per_hour": 7, "share_per_hour_percent": 100})).unwrap();
        let expected = Destruction { hosts_per_hour: 7, share_per_hour_percent: 100 };
        assert_eq!(good.limits.destruction, Some(expected));
        let over = with(json!({"hosts_per_hour": 7, "share_per_hour_percent": 101}));
        assert_eq!(over, Err(GateError::Share(101)));
        for wrong in [json!({}), json!({"hosts_per_hour": 7}), json!({"hosts_per_hour": -1}), json!(5)] {
            assert!(matches!(with(wrong.clone()), Err(GateError::Malformed(_))), "{wrong}");
        }
    }

    #[test]
    fn a_closed_gate_lets_nobody_in_and_destroys_nothing() {
        let gate = Gate::closed();
        assert_eq!(gate.trust_roots(), Err(GateError::NoTrustRoot));
        assert_eq!(gate.limits.destruction.map(|it| it.in_an_hour(1000)), Some(0));
    }

    #[test]
    fn a_gate_survives_its_json() {
        let mut gate = parse(&good()).unwrap();
        gate.revocations.issued_before = Some("2026-01-02T03:04:05Z".parse().unwrap());
        gate.limits.images = Some(vec!["ami-00000001".parse().unwrap()]);
        assert_eq!(Gate::parse(&serde_json::to_vec(&gate).unwrap()), Ok(gate));
    }
}
