//! Root volume replacement tasks: beginning one, and looking at those of hosts.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{ReplaceRootVolumeTask, ResourceType};
use enclave_core::aws::AwsFailure;
use enclave_core::creation::ReplaceRootVolume;
use enclave_core::reconcile::{Reading, RootVolumeTask, RootVolumeTaskState, RootVolumeTasks};
use enclave_core::tags;
use enclave_protocol::names::HostId;

use crate::Account;
use crate::create::tag_specification;
use crate::hosts::{VALUES_PER_FILTER, filter};

/// Largest page of `DescribeReplaceRootVolumeTasks`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeReplaceRootVolumeTasks.html>).
const TASKS_PER_PAGE: i32 = 50;

impl Account {
    /// Begins to replace a root volume; the old one is deleted when that has succeeded. Its tags are the task's: AWS
    /// takes none for the new volume.
    pub(crate) async fn replace_root_volume(
        &self,
        rebuild: &ReplaceRootVolume,
    ) -> Result<String, AwsFailure> {
        let call = "CreateReplaceRootVolumeTask";
        let output = self
            .pacer
            .call(
                call,
                self.ec2
                    .create_replace_root_volume_task()
                    .client_token(&rebuild.client_token)
                    .instance_id(rebuild.host.as_str())
                    .image_id(rebuild.image.as_str())
                    .delete_replaced_root_volume(true)
                    .tag_specifications(tag_specification(ResourceType::ReplaceRootVolumeTask, &rebuild.tags))
                    .send(),
            )
            .await?;
        let task = output.replace_root_volume_task().and_then(|task| task.replace_root_volume_task_id());
        task.map(str::to_owned).ok_or_else(|| AwsFailure::incomplete(call, "task id"))
    }

    /// The tasks of these hosts, whoever began them and however they ended, as far as AWS still shows them.
    pub async fn observe_root_volume_tasks(&self, hosts: &[HostId]) -> Reading<RootVolumeTasks> {
        match self.read_root_volume_tasks(hosts).await {
            Ok(tasks) => Reading::Known(tasks),
            Err(failure) => Reading::Unknown(failure.to_string()),
        }
    }

    async fn read_root_volume_tasks(&self, hosts: &[HostId]) -> Result<RootVolumeTasks, AwsFailure> {
        let call = "DescribeReplaceRootVolumeTasks";
        let mut tasks: RootVolumeTasks = hosts.iter().map(|host| (host.clone(), Vec::new())).collect();
        for chunk in hosts.chunks(VALUES_PER_FILTER) {
            let mut pages = self
                .ec2
                .describe_replace_root_volume_tasks()
                .filters(filter("instance-id", chunk.iter().map(HostId::to_string)))
                .max_results(TASKS_PER_PAGE)
                .into_paginator()
                .send();
            while let Some(page) = self.pacer.call(call, pages.try_next()).await? {
                for task in page.replace_root_volume_tasks() {
                    let Some((host, task)) = observed_task(&self.enclave_id, task) else {
                        return Err(AwsFailure::incomplete(call, "task id, instance or state"));
                    };
                    tasks.entry(host).or_default().push(task);
                }
            }
        }
        Ok(tasks)
    }
}

fn observed_task(enclave_id: &str, task: &ReplaceRootVolumeTask) -> Option<(HostId, RootVolumeTask)> {
    let tags: BTreeMap<&str, &str> =
        task.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value()?))).collect();
    let ours = tags.get(tags::ENCLAVE_ID) == Some(&enclave_id);
    let tag = |key: &str| tags.get(key).filter(|_| ours).copied();
    let observed = RootVolumeTask {
        task_id: task.replace_root_volume_task_id()?.to_owned(),
        // As a string: the SDK's enum lacks states that AWS documents.
        state: RootVolumeTaskState::from(task.task_state()?.as_str()),
        request_id: tag(tags::REQUEST_ID).and_then(|id| id.parse().ok()),
        client_token: tag(tags::CLIENT_TOKEN).map(str::to_owned),
    };
    Some((task.instance_id()?.parse().ok()?, observed))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::Tag;

    use super::*;

    fn task(state: &str, enclave: &str) -> RootVolumeTask {
        let tag = |key, value: &str| Tag::builder().key(key).value(value).build();
        let shown = ReplaceRootVolumeTask::builder()
            .replace_root_volume_task_id("replacevol-1")
            .instance_id("i-01234567")
            .task_state(state.into())
            .tags(tag(tags::ENCLAVE_ID, enclave))
            .tags(tag(tags::REQUEST_ID, "01938d2c-5e2a-7c3b-8f10-3a5b6c7d8e9f"))
            .tags(tag(tags::CLIENT_TOKEN, "token"))
            .build();
        observed_task("e-1", &shown).unwrap().1
    }

    #[test]
    fn every_state_that_aws_documents_is_known_also_those_that_the_sdk_does_not_name() {
        for (name, state) in [
            ("pending", RootVolumeTaskState::Pending),
            ("in-progress", RootVolumeTaskState::InProgress),
            ("succeeded", RootVolumeTaskState::Succeeded),
            ("failing", RootVolumeTaskState::Failing),
            ("failed", RootVolumeTaskState::Failed),
            ("failing-detached", RootVolumeTaskState::FailingDetached),
            ("failed-detached", RootVolumeTaskState::FailedDetached),
        ] {
            let seen = task(name, "e-1").state;
            assert_eq!(seen.as_str(), name);
            assert_eq!(seen, state);
        }
        let new = task("rewinding", "e-1").state;
        assert_eq!(new, RootVolumeTaskState::Other("rewinding".to_owned()));
        assert!(new.is_active() && !new.is_failure(), "neither an end nor a success");
    }

    #[test]
    fn a_task_is_ours_only_with_the_enclaves_tag() {
        assert_eq!(task("pending", "e-1").client_token.as_deref(), Some("token"));
        assert!(task("pending", "e-1").request_id.is_some());
        let foreign = task("pending", "e-2");
        assert_eq!((foreign.request_id, foreign.client_token), (None, None));
    }
}
