//! Identities: what names a holder and what does not.

use enclave_protocol::identity::Identity;
use proptest::prelude::*;

#[test]
fn spiffe_ids_of_holders_are_read_unchanged() {
    let long = format!("spiffe://{}/a", "d".repeat(255));
    for id in [
        "spiffe://operator.example/sa/configserver",
        "spiffe://operator.example/ns/Prod/sa/media_api-2",
        "spiffe://a/...",
        "spiffe://under_score-1.x/a.b",
        &long,
    ] {
        let identity: Identity = id.parse().unwrap();
        assert_eq!(identity.as_str(), id);
        assert_eq!(identity.trust_domain(), id[9..].split('/').next());
    }
}

#[test]
fn other_texts_name_nobody() {
    let long_domain = format!("spiffe://{}/a", "d".repeat(256));
    let long_id = format!("spiffe://d/{}", "a".repeat(2038));
    for id in [
        "",
        "operator.example/a",
        "https://operator.example/a",
        "SPIFFE://operator.example/a",
        "spiffe:/operator.example/a",
        "spiffe:///a",
        "spiffe://operator.example",
        "spiffe://operator.example/",
        "spiffe://operator.example/a/",
        "spiffe://operator.example//a",
        "spiffe://operator.example/./a",
        "spiffe://operator.example/a/..",
        "spiffe://operator.example/a?b",
        "spiffe://operator.example/a#b",
        "spiffe://operator.example/a%20b",
        "spiffe://operator.example/ä",
        "spiffe://operator.example:443/a",
        "spiffe://user@operator.example/a",
        "spiffe://Operator.example/a",
        "spiffe://[::1]/a",
        "spiffe://operator.example/a\n",
        "athenz:",
        "athenz:configserver",
        "athenz:Acme.configserver",
        "athenz:acme.config server",
        &long_domain,
        &long_id,
    ] {
        assert!(id.parse::<Identity>().is_err(), "{id:?}");
    }
    assert_eq!("athenz:acme.prod.api".parse::<Identity>().unwrap().as_str(), "athenz:acme.prod.api");
}

proptest! {
    #[test]
    fn reading_never_panics_and_never_rewrites(text in "(spiffe://|athenz:)?\\PC{0,60}") {
        if let Ok(identity) = text.parse::<Identity>() {
            prop_assert_eq!(identity.as_str(), &text);
        }
    }
}
