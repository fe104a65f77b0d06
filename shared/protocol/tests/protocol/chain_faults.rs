//! Chains that do not open: each fault has its own code.

use enclave_protocol::chain::{TrustRoot, open};
use enclave_protocol::code::Code;
use jiff::ToSpan;
use rcgen::{
    CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P521_SHA512, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize, SignatureAlgorithm, date_time_ymd,
};

use crate::authority::{Authority, authority, envelope, leaf, named_leaf, open_signed, sent};

fn refusal(params: &rcgen::CertificateParams) -> Code {
    let root = Authority::root("root");
    open_signed(&root, params, &[], &[root.trusted()]).unwrap_err().code
}

#[test]
fn another_authority_is_not_trusted_whatever_its_name() {
    let (root, other, namesake) =
        (Authority::root("root"), Authority::root("other"), Authority::root("root"));
    for issuer in [&other, &namesake] {
        let refused = open_signed(issuer, &leaf(), &[], &[root.trusted()]).unwrap_err();
        assert_eq!(refused.code, Code::UntrustedCertificate);
        let refused = open_signed(issuer, &leaf(), &[&issuer.der], &[root.trusted()]).unwrap_err();
        assert_eq!(refused.code, Code::UntrustedCertificate);
    }
    assert_eq!(open_signed(&root, &leaf(), &[], &[]).unwrap_err().code, Code::UntrustedCertificate);
}

#[test]
fn the_order_presented_is_the_path_and_nothing_is_left_over() {
    let root = Authority::root("root");
    let first = root.intermediate(authority("first"));
    let second = first.intermediate(authority("second"));
    let stranger = Authority::root("stranger");
    let chains: [&[&[u8]]; 6] = [
        &[&first.der, &second.der],
        &[&second.der],
        &[&first.der],
        &[],
        &[&second.der, &first.der, &stranger.der],
        &[&second.der, &second.der, &first.der],
    ];
    for chain in chains {
        let refused = open_signed(&second, &leaf(), chain, &[root.trusted()]).unwrap_err();
        assert_eq!(refused.code, Code::UntrustedCertificate);
    }
    // Leaf last.
    let key = KeyPair::generate().unwrap();
    let certificate = first.certify(&leaf(), &key);
    let refused = open(&envelope(&key, &[&first.der, &certificate]), &[root.trusted()], sent()).unwrap_err();
    assert_eq!(refused.code, Code::CertificateNotForClients);
}

#[test]
fn certificates_count_only_while_they_are_valid() {
    let (mut expired, mut early) = (leaf(), leaf());
    expired.not_after = date_time_ymd(2026, 5, 31);
    early.not_before = date_time_ymd(2026, 6, 2);
    assert_eq!(refusal(&expired), Code::CertificateExpired);
    assert_eq!(refusal(&early), Code::CertificateExpired);

    let root = Authority::root("root");
    let mut expired = authority("expired");
    expired.not_after = date_time_ymd(2026, 5, 31);
    let expired = root.intermediate(expired);
    let refused = open_signed(&expired, &leaf(), &[&expired.der], &[root.trusted()]).unwrap_err();
    assert_eq!(refused.code, Code::CertificateExpired);
}

#[test]
fn validity_is_judged_to_the_second_at_the_time_given() {
    let root = Authority::root("root");
    let key = KeyPair::generate().unwrap();
    let certificate = root.certify(&leaf(), &key);
    let signed = envelope(&key, &[&certificate]);
    let (first, last) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-01-01T00:00:00Z".parse().unwrap());
    let roots = [root.trusted()];
    for inside in [first, last] {
        open(&signed, &roots, inside).unwrap();
    }
    for outside in [first - 1.second(), last + 1.second(), jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
        assert_eq!(open(&signed, &roots, outside).unwrap_err().code, Code::CertificateExpired);
    }
}

#[test]
fn the_leaf_must_be_for_clients() {
    let (mut absent, mut servers, mut any) = (leaf(), leaf(), leaf());
    absent.extended_key_usages = vec![];
    servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    any.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    for params in [&absent, &servers, &any] {
        assert_eq!(refusal(params), Code::CertificateNotForClients);
    }
    let mut both = leaf();
    both.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    let root = Authority::root("root");
    open_signed(&root, &both, &[], &[root.trusted()]).unwrap();

    let (mut encipher, mut is_authority) = (leaf(), leaf());
    encipher.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    is_authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    assert_eq!(refusal(&encipher), Code::CertificateNotForClients);
    assert_eq!(refusal(&is_authority), Code::CertificateNotForClients);
}

#[test]
fn issuers_must_be_authorities() {
    let root = Authority::root("root");
    let no_authority = root.intermediate(leaf());
    let refused = open_signed(&no_authority, &leaf(), &[&no_authority.der], &[root.trusted()]).unwrap_err();
    assert_eq!(refused.code, Code::UntrustedCertificate);

    let mut no_signing = authority("no signing");
    no_signing.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let no_signing = root.intermediate(no_signing);
    let refused = open_signed(&no_signing, &leaf(), &[&no_signing.der], &[root.trusted()]).unwrap_err();
    assert_eq!(refused.code, Code::UntrustedCertificate);

    let mut for_servers = authority("for servers");
    for_servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let for_servers = root.intermediate(for_servers);
    let refused = open_signed(&for_servers, &leaf(), &[&for_servers.der], &[root.trusted()]).unwrap_err();
    assert_eq!(refused.code, Code::CertificateNotForClients);
}

#[test]
fn the_identity_is_exactly_one_wellformed_spiffe_id_of_the_roots_domain() {
    let wrong = [
        vec![],
        vec!["athenz://instanceid/provider/id"],
        vec!["spiffe://operator.example/a", "spiffe://operator.example/b"],
        vec!["spiffe://operator.example/a", "spiffe://operator.example/a"],
        vec!["spiffe://operator.example/a", "SPIFFE://operator.example/b"],
        vec!["spiffe://operator.example"],
        vec!["spiffe://operator.example:443/a"],
        vec!["spiffe:operator.example/a"],
    ];
    for uris in wrong {
        assert_eq!(refusal(&named_leaf("acme.configserver", &uris)), Code::MalformedCertificate, "{uris:?}");
    }
    for uri in
        ["spiffe://other.example/a", "spiffe://operator.example.evil/a", "spiffe://sub.operator.example/a"]
    {
        assert_eq!(refusal(&named_leaf("", &[uri])), Code::WrongTrustDomain, "{uri}");
    }
}

#[test]
fn a_signature_by_another_key_or_of_another_payload_is_refused() {
    let root = Authority::root("root");
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = root.certify(&leaf(), &key);
    let signed = envelope(&key, &[&certificate]);
    let mut cases = vec![envelope(&other, &[&certificate]); 4];
    cases[1] = signed.clone();
    cases[1].payload.push(b' ');
    cases[2] = signed.clone();
    cases[2].signature.clear();
    cases[3] = signed.clone();
    cases[3].payload_type.push('x');
    for case in cases {
        assert_eq!(open(&case, &[root.trusted()], sent()).unwrap_err().code, Code::BadSignature);
    }
}

/// A public key of any bytes; nobody holds its private half.
struct Bytes(Vec<u8>, &'static SignatureAlgorithm);

impl PublicKeyData for Bytes {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.1
    }
}

/// An RSA public key of that many bits, exponent 65537.
fn rsa(bits: usize) -> Bytes {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] = u8::try_from(0xff_usize >> (modulus.len() * 8 - bits)).unwrap();
    if modulus[0] & 0x80 != 0 {
        modulus.insert(0, 0);
    }
    let length = |bytes: usize| [&[0x82][..], &u16::try_from(bytes).unwrap().to_be_bytes()].concat();
    let content = [&[2][..], &length(modulus.len()), &modulus, &[2, 3, 1, 0, 1]].concat();
    Bytes([&[0x30][..], &length(content.len()), &content].concat(), &PKCS_RSA_SHA256)
}

#[test]
fn keys_of_other_types_and_sizes_are_not_accepted() {
    let root = Authority::root("root");
    let holder = KeyPair::generate().unwrap();
    let compressed = {
        let point = holder.der_bytes();
        [&[2 + (point[64] & 1)], &point[1..33]].concat()
    };
    let p521 = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap();
    let keys = [
        Bytes(p521.der_bytes().to_vec(), p521.algorithm()),
        Bytes(compressed, &PKCS_ECDSA_P256_SHA256),
        rsa(1024),
        rsa(2047),
        rsa(4097),
        rsa(8192),
    ];
    for key in keys {
        let signed = envelope(&holder, &[&root.certify(&leaf(), &key)]);
        assert_eq!(open(&signed, &[root.trusted()], sent()).unwrap_err().code, Code::UnsupportedKey);
    }
    for bits in [2048, 4096] {
        let signed = envelope(&holder, &[&root.certify(&leaf(), &rsa(bits))]);
        assert_eq!(open(&signed, &[root.trusted()], sent()).unwrap_err().code, Code::BadSignature);
    }
}

#[test]
fn an_rsa_signature_by_the_older_padding_is_refused() {
    let root = Authority::root("root");
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate = root.certify(&leaf(), &key);
    let mut signed = envelope(&key, &[&certificate]);
    signed.signature = rcgen::SigningKey::sign(&key, &signed.pae()).unwrap();
    assert_eq!(open(&signed, &[root.trusted()], sent()).unwrap_err().code, Code::BadSignature);
}

#[test]
fn what_is_no_certificate_is_named_by_its_place() {
    let root = Authority::root("root");
    let key = KeyPair::generate().unwrap();
    let certificate = root.certify(&leaf(), &key);
    let trailing = [&certificate[..], &[0]].concat();
    let cut = &certificate[..certificate.len() - 1];
    for (chain, place) in [
        (vec![&b"hello"[..]], "certificate 0"),
        (vec![&[][..]], "certificate 0"),
        (vec![&trailing[..]], "certificate 0"),
        (vec![cut], "certificate 0"),
        (vec![&certificate[..], b"hello"], "certificate 1"),
    ] {
        let refused = open(&envelope(&key, &chain), &[root.trusted()], sent()).unwrap_err();
        assert_eq!(refused.code, Code::MalformedCertificate);
        assert!(refused.message.contains(place), "{}", refused.message);
    }
    let mut unknown = leaf();
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    unknown.custom_extensions.push(extension);
    assert_eq!(refusal(&unknown), Code::MalformedCertificate);
}

#[test]
fn a_root_that_cannot_serve_invalidates_the_gate() {
    let root = Authority::root("root");
    let key = KeyPair::generate().unwrap();
    let no_authority = root.certify(&leaf(), &key);
    let wrong = [
        TrustRoot { certificate: b"hello".to_vec(), ..root.trusted() },
        TrustRoot { certificate: no_authority, ..root.trusted() },
        TrustRoot { certificate: [&root.der[..], &[0]].concat(), ..root.trusted() },
        TrustRoot { trust_domain: "Operator.Example".to_owned(), ..root.trusted() },
        TrustRoot { trust_domain: String::new(), ..root.trusted() },
    ];
    for wrong in wrong {
        let refused = open_signed(&root, &leaf(), &[], &[root.trusted(), wrong]).unwrap_err();
        assert_eq!(refused.code, Code::GateInvalid);
        assert!(refused.message.contains("trust root 1"), "{}", refused.message);
    }
}
