//! Endpoint services: looking at them, making and changing them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{self as ec2, ResourceType, ServiceConfiguration, UnsuccessfulItem};
use enclave_core::aws::{AwsFailure, ErrorClass};
use enclave_core::creation::CreateEndpointService;
use enclave_core::reconcile::{EndpointConnection, EndpointServiceState, ObservedEndpointService};
use enclave_core::tags::{self, Owner};
use enclave_protocol::names::PrincipalArn;

use crate::create::tag_specification;
use crate::hosts::filter;
use crate::{Account, BalancingScope};

/// The largest page of the calls that describe endpoint services
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpointServiceConfigurations.html>).
const PER_PAGE: i32 = 1000;

impl Account {
    /// The enclave's endpoint services, with permissions and connections of those in scope.
    pub(crate) async fn endpoint_services(
        &self,
        scope: BalancingScope<'_>,
    ) -> Result<BTreeMap<String, ObservedEndpointService>, AwsFailure> {
        let call = "DescribeVpcEndpointServiceConfigurations";
        let mut pages = self
            .ec2
            .describe_vpc_endpoint_service_configurations()
            .filters(filter(&format!("tag:{}", tags::ENCLAVE_ID), [self.enclave_id.clone()]))
            .max_results(PER_PAGE)
            .into_paginator()
            .send();
        let mut services = BTreeMap::new();
        while let Some(page) = self.pacer.call(call, pages.try_next()).await? {
            for found in page.service_configurations() {
                let tags: BTreeMap<String, String> = found
                    .tags()
                    .iter()
                    .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
                    .collect();
                if tags.get(tags::ENCLAVE_ID) != Some(&self.enclave_id) {
                    continue;
                }
                let Some(id) = found.service_id() else { return Err(AwsFailure::incomplete(call, "id")) };
                let Some(state) = service_state(found) else { continue };
                let owner = Owner::from_tags(&self.enclave_id, &tags);
                let in_scope = scope.contains(owner.as_ref());
                let is_detailed = scope.is_detailed(owner.as_ref());
                let service = ObservedEndpointService {
                    service_name: found.service_name().unwrap_or_default().to_owned(),
                    state,
                    owner,
                    balancer: tags.get(tags::LOAD_BALANCER).cloned(),
                    acceptance_required: found.acceptance_required() == Some(true),
                    ip_address_types: found
                        .supported_ip_address_types()
                        .iter()
                        .map(|kind| kind.as_str().to_owned())
                        .collect(),
                    allowed_principals: if is_detailed {
                        self.principals_of(id).await?
                    } else {
                        BTreeSet::new()
                    },
                    connections: if in_scope { self.connections_to(id).await? } else { BTreeMap::new() },
                };
                services.insert(id.to_owned(), service);
            }
        }
        Ok(services)
    }

    async fn principals_of(&self, service: &str) -> Result<BTreeSet<String>, AwsFailure> {
        let call = "DescribeVpcEndpointServicePermissions";
        let mut pages = self
            .ec2
            .describe_vpc_endpoint_service_permissions()
            .service_id(service)
            .max_results(PER_PAGE)
            .into_paginator()
            .send();
        let mut found = BTreeSet::new();
        while let Some(page) = self.pacer.call(call, pages.try_next()).await? {
            found.extend(
                page.allowed_principals().iter().filter_map(|allowed| Some(allowed.principal()?.to_owned())),
            );
        }
        Ok(found)
    }

    async fn connections_to(
        &self,
        service: &str,
    ) -> Result<BTreeMap<String, EndpointConnection>, AwsFailure> {
        let call = "DescribeVpcEndpointConnections";
        let mut pages = self
            .ec2
            .describe_vpc_endpoint_connections()
            .filters(filter("service-id", [service.to_owned()]))
            .max_results(PER_PAGE)
            .into_paginator()
            .send();
        let mut found = BTreeMap::new();
        while let Some(page) = self.pacer.call(call, pages.try_next()).await? {
            for connection in page.vpc_endpoint_connections() {
                let Some(endpoint) = connection.vpc_endpoint_id() else { continue };
                let state = connection.vpc_endpoint_state().map(ec2::State::as_str).unwrap_or_default();
                let seen = EndpointConnection {
                    account: connection.vpc_endpoint_owner().unwrap_or_default().to_owned(),
                    is_open: is_open(state),
                };
                found.insert(endpoint.to_owned(), seen);
            }
        }
        Ok(found)
    }

    pub(crate) async fn create_endpoint_service(
        &self,
        service: &CreateEndpointService,
    ) -> Result<String, AwsFailure> {
        let call = "CreateVpcEndpointServiceConfiguration";
        let output = self
            .pacer
            .call(
                call,
                self.ec2
                    .create_vpc_endpoint_service_configuration()
                    .client_token(&service.client_token)
                    .acceptance_required(service.acceptance_required)
                    .network_load_balancer_arns(&service.load_balancer_arn)
                    .supported_ip_address_types("ipv4")
                    .supported_ip_address_types("ipv6")
                    .tag_specifications(tag_specification(ResourceType::VpcEndpointService, &service.tags))
                    .send(),
            )
            .await?;
        let id = output.service_configuration().and_then(|made| made.service_id());
        id.map(str::to_owned).ok_or_else(|| AwsFailure::incomplete(call, "service id"))
    }

    pub(crate) async fn configure_endpoint_service(
        &self,
        service: &str,
        acceptance_required: bool,
        add_ip_address_types: &[String],
    ) -> Result<(), AwsFailure> {
        let types = (!add_ip_address_types.is_empty()).then(|| add_ip_address_types.to_vec());
        self.pacer
            .call(
                "ModifyVpcEndpointServiceConfiguration",
                self.ec2
                    .modify_vpc_endpoint_service_configuration()
                    .service_id(service)
                    .acceptance_required(acceptance_required)
                    .set_add_supported_ip_address_types(types)
                    .send(),
            )
            .await
            .map(drop)
    }

    pub(crate) async fn change_principals(
        &self,
        service: &str,
        add: &[PrincipalArn],
        remove: &[String],
    ) -> Result<(), AwsFailure> {
        let add = (!add.is_empty()).then(|| add.iter().map(ToString::to_string).collect());
        let remove = (!remove.is_empty()).then(|| remove.to_vec());
        self.pacer
            .call(
                "ModifyVpcEndpointServicePermissions",
                self.ec2
                    .modify_vpc_endpoint_service_permissions()
                    .service_id(service)
                    .set_add_allowed_principals(add)
                    .set_remove_allowed_principals(remove)
                    .send(),
            )
            .await
            .map(drop)
    }

    /// An endpoint that is gone meanwhile is rejected enough.
    pub(crate) async fn reject_connections(
        &self,
        service: &str,
        endpoints: &[String],
    ) -> Result<(), AwsFailure> {
        let call = "RejectVpcEndpointConnections";
        let output = self
            .pacer
            .call(
                call,
                self.ec2
                    .reject_vpc_endpoint_connections()
                    .service_id(service)
                    .set_vpc_endpoint_ids(Some(endpoints.to_vec()))
                    .send(),
            )
            .await?;
        all_done(call, output.unsuccessful())
    }

    /// A service that is gone is deleted enough.
    pub(crate) async fn delete_endpoint_service(&self, service: &str) -> Result<(), AwsFailure> {
        let call = "DeleteVpcEndpointServiceConfigurations";
        let delete = self.ec2.delete_vpc_endpoint_service_configurations().service_ids(service).send();
        match self.pacer.call(call, delete).await {
            Ok(output) => all_done(call, output.unsuccessful()),
            Err(failure) if failure.class == ErrorClass::NotFound => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

/// What an answer of 200 says of the things that a removing call named: the failure that is worst, where there is one.
fn all_done(call: &str, unsuccessful: &[UnsuccessfulItem]) -> Result<(), AwsFailure> {
    let failures = unsuccessful.iter().map(|item| {
        let error = item.error();
        let code = error.and_then(|error| error.code());
        AwsFailure::listed(call, code, error.and_then(|error| error.message()))
    });
    // What cannot succeed later is worse than what can.
    let worst = failures
        .filter(|failure| failure.class != ErrorClass::NotFound)
        .min_by_key(|failure| failure.class.is_worth_retrying());
    worst.map_or(Ok(()), Err)
}

/// None where the service is deleted: AWS shows it for some time.
fn service_state(service: &ServiceConfiguration) -> Option<EndpointServiceState> {
    let state = service.service_state().map(ec2::ServiceState::as_str).unwrap_or_default();
    match state.to_ascii_lowercase().as_str() {
        "available" => Some(EndpointServiceState::Available),
        "deleting" => Some(EndpointServiceState::Deleting),
        "failed" => Some(EndpointServiceState::Failed),
        "deleted" => None,
        _ => Some(EndpointServiceState::Pending),
    }
}

/// States in which a connection keeps its service from being deleted; EC2 writes them as `pendingAcceptance`, its
/// model as `PendingAcceptance`
/// (<https://docs.aws.amazon.com/vpc/latest/privatelink/delete-endpoint-service.html>).
fn is_open(state: &str) -> bool {
    ["available", "pendingacceptance", "partial"].contains(&state.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(code: &str) -> UnsuccessfulItem {
        let error = ec2::UnsuccessfulItemError::builder().code(code).message("m").build();
        UnsuccessfulItem::builder().resource_id("vpce-1").error(error).build()
    }

    #[test]
    fn an_answer_of_200_is_done_only_when_everything_it_names_is_done_or_gone() {
        let class = |codes: &[&str]| {
            let items: Vec<UnsuccessfulItem> = codes.iter().map(|code| item(code)).collect();
            all_done("Delete", &items).err().map(|failure| failure.class)
        };
        assert_eq!(class(&[]), None);
        assert_eq!(class(&["InvalidVpcEndpointService.NotFound"]), None);
        assert_eq!(class(&["ExistingVpcEndpointConnections"]), Some(ErrorClass::InUse));
        let worst = ["RequestLimitExceeded", "UnauthorizedOperation", "InvalidVpcEndpointId.NotFound"];
        assert_eq!(class(&worst), Some(ErrorClass::Refused));
        let nameless = UnsuccessfulItem::builder().resource_id("vpce-1").build();
        assert_eq!(all_done("Delete", &[nameless]).unwrap_err().class, ErrorClass::Unknown);
    }

    #[test]
    fn states_are_read_however_they_are_written() {
        for (state, expected) in [
            ("available", true),
            ("Available", true),
            ("pendingAcceptance", true),
            ("PendingAcceptance", true),
            ("pending", false),
            ("rejected", false),
            ("deleted", false),
            ("", false),
        ] {
            assert_eq!(is_open(state), expected, "{state}");
        }
        let of =
            |state: &str| service_state(&ServiceConfiguration::builder().service_state(state.into()).build());
        assert_eq!(of("Available"), Some(EndpointServiceState::Available));
        assert_eq!(of("available"), Some(EndpointServiceState::Available));
        assert_eq!(of("Deleted"), None);
        assert_eq!(of("new"), Some(EndpointServiceState::Pending));
    }
}
