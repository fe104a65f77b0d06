//! Section 5: requests that must change nothing.

use anyhow::Result;
use enclave_protocol::reply::{Reply, Status};

use crate::attacks::{self, Attack};
use crate::check::Check;
use crate::sections::hosts::Provisioned;
use crate::sections::replay;
use crate::story::Story;
use crate::summary::Refusal;

/// Tries them all.
pub(crate) async fn tell(story: &mut Story<'_>, provisioned: &Provisioned) -> Result<()> {
    story.screen.section(5, "Requests that must change nothing");
    story.screen.say("Each asks for hosts, and each is right in all but one thing.");
    let (before, moment) = (story.look().await?, story.now());
    let image = story.image()?;
    let mut attacks = attacks::all(story.enclave, &story.server, image)?;
    attacks.push(attacks::reused(&story.server, image, &provisioned.envelope)?);
    let mut answered = Vec::new();
    for attack in attacks {
        let reply = story.exchange(attack.name, &attack.envelope).await?;
        answered.push((attack, reply));
    }
    story
        .screen
        .table(["request", "what is wrong", "refused as", "the enclave says"], answered.iter().map(row));
    let mut checks = Vec::new();
    for (attack, reply) in answered {
        checks.push(Check::same(
            format!("{} is refused as {}", attack.name, attack.expected),
            &(Status::Rejected, attack.expected),
            &(reply.status, reply.code),
        ));
        let (what, expected) = (format!("{}: {}", attack.name, attack.wrong), attack.expected);
        story.summary.refusal(Refusal { what, expected, code: reply.code, message: reply.message });
    }
    story.check(checks)?;

    let same_bytes = replay::tell(story, &provisioned.envelope).await?;
    let nothing = story.unchanged_since(moment, &before).await?;
    story.check(std::iter::once(same_bytes))?;
    story.screen.say("And after all seven of them:");
    story.check(nothing)
}

fn row((attack, reply): &(Attack, Reply)) -> [String; 4] {
    [attack.name.to_owned(), attack.wrong.clone(), reply.code.to_string(), reply.message.clone()]
}
