//! Part of section 5: the very same request once more.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use enclave_protocol::envelope::Envelope;
use enclave_protocol::reply::Reply;
use enclave_tests::recording_proxy::Call;
use enclave_tests::wait;
use serde_json::Value;

use crate::check::Check;
use crate::outline::short;
use crate::story::Story;
use crate::summary::{Action, Calls};

/// Longest wait for the answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends `envelope`, which was carried out before, and shows that it is answered with the same bytes.
pub(crate) async fn tell(story: &mut Story<'_>, envelope: &Envelope) -> Result<Check> {
    story.screen.say(
        "Now the request of section 2 once more, signature and all, as somebody could send it who had\n\
         recorded it. SQS swallows an equal message for five minutes, so the envelope gets other white space\n\
         between its fields: another message, the same signed bytes. The results queue swallows equal\n\
         answers in the same way, so the answer is taken from the record of the function's calls.",
    );
    let first =
        answers(&story.enclave.calls(), envelope).pop().context("the first answer is not on record")?;
    let (moment, begin) = (story.now(), Instant::now());
    let waiting = story.screen.wait("replayed");
    let fields: Value = serde_json::from_str(&envelope.to_json())?;
    story.server.send_body(&serde_json::to_string_pretty(&fields)?).await?;
    let answered = async || Ok(answers(&story.calls_since(moment), envelope).pop());
    let second = wait::until("the replay is answered", PATIENCE, answered).await?;
    let duration = begin.elapsed();
    story.settle().await?;
    let reply: Reply = serde_json::from_str(&second)?;
    let calls = Calls::of(&story.calls_since(moment));
    waiting.done(&format!("replayed: {}", reply.code), &format!(", {}", calls.in_short()));
    story.screen.pairs(&[("first answer", digest(&first)), ("second answer", digest(&second))]);
    story.summary.action(Action::new("replayed", envelope, reply, duration, calls));
    Ok(Check::same("the replay is answered with the very bytes of the first answer", &first, &second))
}

/// The final answers to an envelope among the function's calls.
fn answers(calls: &[Call], envelope: &Envelope) -> Vec<String> {
    let sent = calls.iter().filter(|call| call.service == "sqs" && call.action == "SendMessage");
    let bodies = sent.map(|call| call.parameter("MessageBody").to_owned());
    let answers = bodies.filter(|body| {
        serde_json::from_str::<Reply>(body)
            .is_ok_and(|reply| reply.envelope_sha256 == Some(envelope.sha256()) && reply.status.is_final())
    });
    answers.collect()
}

fn digest(body: &str) -> String {
    use sha2::{Digest, Sha256};
    format!("{} bytes, SHA-256 {}…", body.len(), short(&hex::encode(Sha256::digest(body))))
}
