//! Where this repository, its build output and its binaries are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The repository's root.
pub fn repository() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Cargo's target directory: the one this executable was built into.
pub fn target() -> Result<PathBuf> {
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        return std::path::absolute(target).context("CARGO_TARGET_DIR is no path");
    }
    let executable = std::env::current_exe().context("cannot tell where this executable is")?;
    // Cargo marks its target directory with this tag, whatever it is called and however deep the profile lies.
    let tagged = executable.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file());
    Ok(tagged.map_or_else(|| repository().join("target"), Path::to_owned))
}

/// A binary of this workspace, built with the same profile as this executable.
pub fn binary(name: &str) -> Result<PathBuf> {
    let executable = std::env::current_exe().context("cannot tell where this executable is")?;
    let mut directory = executable.parent().context("this executable lies in no directory")?;
    if directory.ends_with("deps") {
        directory = directory.parent().unwrap_or(directory);
    }
    let binary = directory.join(name);
    if !binary.is_file() {
        bail!("{} is missing: build it with `cargo build --workspace --bins`", binary.display());
    }
    Ok(binary)
}
