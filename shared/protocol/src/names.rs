//! Names that cross the wire: validated once, at the edge, and trusted afterwards.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A name that does not have the form it must have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind} must be {form}, got {value:?}")]
pub struct InvalidName {
    /// What kind of name was expected.
    pub kind: &'static str,
    /// The form in words.
    pub form: &'static str,
    /// The offending value, cut to 80 characters.
    pub value: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $form:literal, $pattern:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = $pattern))]
        pub struct $name(String);

        impl $name {
            /// The name as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(value: String) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&value) {
                    return Ok(Self(value));
                }
                Err(InvalidName { kind: $kind, form: $form, value: value.chars().take(80).collect() })
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;

            fn from_str(value: &str) -> Result<Self, InvalidName> {
                value.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A tenant as the operator names it: the first label of its applications.
    TenantName, "tenant", "a lower-case label of 1 to 63 letters, digits and hyphens",
    r"^[a-z][a-z0-9-]{0,62}$", is_label
);
name!(
    /// An application instance: `tenant.application.instance`.
    ApplicationId, "application", "three lower-case labels, tenant.application.instance",
    r"^[a-z][a-z0-9-]{0,62}(\.[a-z][a-z0-9-]{0,62}){2}$",
    |value| value.split('.').count() == 3 && value.split('.').all(is_label)
);
name!(
    /// A cluster of hosts inside an application.
    ClusterId, "cluster", "a lower-case label of 1 to 63 letters, digits and hyphens",
    r"^[a-z][a-z0-9-]{0,62}$", is_label
);
name!(
    /// A host: the id of its EC2 instance.
    HostId, "host id", "an EC2 instance id, i- and 8 or 17 hexadecimal digits",
    r"^i-([0-9a-f]{8}|[0-9a-f]{17})$", |value| is_aws_id(value, "i-")
);
name!(
    /// An Amazon machine image.
    ImageId, "image", "an AMI id, ami- and 8 or 17 hexadecimal digits",
    r"^ami-([0-9a-f]{8}|[0-9a-f]{17})$", |value| is_aws_id(value, "ami-")
);
name!(
    /// An EC2 instance type, e.g. `m7g.large`.
    InstanceType, "instance type", "family.size, e.g. m7g.large",
    r"^[a-z][a-z0-9-]{1,19}\.[a-z0-9-]{1,19}$",
    |value| value.split_once('.').is_some_and(|(family, size)| {
        (2..=20).contains(&family.len()) && (1..=19).contains(&size.len())
            && family.starts_with(|c: char| c.is_ascii_lowercase())
            && family.chars().chain(size.chars()).all(is_label_character)
    })
);
name!(
    /// An availability zone, e.g. `us-east-1a`.
    AvailabilityZone, "availability zone", "a zone name, e.g. us-east-1a",
    r"^[a-z]{2}[a-z0-9-]{4,40}$",
    |value| (6..=42).contains(&value.len())
        && value.chars().take(2).all(|c| c.is_ascii_lowercase())
        && value.chars().all(is_label_character)
);
name!(
    /// Who may connect to an endpoint service: an account, or a user or role without a path. Never everybody
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcEndpointServicePermissions.html>).
    PrincipalArn, "principal", "the ARN of an account (arn:aws:iam::123456789012:root), or of a user or role without a path",
    r"^arn:aws(-[a-z]{1,10}){0,3}:iam::[0-9]{12}:(root|(user|role)/[A-Za-z0-9+=,.@_-]{1,64})$", is_principal
);
name!(
    /// A load balancer of this enclave, as replies name it.
    LoadBalancerName, "load balancer", "1 to 32 letters, digits and hyphens, as replies name it",
    r"^[A-Za-z0-9-]{1,32}$",
    |value| (1..=32).contains(&value.len()) && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
);
name!(
    /// The path of a health check: at most 1024 characters
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroup.html>).
    HealthCheckPath, "path", "/ and at most 1023 visible ASCII characters",
    r"^/[!-~]{0,1023}$",
    |value| value.starts_with('/') && value.len() <= 1024 && value.chars().all(|c| c.is_ascii_graphic())
);

impl PrincipalArn {
    /// The account it belongs to.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }
}

impl ApplicationId {
    /// The tenant that owns the application.
    pub fn tenant(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

impl InstanceType {
    /// The family, e.g. `m7g` of `m7g.large`.
    pub fn family(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

fn is_label_character(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

fn is_label(value: &str) -> bool {
    (1..=63).contains(&value.len())
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && value.chars().all(is_label_character)
}

fn is_principal(value: &str) -> bool {
    let parts: Vec<&str> = value.split(':').collect();
    let ["arn", partition, "iam", "", account, principal] = parts.as_slice() else { return false };
    let is_partition = |rest: &str| {
        rest.is_empty()
            || rest.strip_prefix('-').is_some_and(|rest| {
                rest.split('-').count() <= 3
                    && rest.split('-').all(|part| {
                        (1..=10).contains(&part.len()) && part.chars().all(|c| c.is_ascii_lowercase())
                    })
            })
    };
    let is_name = |name: &str| {
        (1..=64).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c))
    };
    let named = principal.strip_prefix("user/").or_else(|| principal.strip_prefix("role/"));
    partition.strip_prefix("aws").is_some_and(is_partition)
        && account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && (*principal == "root" || named.is_some_and(is_name))
}

fn is_aws_id(value: &str, prefix: &str) -> bool {
    value.strip_prefix(prefix).is_some_and(|id| {
        matches!(id.len(), 8 | 17) && id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_application_names_its_tenant_first() {
        let application: ApplicationId = "acme.shop.default".parse().unwrap();
        assert_eq!(application.tenant(), "acme");
    }

    #[test]
    fn malformed_names_are_refused_with_the_value() {
        for value in ["", "acme", "acme.shop", "Acme.shop.default", "a.b.c.d", "acme..default", "-a.b.c"] {
            let refused = value.parse::<ApplicationId>().unwrap_err();
            assert_eq!(refused.value, value);
        }
        for value in ["i-1", "i-0123456789abcdeg0", "i-0123456789ABCDEF0", "ami-12345678"] {
            assert!(value.parse::<HostId>().is_err(), "{value}");
        }
        for value in ["", "status", "/a b", "/\n", "/é"] {
            assert!(value.parse::<HealthCheckPath>().is_err(), "{value}");
        }
        for value in ["", "a_b", "a.b", "a/b", &"a".repeat(33)] {
            assert!(value.parse::<LoadBalancerName>().is_err(), "{value}");
        }
        for value in ["m7g", "m7g.", ".large", "M7g.large", "m7g.large.x"] {
            assert!(value.parse::<InstanceType>().is_err(), "{value}");
        }
    }

    #[test]
    fn a_principal_is_one_account_user_or_role_and_never_everybody() {
        for value in [
            "arn:aws:iam::123456789012:root",
            "arn:aws-cn:iam::123456789012:root",
            "arn:aws-us-gov:iam::123456789012:user/ann.b+c=d,e@f_g-h",
            "arn:aws:iam::123456789012:role/search",
        ] {
            assert_eq!(value.parse::<PrincipalArn>().unwrap().account(), "123456789012", "{value}");
        }
        let long = format!("arn:aws:iam::123456789012:role/{}", "a".repeat(65));
        for value in [
            "*",
            "123456789012",
            "arn:aws:iam::*:root",
            "arn:aws:iam::123456789012:*",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/path/search",
            "arn:aws:iam::12345678901:root",
            "arn:aws:iam::1234567890123:root",
            "arn:aws:iam::12345678901a:root",
            "arn:aws:iam:us-east-1:123456789012:root",
            "arn:aws:sts::123456789012:assumed-role/a/b",
            "arn:awsx:iam::123456789012:root",
            "arn:aws-:iam::123456789012:root",
            "arn:aws:iam::123456789012:root ",
            "arn:aws:iam::123456789012:root:x",
            "arn:aws:iam::123456789012:Root",
            "arn:aws:iam::123456789012:group/a",
            &long,
        ] {
            assert!(value.parse::<PrincipalArn>().is_err(), "{value}");
        }
    }
}
