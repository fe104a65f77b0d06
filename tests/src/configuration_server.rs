//! The operator's side of a local enclave: signs orders, sends them, follows them to their final reply.

use std::time::Duration;

use anyhow::{Context, Result};
use enclave_client::{Client, EnclaveDescription, Sent, Signer, Template, request};
use enclave_protocol::envelope::Envelope;
use enclave_protocol::reply::Reply;
use enclave_protocol::request::{Mode, Order, Request};

use crate::enclave::LocalEnclave;
use crate::operator_ca::Identity;

/// Longest wait for a final reply.
const PATIENCE: Duration = Duration::from_secs(90);

/// A configuration server with the enclave's registered identity, or another.
#[derive(Debug)]
pub struct ConfigurationServer {
    client: Client,
    signer: Signer,
    enclave: EnclaveDescription,
}

impl ConfigurationServer {
    /// The registered one.
    pub fn of(enclave: &LocalEnclave) -> Result<Self> {
        Self::with_identity(enclave, enclave.operator())
    }

    /// One that signs as somebody else.
    pub fn with_identity(enclave: &LocalEnclave, identity: &Identity) -> Result<Self> {
        // What a configuration server gets is the ready file and nothing else.
        let description: EnclaveDescription =
            serde_json::from_value(serde_json::to_value(enclave.ready()?)?)?;
        let signer = Signer::from_pem(identity.chain_pem().as_bytes(), identity.key_pem().as_bytes())?;
        Ok(Self {
            client: Client::new(enclave.clients().sqs.clone(), description.clone()),
            signer,
            enclave: description,
        })
    }

    /// What it knows of the enclave.
    pub fn enclave(&self) -> &EnclaveDescription {
        &self.enclave
    }

    /// A request for this enclave in mode `apply`, to be changed and signed.
    pub fn request(&self, order: Order) -> Request {
        request(Template::new(&self.enclave, order))
    }

    /// Signs a request as it is.
    pub fn sign(&self, request: Request) -> Result<Envelope> {
        Ok(self.signer.sign(request)?)
    }

    /// The signer.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Sends any text to the line.
    pub async fn send_body(&self, body: &str) -> Result<Sent> {
        Ok(self.client.send_body(body).await?)
    }

    /// Signs and sends a request.
    pub async fn send(&self, request: Request) -> Result<Sent> {
        self.send_body(&self.sign(request)?.to_json()).await
    }

    /// Follows what was sent to its final reply.
    pub async fn final_reply(&self, sent: &Sent) -> Result<Reply> {
        let reply = self.client.await_final(sent, PATIENCE, |_| ()).await;
        reply.with_context(|| format!("no final reply to {}", sent.name()))
    }

    /// Whether anything answers what was sent within `wait`.
    pub async fn any_reply(&self, sent: &Sent, wait: Duration) -> Option<Reply> {
        self.client.await_final(sent, wait, |_| ()).await.ok()
    }

    /// Orders something and follows it to its final reply.
    pub async fn order(&self, order: Order) -> Result<Reply> {
        self.final_reply(&self.send(self.request(order)).await?).await
    }

    /// Asks what an order would do.
    pub async fn plan(&self, order: Order) -> Result<Reply> {
        let request = Request { mode: Mode::Plan, ..self.request(order) };
        self.final_reply(&self.send(request).await?).await
    }
}
