//! `docs/schema/` says what the code does.

use std::path::Path;

#[test]
fn the_schemas_in_docs_are_those_of_the_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema");
    for (name, text) in enclave_protocol::schema::documents().unwrap() {
        let written = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert_eq!(written, text, "{name} is stale: make generated");
    }
}
