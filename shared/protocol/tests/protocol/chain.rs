//! Chains that open.

use enclave_protocol::chain::{TrustRoot, open};
use enclave_protocol::code::Code;
use hex::encode;
use rcgen::{
    BasicConstraints, GeneralSubtree, IsCa, KeyPair, NameConstraints, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize, date_time_ymd,
};
use sha2::{Digest, Sha256};

use crate::authority::{Authority, DOMAIN, SIGNER, authority, envelope, leaf, named_leaf, open_signed, sent};

#[test]
fn every_accepted_type_of_key_signs() {
    let root = Authority::root("root");
    let keys = [
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
        KeyPair::generate_for(&PKCS_ED25519).unwrap(),
        KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap(),
    ];
    for key in keys {
        let certificate = root.certify(&leaf(), &key);
        let opened = open(&envelope(&key, &[&certificate]), &[root.trusted()], sent()).unwrap();
        assert_eq!(opened.identity.as_str(), SIGNER);
        assert_eq!(opened.certificate_sha256, encode(Sha256::digest(&certificate)));
        assert_eq!(opened.key_sha256, encode(Sha256::digest(key.subject_public_key_info())));
    }
}

#[test]
fn intermediates_need_no_extended_key_usage_and_may_be_followed_by_their_root() {
    let root = Authority::root("root");
    let first = root.intermediate(authority("first"));
    let second = first.intermediate(authority("second"));
    let roots = [root.trusted()];
    open_signed(&second, &leaf(), &[&second.der, &first.der], &roots).unwrap();
    open_signed(&second, &leaf(), &[&second.der, &first.der, &root.der], &roots).unwrap();
    open_signed(&root, &leaf(), &[&root.der], &roots).unwrap();
}

#[test]
fn a_listed_intermediate_is_a_root_of_its_own() {
    let root = Authority::root("root");
    let inner = root.intermediate(authority("inner"));
    open_signed(&inner, &leaf(), &[], &[inner.trusted()]).unwrap();
    let refused = open_signed(&root, &leaf(), &[], &[inner.trusted()]).unwrap_err();
    assert_eq!(refused.code, Code::UntrustedCertificate);
}

#[test]
fn roots_of_one_key_vouch_each_for_its_own_trust_domain() {
    let root = Authority::root("root");
    let other = TrustRoot { trust_domain: "other.example".to_owned(), ..root.trusted() };
    for roots in [[root.trusted(), other.clone()], [other.clone(), root.trusted()]] {
        let opened = open_signed(&root, &leaf(), &[], &roots).unwrap();
        assert_eq!(opened.identity.trust_domain(), Some(DOMAIN));
    }
    let refused = open_signed(&root, &leaf(), &[], std::slice::from_ref(&other)).unwrap_err();
    assert_eq!(refused.code, Code::WrongTrustDomain);

    // A root that the path does not end in vouches for nothing.
    let stranger = Authority::root("stranger");
    let refused = open_signed(&root, &leaf(), &[], &[other, stranger.trusted()]).unwrap_err();
    assert_eq!(refused.code, Code::WrongTrustDomain);

    // Neither does one of the same name and another key.
    let namesake = Authority::root("root");
    let elsewhere = TrustRoot { trust_domain: "other.example".to_owned(), ..root.trusted() };
    let refused = open_signed(&root, &leaf(), &[], &[namesake.trusted(), elsewhere]).unwrap_err();
    assert_eq!(refused.code, Code::WrongTrustDomain);
}

#[test]
fn an_expired_root_may_stand_beside_its_renewed_certificate() {
    let root = Authority::root("root");
    let mut old = authority("root");
    old.not_before = date_time_ymd(2020, 1, 1);
    old.not_after = date_time_ymd(2021, 1, 1);
    let expired = TrustRoot { certificate: root.renewed(&old), ..root.trusted() };
    open_signed(&root, &leaf(), &[], &[expired.clone(), root.trusted()]).unwrap();
    let refused = open_signed(&root, &leaf(), &[], &[expired]).unwrap_err();
    assert_eq!(refused.code, Code::CertificateExpired);
}

#[test]
fn other_uris_are_ignored_beside_the_one_spiffe_id() {
    let root = Authority::root("root");
    let uris = ["athenz://instanceid/provider/i-0123456789abcdef0", SIGNER, "https://example.com/"];
    let opened = open_signed(&root, &named_leaf("", &uris), &[], &[root.trusted()]).unwrap();
    assert_eq!(opened.identity.as_str(), SIGNER);
}

#[test]
fn an_athenz_common_name_counts_where_the_root_says_so_and_no_spiffe_id_is_there() {
    let root = Authority::root("root");
    let athenz = TrustRoot { accept_athenz_common_name: true, ..root.trusted() };
    let bare = named_leaf("acme.configserver", &["athenz://instanceid/provider/id"]);
    let opened = open_signed(&root, &bare, &[], std::slice::from_ref(&athenz)).unwrap();
    assert_eq!(opened.identity.as_str(), "athenz:acme.configserver");
    assert_eq!(opened.identity.trust_domain(), None);

    let opened = open_signed(&root, &leaf(), &[], std::slice::from_ref(&athenz)).unwrap();
    assert_eq!(opened.identity.as_str(), SIGNER);

    let refused = open_signed(&root, &bare, &[], &[root.trusted()]).unwrap_err();
    assert_eq!(refused.code, Code::MalformedCertificate);
    for name in ["", "configserver", "Acme.configserver", "acme..x", "acme.x y"] {
        let refused =
            open_signed(&root, &named_leaf(name, &[]), &[], std::slice::from_ref(&athenz)).unwrap_err();
        assert_eq!(refused.code, Code::MalformedCertificate, "{name:?}");
    }
}

#[test]
fn constraints_of_an_authority_bind_what_it_issues() {
    let root = Authority::root("root");
    let mut short = authority("short");
    short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let short = root.intermediate(short);
    open_signed(&short, &leaf(), &[&short.der], &[root.trusted()]).unwrap();
    let below = short.intermediate(authority("below"));
    let refused = open_signed(&below, &leaf(), &[&below.der, &short.der], &[root.trusted()]).unwrap_err();
    assert_eq!(refused.code, Code::UntrustedCertificate);

    let mut constrained = authority("constrained");
    constrained.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("operator.example".to_owned())],
        excluded_subtrees: vec![],
    });
    let constrained = root.intermediate(constrained);
    let chain: &[&[u8]] = &[&constrained.der];
    open_signed(&constrained, &leaf(), chain, &[root.trusted()]).unwrap();
    let mut outside = leaf();
    outside.subject_alt_names.push(rcgen::SanType::DnsName("elsewhere.example".try_into().unwrap()));
    let refused = open_signed(&constrained, &outside, chain, &[root.trusted()]).unwrap_err();
    assert_eq!(refused.code, Code::UntrustedCertificate);
}
