//! The one table from AWS error code to what it means for us, and `docs/errors.md`, which is written from it.

use enclave_protocol::schema::code_meanings;

use crate::aws::ErrorClass;

/// Codes of one class, why they are in it, and what the functions do about them.
struct Family {
    class: ErrorClass,
    name: &'static str,
    /// What follows from it.
    consequence: &'static str,
    /// Whole codes; what ends with `*` stands for every code that begins so.
    codes: &'static [&'static str],
}

/// Read from top to bottom, whole codes first; what is in no family is `Unknown`.
///
/// Sources: EC2 error codes (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>), the
/// ELBv2, S3 and SQS API references, and the unfulfillable set of `aws/karpenter-provider-aws` (`pkg/errors/errors.go`).
const TABLE: &[Family] = &[
    Family {
        class: ErrorClass::Capacity,
        name: "capacity",
        consequence: "The pool is left alone for three minutes, by every request of the zone; the next pool is tried.",
        codes: &[
            "InsufficientInstanceCapacity",
            "MaxSpotInstanceCountExceeded",
            "VcpuLimitExceeded",
            "UnfulfillableCapacity",
            "Unsupported",
            "InsufficientFreeAddressesInSubnet",
            "ReservationCapacityExceeded",
            "InstanceLimitExceeded",
            "InsufficientHostCapacity",
        ],
    },
    Family {
        class: ErrorClass::Throttle,
        name: "throttle",
        consequence: "The API's own bucket is emptied, and the same call is made again with the next tick, until the request's \
                      deadline. Never taken for a lack of capacity.",
        codes: &[
            "RequestLimitExceeded",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "TooManyRequestsException",
            "RequestThrottled",
            "SlowDown",
            "EC2ThrottledException",
            "Paced",
        ],
    },
    Family {
        class: ErrorClass::InUse,
        name: "in use",
        consequence: "Something else has to go first: tried again with the next tick.",
        codes: &[
            "ResourceInUse",
            "DependencyViolation",
            "ExistingVpcEndpointConnections",
            "IncorrectState",
            "IncorrectInstanceState",
            "InvalidState",
        ],
    },
    Family {
        class: ErrorClass::Refused,
        name: "refused",
        consequence: "The request ends as `aws_refused` with AWS's own words: the role, a policy or the account does not allow it.",
        codes: &[
            "UnauthorizedOperation",
            "AccessDenied",
            "AccessDeniedException",
            "PendingVerification",
            "OptInRequired",
            "Blocked",
            "OperationNotPermitted",
            "AuthFailure*",
        ],
    },
    Family {
        class: ErrorClass::Transient,
        name: "transient",
        consequence: "Whether the call took effect is not known: it is made again to the letter, until the deadline.",
        codes: &[
            "InternalError",
            "InternalFailure",
            "InternalServiceError",
            "ServiceUnavailable",
            "Unavailable",
            "RequestTimeout",
            "RequestExpired",
            "ConditionalRequestConflict",
            "OperationAborted",
            "Timeout",
            "DispatchFailure",
            "ResponseError",
            "IncompleteAnswer",
        ],
    },
    Family {
        class: ErrorClass::NotFound,
        name: "not found",
        consequence: "For what is to be removed: done. For the rest: reads lag behind, so it is looked for again; \
                      a launch that names what is not there ends as `aws_refused`.",
        codes: &["NoSuchKey", "NoSuchBucket", "NotFound"],
    },
    Family {
        class: ErrorClass::BadInput,
        name: "bad input",
        consequence: "The request ends as `aws_refused` with AWS's own words: the call is wrong, or a quota is spent.",
        codes: &[
            "IdempotentParameterMismatch",
            "DuplicateLoadBalancerName",
            "DuplicateTargetGroupName",
            "DuplicateListener",
            "ValidationError",
            "MissingParameter",
            "UnknownParameter",
            "TooManyLoadBalancers",
            "TooManyTargetGroups",
            "TooManyListeners",
            "TooManyTargets",
            "ConstructionFailure",
            "Invalid*",
        ],
    },
];

/// What the functions do with a code that is in no family.
const UNKNOWN: &str =
    "A creating call is tried five times, any other until the deadline; then it is reported as it is.";

/// What an AWS error code means for us. Total: a code in no family is `Unknown`.
pub fn classify(code: &str) -> ErrorClass {
    let listed = TABLE.iter().find(|family| family.codes.contains(&code));
    // EC2 names what it cannot find in many ways: `InvalidInstanceID.NotFound`, `InvalidLaunchTemplateName.NotFoundException`.
    let unfound = || code.contains("NotFound").then_some(ErrorClass::NotFound);
    let begins = |family: &&Family| {
        family.codes.iter().filter_map(|listed| listed.strip_suffix('*')).any(|start| code.starts_with(start))
    };
    listed
        .map(|family| family.class)
        .or_else(unfound)
        .or_else(|| TABLE.iter().find(begins).map(|family| family.class))
        .unwrap_or(ErrorClass::Unknown)
}

/// `docs/errors.md`.
///
/// # Errors
/// Only if the schema of codes could not be written as JSON.
pub fn document() -> Result<String, serde_json::Error> {
    let codes = code_meanings()?.into_iter().map(|(code, meaning)| format!("| `{code}` | {meaning} |"));
    let families = TABLE.iter().map(|Family { name, codes, consequence, .. }| {
        let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
        format!("| {name} | {} | {consequence} |", codes.join(", "))
    });
    let unknown = format!("| unknown | every other | {UNKNOWN} |\n");
    let lines: Vec<String> = std::iter::once(CODES.to_owned())
        .chain(codes)
        .chain(std::iter::once(FAMILIES.to_owned()))
        .chain(families)
        .chain(std::iter::once(unknown))
        .collect();
    Ok(lines.join("\n"))
}

/// How the document begins.
const CODES: &str = "# Errors

Written by `make generated` from `shared/core/src/aws_errors.rs` and `shared/protocol/src/code.rs`; a test fails when it is
stale.

## What a reply's code means

A code never changes its meaning. `message` beside it is for people and may change.

| code | meaning |
|---|---|";

/// What stands between its two tables.
const FAMILIES: &str = "
## What an error of AWS means

Every error code of AWS has exactly one class, wherever it stands: in an error answer, or for one item of an answer that
succeeded as a whole (`DeleteVpcEndpointServiceConfigurations`, `RejectVpcEndpointConnections`). Any code with `NotFound` in it
is *not found*; `*` stands for any ending.

| class | codes | what follows |
|---|---|---|";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_throttle_is_never_taken_for_a_lack_of_capacity() {
        for code in ["RequestLimitExceeded", "Throttling", "ThrottlingException", "SlowDown", "Paced"] {
            assert_eq!(classify(code), ErrorClass::Throttle, "{code}");
        }
    }

    #[test]
    fn every_spelling_of_not_found_is_not_found() {
        for code in [
            "InvalidInstanceID.NotFound",
            "InvalidLaunchTemplateName.NotFoundException",
            "TargetGroupNotFound",
            "LoadBalancerNotFound",
            "InvalidVpcEndpointServiceId.NotFound",
        ] {
            assert_eq!(classify(code), ErrorClass::NotFound, "{code}");
        }
    }

    #[test]
    fn a_beginning_is_enough_where_the_table_says_so_and_nowhere_else() {
        assert_eq!(classify("AuthFailure.ServiceLinkedRoleCreationNotPermitted"), ErrorClass::Refused);
        assert_eq!(classify("InvalidAMIID.Malformed"), ErrorClass::BadInput);
        assert_eq!(classify("UnsupportedOperation"), ErrorClass::Unknown);
        assert_eq!(classify("SomethingNew"), ErrorClass::Unknown);
        assert_eq!(classify(""), ErrorClass::Unknown);
    }

    #[test]
    fn no_code_is_in_two_families() {
        let all: Vec<&str> = TABLE.iter().flat_map(|family| family.codes).copied().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn the_document_is_that_of_the_code() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == document().unwrap(), "docs/errors.md is stale: make generated");
    }
}
