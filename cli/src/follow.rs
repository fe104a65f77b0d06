//! Shows that a request is under way, on a terminal only.

use std::io::IsTerminal;
use std::time::Duration;

use enclave_protocol::reply::{HostState, Reply};
use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::output::printable;

/// A line that moves while a request is under way.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins; where standard error is no terminal, nothing is ever shown.
    pub(crate) fn begin(request: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        bar.set_message(format!("request {request} sent"));
        Self(bar)
    }

    /// Shows what a reply says.
    pub(crate) fn show(&self, reply: &Reply) {
        self.0.set_message(line(reply));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn line(reply: &Reply) -> String {
    let message = printable(&reply.message);
    if reply.hosts.is_empty() {
        return message;
    }
    let ready = reply.hosts.iter().filter(|host| host.state == HostState::Ready).count();
    let gone = reply.hosts.iter().filter(|host| host.state == HostState::Terminated).count();
    format!("{message} ({} hosts: {ready} ready, {gone} terminated)", reply.hosts.len())
}
