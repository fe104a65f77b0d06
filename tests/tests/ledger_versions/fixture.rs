//! What is kept of one version: ledger objects, the calls that made the account, and what was signed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use enclave_tests::enclave::LocalEnclave;
use enclave_tests::outside::Owner;
use enclave_tests::paths;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where all versions are kept.
pub(crate) fn fixtures() -> PathBuf {
    paths::repository().join("tests/fixtures")
}

/// Which version's objects, for whom, and what they are about.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scene {
    /// The audience that was signed: the enclave that restores this takes its id.
    pub(crate) audience: Value,
    /// The root of those who signed (DER, base64); nobody has its key.
    pub(crate) root_certificate: String,
    /// Ids that were signed, or that names hash, and that the account must therefore have.
    pub(crate) image: String,
    /// As above.
    pub(crate) balancer_security_group: String,
    /// Every request, oldest first.
    pub(crate) requests: Vec<RequestOf>,
}

/// One request of the fixture.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestOf {
    /// How far it came.
    pub(crate) standing: Standing,
    /// Its id.
    pub(crate) request_id: String,
    /// Its order, as it was signed.
    pub(crate) order: Value,
}

/// How far a request had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// Its final reply was sent.
    Finished,
    /// Two launches are in the ledger without an answer; one of them took effect.
    LaunchesUnanswered,
    /// Its hosts are launched and not attested.
    Launched,
    /// Its host is shutting down.
    ShuttingDown,
    /// Target group and balancer are made, the listener is not.
    ListenerUnanswered,
    /// Listener and balancer are deleted, the target group is not.
    TargetGroupLeft,
    /// It was claimed, and its invocation died with the lease in its hands.
    Claimed,
}

/// A call that changed the account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    pub(crate) service: String,
    pub(crate) action: String,
    pub(crate) parameters: Map<String, Value>,
    /// Ids of the hosts that it launched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hosts: Vec<String>,
    /// The placeholder for the ARN of what it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made: Option<String>,
}

/// A version's fixture.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) scene: Scene,
    pub(crate) changes: Vec<Change>,
    /// Ledger objects by key, with placeholders.
    objects: BTreeMap<String, String>,
}

/// Placeholders and what they stand for in one enclave.
pub(crate) type Names = BTreeMap<String, String>;

/// When a request is given up; it would be long past.
pub(crate) const DEADLINE: &str = "{{deadline}}";

/// When the invocation that died had to give the line back; past, whatever this machine's clock says.
pub(crate) const LEASE_END: &str = "{{lease end}}";

impl Fixture {
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let text = |name: &str| {
            let file = directory.join(name);
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
        };
        let mut objects = BTreeMap::new();
        for file in files(&directory.join("state"))? {
            let key = file.strip_prefix(directory)?.to_str().context("a file's name")?.to_owned();
            objects.insert(key.clone(), text(&key)?);
        }
        let fixture = Self {
            scene: serde_json::from_str(&text("scene.json")?)?,
            changes: serde_json::from_str(&text("changes.json")?)?,
            objects,
        };
        if fixture.objects.is_empty() || fixture.open().count() == 0 {
            bail!("{} holds no open request", directory.display());
        }
        Ok(fixture)
    }

    pub(crate) fn requests(&self) -> impl Iterator<Item = &RequestOf> {
        self.scene.requests.iter()
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = &RequestOf> {
        self.requests().filter(|request| request.standing != Standing::Finished)
    }

    /// Puts the objects into the enclave's state bucket.
    pub(crate) async fn put(&self, enclave: &LocalEnclave, names: &Names) -> Result<()> {
        let mut names = names.clone();
        let now = Timestamp::now();
        names.insert(DEADLINE.to_owned(), (now + SignedDuration::from_mins(30)).to_string());
        names.insert(LEASE_END.to_owned(), (now - SignedDuration::from_secs(1)).to_string());
        for (key, object) in &self.objects {
            let body = filled(object, &names).with_context(|| key.clone())?;
            let put = enclave.clients().s3.put_object().bucket(&enclave.made().buckets.state).key(key);
            put.body(body.into_bytes().into()).send().await?;
        }
        Ok(())
    }
}

/// A text with every placeholder filled.
pub(crate) fn filled(text: &str, names: &Names) -> Result<String> {
    let mut text = text.to_owned();
    for (placeholder, meaning) in names {
        text = text.replace(placeholder.as_str(), meaning);
    }
    match text.split_once("{{") {
        Some((_, rest)) => bail!("nothing is known of {{{{{}", rest.chars().take(80).collect::<String>()),
        None => Ok(text),
    }
}

/// Whom an order is about.
pub(crate) fn owner(order: &Value) -> Owner {
    let text = |name: &str| order[name].as_str().unwrap_or_default().to_owned();
    (text("application"), text("cluster"))
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}
