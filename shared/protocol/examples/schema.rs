//! Writes `docs/schema/` anew.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema");
    std::fs::create_dir_all(&folder)?;
    for (name, text) in enclave_protocol::schema::documents()? {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
