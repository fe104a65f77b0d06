//! How a program that runs a local enclave is asked to end.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::mpsc;

/// Says when it is time to end. Signals come to a thread of their own, so none is lost while the enclave starts.
pub fn signalled() -> Result<mpsc::Receiver<()>> {
    let (sender, receiver) = mpsc::channel(1);
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot listen for signals")?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _signal in signals.forever() {
                // A second one while the first is being served changes nothing.
                let _ = sender.try_send(());
            }
        })
        .context("cannot start a thread")?;
    Ok(receiver)
}
