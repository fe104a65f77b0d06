//! No alteration of a signed envelope passes.

use std::sync::LazyLock;

use enclave_protocol::chain::{TrustRoot, open};
use enclave_protocol::envelope::Envelope;
use proptest::prelude::*;
use rcgen::KeyPair;

use crate::authority::{Authority, authority, envelope, leaf, sent};

static SIGNED: LazyLock<(String, TrustRoot)> = LazyLock::new(|| {
    let root = Authority::root("root");
    let inner = root.intermediate(authority("inner"));
    let key = KeyPair::generate().unwrap();
    let certificate = inner.certify(&leaf(), &key);
    let body = envelope(&key, &[&certificate, &inner.der]).to_json();
    (body, root.trusted())
});

/// Whether this body is refused, or opens to what was signed.
fn holds(body: &[u8]) -> bool {
    let (original, root) = &*SIGNED;
    let Ok(Ok(altered)) = std::str::from_utf8(body).map(Envelope::parse) else { return true };
    let original = Envelope::parse(original).unwrap();
    match open(&altered, std::slice::from_ref(root), sent()) {
        Ok(opened) => {
            altered.payload == original.payload
                && altered.pae() == original.pae()
                && opened == open(&original, std::slice::from_ref(root), sent()).unwrap()
        }
        Err(_) => true,
    }
}

#[test]
fn every_byte_altered_is_refused_or_changes_nothing() {
    let body = SIGNED.0.as_bytes();
    for index in 0..body.len() {
        for flip in [1, 2, 0x20] {
            let mut altered = body.to_vec();
            altered[index] ^= flip;
            assert!(holds(&altered), "byte {index} ^ {flip}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_byte_replaced_removed_or_added_is_refused_or_changes_nothing(
        place in any::<prop::sample::Index>(), byte: u8, kind in 0_u8..3
    ) {
        let mut altered = SIGNED.0.clone().into_bytes();
        let index = place.index(altered.len());
        match kind {
            0 => altered[index] = byte,
            1 => drop(altered.remove(index)),
            _ => altered.insert(index, byte),
        }
        prop_assert!(holds(&altered));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = Envelope::parse(text);
        }
        let mut opened = Envelope::parse(&SIGNED.0).unwrap();
        opened.certificate_chain[0] = bytes;
        prop_assert!(open(&opened, std::slice::from_ref(&SIGNED.1), sent()).is_err());
    }

    #[test]
    fn arbitrary_json_like_text_never_panics(text in "[\\[\\]{}\",:a-z0-9\\\\ ]{0,200}") {
        let _ = Envelope::parse(&text);
    }

    #[test]
    fn altered_certificates_never_panic(place in any::<prop::sample::Index>(), byte: u8, which in 0_usize..2) {
        let mut altered = Envelope::parse(&SIGNED.0).unwrap();
        let certificate = &mut altered.certificate_chain[which];
        let index = place.index(certificate.len());
        certificate[index] = byte;
        prop_assert!(holds(altered.to_json().as_bytes()));
    }
}
