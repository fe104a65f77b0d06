//! Configuration from the environment: each binary reads its variables once, into one typed value.

use thiserror::Error;

/// A variable that is missing or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The variable is not set, or empty.
    #[error("environment variable {0} is not set; template.yaml sets it from /enclave/<zone>/… parameters")]
    Missing(&'static str),
}

/// The value of a variable that must be there.
pub fn required(name: &'static str) -> Result<String, ConfigError> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or(ConfigError::Missing(name))
}
