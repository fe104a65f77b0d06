//! Each command, from its arguments to its exit code.

use std::ops::ControlFlow;
use std::time::Duration;

use enclave_client::{Client, ClientError, EnclaveDescription, Signer, Template, request};
use enclave_protocol::notice::Notice;
use jiff::Timestamp;

use crate::arguments::{Arguments, Command, RequestArguments};
use crate::error::{CliError, exit_code};
use crate::follow::Progress;
use crate::freeze::Freezer;
use crate::output::answer;
use crate::render::{render, render_freeze, render_notice};

/// A watch without end ends after a year.
const WITHOUT_END_SECONDS: u64 = 31_536_000;

/// Runs one command and says with which code to exit.
pub(crate) async fn run(arguments: Arguments) -> Result<u8, CliError> {
    let path = arguments.enclave.ok_or_else(|| {
        CliError::Usage("which enclave? name the file that describes it: --enclave READY.json".to_owned())
    })?;
    let enclave = EnclaveDescription::read(&path)?;
    match arguments.command {
        Command::Request(arguments_of_request) => {
            follow(&enclave, arguments_of_request, arguments.json).await
        }
        Command::Watch(watch) => {
            let wait = Duration::from_secs(watch.wait_seconds.unwrap_or(WITHOUT_END_SECONDS));
            let mut shown = Ok(());
            let show = |notice: &Notice| {
                shown = answer(arguments.json, notice, &render_notice(notice));
                if shown.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            Client::connect(&enclave).await.notices(wait, show).await?;
            shown?;
            Ok(0)
        }
        Command::Freeze(freeze) => {
            let outcome = Freezer::connect(&enclave).await?.freeze(freeze, Timestamp::now()).await?;
            answer(arguments.json, &outcome, &render_freeze(&outcome))?;
            Ok(0)
        }
        Command::Unfreeze => {
            let outcome = Freezer::connect(&enclave).await?.unfreeze().await?;
            answer(arguments.json, &outcome, &render_freeze(&outcome))?;
            Ok(0)
        }
    }
}

async fn follow(
    enclave: &EnclaveDescription,
    arguments: RequestArguments,
    json: bool,
) -> Result<u8, CliError> {
    let certificate = enclave.operator_certificate.as_deref();
    let certificate = certificate.ok_or(ClientError::MissingField("operator_certificate"))?;
    let key = enclave.operator_key.as_deref().ok_or(ClientError::MissingField("operator_key"))?;
    let signer = Signer::from_files(certificate, key)?;
    let (mode, deadline_seconds) = (arguments.mode(), arguments.deadline_seconds);
    let wait = Duration::from_secs(arguments.wait_seconds());
    let template = Template { mode, deadline_seconds, ..Template::new(enclave, arguments.order()) };
    let envelope = signer.sign(request(template))?;

    let client = Client::connect(enclave).await;
    let sent = client.send(&envelope).await?;
    let progress = Progress::begin(&sent.name());
    let reply = client.await_final(&sent, wait, |reply| progress.show(reply)).await;
    drop(progress);
    let reply = reply?;
    answer(json, &reply, &render(&reply))?;
    Ok(exit_code(reply.status))
}
