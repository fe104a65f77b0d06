//! The provision function: wiring only.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use provision::{Config, Provision};

#[tokio::main]
async fn main() -> Result<(), Error> {
    enclave_core::telemetry::start_logging();
    let config = Config::from_environment()?;
    let sdk = enclave_core::aws::sdk_config().await;
    let provision = Provision::new(config, &sdk);
    run(service_fn(|event: LambdaEvent<_>| provision.handle(event))).await
}
