//! The tenant's KMS keys.

use anyhow::{Context, Result};
use aws_sdk_kms::types::Tag;

use super::Names;

/// ARNs of the tenant's keys, one per kind of thing, so that each can be granted and disabled alone.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Every host's volumes.
    pub volumes: String,
    /// The tenant, state and audit buckets.
    pub state: String,
    /// The queues.
    pub queues: String,
    /// The log archive.
    pub archive: String,
}

/// Makes the keys, and learns from them whose account this is.
pub(super) async fn make(kms: &aws_sdk_kms::Client, names: &Names) -> Result<(Keys, String)> {
    let (volumes, account) = key(kms, names, "volumes").await?;
    let (state, _) = key(kms, names, "state").await?;
    let (queues, _) = key(kms, names, "queues").await?;
    let (archive, _) = key(kms, names, "archive").await?;
    Ok((Keys { volumes, state, queues, archive }, account))
}

async fn key(kms: &aws_sdk_kms::Client, names: &Names, purpose: &str) -> Result<(String, String)> {
    let name = names.unique(purpose);
    let tag = Tag::builder().tag_key("Name").tag_value(&name).build()?;
    let made = kms.create_key().description(format!("{}: {purpose}", names.zone)).tags(tag).send().await?;
    let key = made.key_metadata.context("CreateKey answered without the key")?;
    kms.create_alias().alias_name(format!("alias/{name}")).target_key_id(&key.key_id).send().await?;
    Ok((key.arn.context("a key without an ARN")?, key.aws_account_id.context("a key without an account")?))
}
