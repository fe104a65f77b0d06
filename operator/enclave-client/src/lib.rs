//! For configuration servers: sign requests, send them, await and verify the replies.
//!
//! ```no_run
//! # async fn example() -> Result<(), enclave_client::ClientError> {
//! use enclave_client::{Client, EnclaveDescription, Signer, Template, request};
//! use enclave_protocol::request::{Describe, Order};
//!
//! let enclave = EnclaveDescription::read("enclave.json".as_ref())?;
//! let signer = Signer::from_files("chain.pem".as_ref(), "key.pem".as_ref())?;
//! let client = Client::connect(&enclave).await;
//! let describe = Template::new(&enclave, Order::Describe(Describe::default()));
//! let sent = client.send(&signer.sign(request(describe))?).await?;
//! let reply = client.await_final(&sent, std::time::Duration::from_secs(60), |_| ()).await?;
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod client;
mod connect;
mod description;
mod error;
mod inbox;
mod order;
mod signer;

pub use client::{Client, Received};
pub use connect::{is_loopback, sdk_config};
pub use description::EnclaveDescription;
pub use error::ClientError;
pub use inbox::{Mismatch, Sent, verify};
pub use order::{DEFAULT_VALIDITY_SECONDS, Template, request, request_at};
pub use signer::Signer;
