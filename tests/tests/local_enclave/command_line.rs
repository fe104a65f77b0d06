//! `enclave-local up`, as people and scripts run it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use enclave_tests::ready::Ready;
use enclave_tests::wait;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{ECHO, LIMIT, runs};

struct Up {
    child: Child,
    ready: Ready,
    descendants: BTreeSet<u32>,
    directory: TempDir,
}

/// Brings an enclave up and waits until its function runs.
async fn up(more: &[&str]) -> Up {
    let directory = tempfile::tempdir().unwrap();
    let ready_file = directory.path().join("ready.json");
    let child = Command::new(env!("CARGO_BIN_EXE_enclave-local"))
        .args(["up", "--function-binary", ECHO, "--tick-every", "100ms", "--ready-file"])
        .arg(&ready_file)
        .args(more)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let ready = wait::until("the ready file", 4 * LIMIT, async || {
        Ok(if ready_file.exists() { Some(Ready::read(&ready_file)?) } else { None })
    });
    let ready = ready.await.unwrap();
    let descendants = wait::until("emulator and function run", LIMIT, async || {
        let found = descendants(child.id());
        Ok((found.len() >= 2).then_some(found))
    });
    let descendants = descendants.await.unwrap();
    Up { child, ready, descendants, directory }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Everything that a process started, directly or not.
fn descendants(of: u32) -> BTreeSet<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
            let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
            Some((id, parent.trim().parse().ok()?))
        })
        .collect();
    let mut found = BTreeSet::from([of]);
    while let Some(next) = parents.iter().find(|(id, parent)| found.contains(parent) && !found.contains(id)) {
        found.insert(next.0);
    }
    found.remove(&of);
    found
}

async fn gone(processes: &BTreeSet<u32>) {
    wait::until("every process is gone", LIMIT, async || {
        Ok((!processes.iter().any(|id| runs(*id))).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn it_ends_cleanly_on_sigterm_and_leaves_nothing() {
    let mut up = up(&["--zone", "test.aws-us-east-1", "--max-hosts", "7"]).await;
    assert_eq!(up.ready.zone, "test.aws-us-east-1");
    assert_eq!(up.ready.account, "123456789012");
    assert_eq!(up.ready.launch_templates.len(), 2);
    for file in
        [&up.ready.operator_certificate, &up.ready.operator_key, &up.ready.calls_log, &up.ready.function_log]
    {
        assert!(file.is_file(), "{}", file.display());
    }
    signal(&up.child, Signal::TERM);
    assert!(up.child.wait().unwrap().success());
    // At once, not some time later.
    assert_eq!(up.descendants.iter().filter(|id| runs(**id)).count(), 0);
    assert!(!up.directory.path().join("ready.json").exists());
    assert!(!up.ready.operator_key.exists());
}

#[tokio::test]
async fn it_ends_cleanly_on_ctrl_c_even_while_it_starts() {
    let mut starting = Command::new(env!("CARGO_BIN_EXE_enclave-local"))
        .args(["up", "--function-binary", ECHO])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let children = wait::until("something was started", LIMIT, async || {
        let found = descendants(starting.id());
        Ok((!found.is_empty()).then_some(found))
    });
    let children = children.await.unwrap();
    signal(&starting, Signal::INT);
    assert!(starting.wait().unwrap().success());
    assert_eq!(children.iter().filter(|id| runs(**id)).count(), 0);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_survives_even_when_it_is_killed() {
    let mut up = up(&[]).await;
    signal(&up.child, Signal::KILL);
    up.child.wait().unwrap();
    gone(&up.descendants).await;
    let left = up.ready.operator_key.parent().map(Path::to_owned).unwrap();
    std::fs::remove_dir_all(left).unwrap();
}

#[test]
fn a_missing_function_and_a_bad_endpoint_are_named() {
    let failure = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_enclave-local")).arg("up").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let error = failure(&["--function-binary", "/nowhere/provision"]);
    assert!(error.contains("/nowhere/provision"), "{error}");
    let error = failure(&["--function-binary", ECHO, "--endpoint-url", "https://127.0.0.1:1"]);
    assert!(error.contains("http://"), "{error}");
}
