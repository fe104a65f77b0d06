//! Configuration from the environment: each binary reads its variables once, into one typed value.

use thiserror::Error;

/// A variable that is missing or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The variable is not set, or empty.
    #[error("environment variable {0} is not set; template.yaml sets it from /enclave/<zone>/… parameters")]
    Missing(&'static str),
    /// The variable is set to something else than a number in its bounds.
    #[error("environment variable {name} is {value:?}, not a number from {min} to {max}")]
    NotInBounds {
        /// Its name.
        name: &'static str,
        /// What it is set to.
        value: String,
        /// The least it can be.
        min: u32,
        /// The most it can be.
        max: u32,
    },
}

/// The value of a variable that must be there.
pub fn required(name: &'static str) -> Result<String, ConfigError> {
    optional(name).ok_or(ConfigError::Missing(name))
}

/// The number a variable holds, or `default` where it is not set.
pub fn number(name: &'static str, default: u32, min: u32, max: u32) -> Result<u32, ConfigError> {
    let Some(value) = optional(name) else { return Ok(default) };
    let number = value.parse().ok().filter(|number| (min..=max).contains(number));
    number.ok_or(ConfigError::NotInBounds { name, value, min, max })
}

fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
