//! Writes `docs/errors.md` anew.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    std::fs::write(path, enclave_core::aws_errors::document()?)?;
    Ok(())
}
