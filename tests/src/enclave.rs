//! The local enclave: everything of one zone, brought up and taken down together.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use enclave_protocol::names::{AvailabilityZone, TenantName};
use tempfile::TempDir;

use crate::aws::{Clients, Endpoint};
use crate::emulator::Emulator;
use crate::event_source::{EventSource, EventSourceOptions};
use crate::foundation::{self, Made, Wanted};
use crate::function::{Function, FunctionOptions};
use crate::operator_ca::{self, Ca, Identity, LeafOptions, TRUST_DOMAIN, configuration_server_uri};
use crate::paths;
use crate::ready::{Ready, ReadyTemplate};
use crate::recording_proxy::{Call, RecordingProxy};
use crate::schedule::{Schedule, Ticker};

/// What a local enclave is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// An AWS endpoint to use; an emulator of its own when absent.
    pub endpoint_url: Option<String>,
    /// The zone.
    pub zone: String,
    /// The tenant.
    pub tenant: String,
    /// Availability zones, all of the endpoint's region.
    pub availability_zones: Vec<String>,
    /// Most hosts in the zone.
    pub max_hosts: u32,
    /// How often to tick; never by itself when absent. A real enclave ticks once a minute.
    pub tick_every: Option<Duration>,
    /// Binary of the function behind the requests queue; this workspace's `provision` when absent.
    pub function_binary: Option<PathBuf>,
    /// How long one invocation may take.
    pub function_timeout: Duration,
    /// Most requests in one event.
    pub batch_size: usize,
    /// Pace of the function's calls, in percent of what it keeps to at AWS.
    pub pace_percent: u32,
    /// When a request that failed returns, in whole seconds; see [`EventSourceOptions::visibility_on_failure`].
    pub visibility_on_failure: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            endpoint_url: None,
            zone: "dev.aws-us-east-1".to_owned(),
            tenant: "acme".to_owned(),
            availability_zones: vec!["us-east-1a".to_owned(), "us-east-1b".to_owned()],
            max_hosts: 40,
            tick_every: Some(Duration::from_secs(1)),
            function_binary: None,
            function_timeout: Duration::from_mins(1),
            batch_size: 1,
            pace_percent: 10_000,
            visibility_on_failure: Some(Duration::ZERO),
        }
    }
}

/// A running local enclave. [`LocalEnclave::shutdown`] ends it in order; dropped, it ends at once; either way no
/// process is left.
#[derive(Debug)]
pub struct LocalEnclave {
    // In the order in which they are dropped: first what makes work, last what it stands on.
    schedule: Option<Schedule>,
    event_source: Arc<EventSource>,
    function: Arc<Function>,
    proxy: RecordingProxy,
    emulator: Option<Emulator>,
    ticker: Ticker,
    endpoint: Endpoint,
    clients: Clients,
    made: Made,
    operator_root: Ca,
    operator_ca: Ca,
    operator: Identity,
    directory: TempDir,
}

impl LocalEnclave {
    /// Brings it up.
    pub async fn start(options: Options) -> Result<Self> {
        let binary = match &options.function_binary {
            Some(binary) if binary.is_file() => binary.clone(),
            Some(binary) => bail!("{} is missing", binary.display()),
            // Before anything else: it is the likeliest thing to be missing.
            None => paths::binary("provision")?,
        };
        let directory =
            tempfile::Builder::new().prefix("enclave-").tempdir().context("cannot make a directory")?;
        let operator_root = Ca::root("operator root")?;
        let operator_ca = operator_root.intermediate("operator issuing authority")?;
        let operator = operator_ca.issue(LeafOptions::configuration_server(&options.zone))?;
        operator.write(&directory.path().join(OPERATOR_CERTIFICATE), &directory.path().join(OPERATOR_KEY))?;
        operator_ca::write(&directory.path().join(OPERATOR_ROOT), &operator_root.certificate_pem(), 0o644)?;

        let (emulator, endpoint) = if let Some(url) = &options.endpoint_url {
            (None, Endpoint::foreign(url.trim_end_matches('/')))
        } else {
            let emulator = Emulator::start(directory.path()).await?;
            let endpoint = Endpoint::emulated(emulator.url());
            (Some(emulator), endpoint)
        };
        let proxy = RecordingProxy::start(&endpoint.url, &directory.path().join(CALLS_LOG)).await?;
        let clients = Clients::new(&endpoint);
        let wanted = wanted(&options, &endpoint, &operator_root)?;
        let made = foundation::make(&clients, &wanted)
            .await
            .with_context(|| format!("cannot make the foundation at {}", endpoint.url))?;

        let function = Arc::new(Function::new(FunctionOptions {
            name: format!("{}-provision", options.zone.replace('.', "-")),
            binary,
            environment: environment(&options, &endpoint.at(proxy.url()), &made),
            timeout: options.function_timeout,
            memory_mib: 256,
            region: endpoint.region.clone(),
            account: made.foundation.audience.account.clone(),
            log: directory.path().join(FUNCTION_LOG),
        }));
        proxy.kills(function.killer());
        let event_source = Arc::new(EventSource::start(
            clients.sqs.clone(),
            made.queues.requests.clone(),
            Arc::clone(&function),
            EventSourceOptions {
                batch_size: options.batch_size,
                window: Duration::ZERO,
                visibility_on_failure: options.visibility_on_failure,
                region: endpoint.region.clone(),
            },
        ));
        let ticker = Ticker::new(clients.sqs.clone(), made.queues.requests.clone(), &options.zone);
        let schedule =
            options.tick_every.map(|every| Schedule::start(ticker.clone(), every, Arc::clone(&event_source)));
        Ok(Self {
            schedule,
            event_source,
            function,
            proxy,
            emulator,
            ticker,
            endpoint,
            clients,
            made,
            operator_root,
            operator_ca,
            operator,
            directory,
        })
    }

    /// Ends it in order, and what is under way with it. What was made at a foreign endpoint stays there.
    pub async fn shutdown(mut self) {
        drop(self.schedule.take());
        self.event_source.stop();
        self.function.stop().await;
        if let Some(emulator) = self.emulator.take() {
            emulator.stop().await;
        }
    }

    /// Ticks once, whether or not there is a schedule; the id of the tick's message.
    pub async fn tick(&self) -> Result<String> {
        self.ticker.tick().await
    }

    /// Every AWS call of the function so far, in the order of the answers.
    pub fn calls(&self) -> Vec<Call> {
        self.proxy.calls()
    }

    /// The proxy between function and AWS, to let faults strike.
    pub fn proxy(&self) -> &RecordingProxy {
        &self.proxy
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.proxy.forget();
    }

    /// The event source of the requests queue, to pause and resume it, and to hear what was handled.
    pub fn event_source(&self) -> &EventSource {
        &self.event_source
    }

    /// The function behind the requests queue, to invoke it by hand and to read its log.
    pub fn function(&self) -> &Function {
        &self.function
    }

    /// The endpoint that plays AWS; what is called there is not recorded.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The same endpoint behind the recording proxy, as the function sees it.
    pub fn recorded_endpoint(&self) -> Endpoint {
        self.endpoint.at(self.proxy.url())
    }

    /// Clients for [`LocalEnclave::endpoint`].
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The foundation, the gate, and all they stand on.
    pub fn made(&self) -> &Made {
        &self.made
    }

    /// The registered operator identity.
    pub fn operator(&self) -> &Identity {
        &self.operator
    }

    /// The authority that issued it, to issue others.
    pub fn operator_ca(&self) -> &Ca {
        &self.operator_ca
    }

    /// The root that the gate trusts.
    pub fn operator_root(&self) -> &Ca {
        &self.operator_root
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The ids of the processes that run for it.
    pub async fn process_ids(&self) -> Vec<u32> {
        let emulator = self.emulator.as_ref().map(Emulator::process_id);
        emulator.into_iter().chain(self.function.process_id().await).collect()
    }

    /// All of it, for the ready file.
    pub fn ready(&self) -> Result<Ready> {
        let (made, audience) = (&self.made, &self.made.foundation.audience);
        let subnets = &made.network.subnets;
        let file = |name: &str| self.directory.path().join(name);
        Ok(Ready {
            endpoint_url: self.endpoint.url.clone(),
            region: audience.region.clone(),
            account: audience.account.clone(),
            zone: audience.zone.clone(),
            enclave_id: audience.enclave_id.clone(),
            tenant: made.foundation.tenant.clone(),
            requests_queue_url: made.queues.requests.url.clone(),
            requests_dead_letter_queue_url: made.queues.requests_dead_letters.url.clone(),
            results_queue_url: made.queues.results.url.clone(),
            tenant_bucket: made.buckets.tenant.clone(),
            state_bucket: made.buckets.state.clone(),
            audit_bucket: made.buckets.audit.clone(),
            archive_bucket: made.buckets.archive.clone(),
            vpc_id: made.network.vpc_id.clone(),
            host_subnet_ids: subnets.iter().map(|(zone, pair)| (zone.clone(), pair.host.clone())).collect(),
            balancer_subnet_ids: subnets
                .iter()
                .map(|(zone, pair)| (zone.clone(), pair.balancer.clone()))
                .collect(),
            launch_templates: (made.hosts.launch_templates.iter())
                .map(|(zone, it)| (zone.clone(), ReadyTemplate { id: it.id.clone(), version: it.version }))
                .collect(),
            host_security_group_id: made.network.host_security_group_id.clone(),
            balancer_security_group_id: made.network.balancer_security_group_id.clone(),
            volume_kms_key_arn: made.keys.volumes.clone(),
            image: made.hosts.images.first().context("a foundation without an image")?.clone(),
            images: made.hosts.images.clone(),
            operator_certificate: file(OPERATOR_CERTIFICATE),
            operator_key: file(OPERATOR_KEY),
            operator_ca_certificate: file(OPERATOR_ROOT),
            calls_log: file(CALLS_LOG),
            function_log: file(FUNCTION_LOG),
        })
    }
}

impl Drop for LocalEnclave {
    fn drop(&mut self) {
        // The schedule's task may keep the source alive for a moment; it must not invoke anything in it.
        self.event_source.stop();
    }
}

const OPERATOR_CERTIFICATE: &str = "operator.pem";
const OPERATOR_KEY: &str = "operator.key";
const OPERATOR_ROOT: &str = "operator-root.pem";
const CALLS_LOG: &str = "calls.jsonl";
const FUNCTION_LOG: &str = "provision.log";

fn wanted(options: &Options, endpoint: &Endpoint, root: &Ca) -> Result<Wanted> {
    let zones = options.availability_zones.iter().map(|zone| zone.parse::<AvailabilityZone>());
    Ok(Wanted {
        region: endpoint.region.clone(),
        zone: options.zone.clone(),
        tenant: options.tenant.parse::<TenantName>()?,
        availability_zones: zones.collect::<Result<_, _>>()?,
        max_hosts: options.max_hosts,
        function_timeout: options.function_timeout,
        operator_root: root.certificate_der().to_vec(),
        trust_domain: TRUST_DOMAIN.to_owned(),
        operator_identity: configuration_server_uri(&options.zone),
    })
}

/// What `template.yaml` sets in a real account.
fn environment(options: &Options, endpoint: &Endpoint, made: &Made) -> Vec<(String, OsString)> {
    let own = [
        ("ENCLAVE_ZONE", options.zone.as_str()),
        ("ENCLAVE_TENANT_BUCKET", &made.buckets.tenant),
        ("ENCLAVE_STATE_BUCKET", &made.buckets.state),
        ("ENCLAVE_AUDIT_BUCKET", &made.buckets.audit),
        ("ENCLAVE_RESULTS_QUEUE_URL", &made.queues.results.url),
        ("ENCLAVE_PACE_PERCENT", &options.pace_percent.to_string()),
        ("RUST_LOG", "info"),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
    endpoint.environment().into_iter().chain(own).collect()
}
