//! The network: one VPC, subnets for hosts and for balancers, two gateways, two security groups.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    AttributeBooleanValue, IpPermission, IpRange, Ipv6Range, ResourceType, Tag, TagSpecification,
    UserIdGroupPair,
};
use enclave_protocol::names::AvailabilityZone;

use super::{Names, Wanted};
use crate::wait;

const ANY_IPV4: &str = "0.0.0.0/0";
const ANY_IPV6: &str = "::/0";

/// AWS associates an IPv6 block within seconds.
const ASSOCIATION_LIMIT: Duration = Duration::from_mins(1);

/// What network the zone has.
#[derive(Debug, Clone)]
pub struct Network {
    /// The zone's only VPC.
    pub vpc_id: String,
    /// Subnets of each availability zone.
    pub subnets: BTreeMap<AvailabilityZone, Subnets>,
    /// Security group of every host.
    pub host_security_group_id: String,
    /// Security group of every balancer.
    pub balancer_security_group_id: String,
}

/// The subnets in one availability zone.
#[derive(Debug, Clone)]
pub struct Subnets {
    /// For hosts: the way out is the egress-only gateway.
    pub host: String,
    /// For balancers: open to the internet gateway.
    pub balancer: String,
}

pub(super) async fn make(ec2: &Client, wanted: &Wanted, names: &Names) -> Result<Network> {
    let (vpc_id, ipv6_block) = make_vpc(ec2, names).await?;
    let subnets = make_subnets(ec2, wanted, names, &vpc_id, &ipv6_block).await?;
    route(ec2, names, &vpc_id, &subnets).await?;
    let host_security_group_id = make_group(ec2, names, &vpc_id, "hosts").await?;
    let balancer_security_group_id = make_group(ec2, names, &vpc_id, "balancers").await?;
    let network = Network { vpc_id, subnets, host_security_group_id, balancer_security_group_id };
    admit(ec2, &network).await?;
    Ok(network)
}

/// Tags that name one resource.
pub(super) fn named(kind: ResourceType, name: impl Into<String>) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(kind)
        .tags(Tag::builder().key("Name").value(name).build())
        .build()
}

async fn make_vpc(ec2: &Client, names: &Names) -> Result<(String, String)> {
    let made = ec2
        .create_vpc()
        .cidr_block("10.0.0.0/16")
        .amazon_provided_ipv6_cidr_block(true)
        .tag_specifications(named(ResourceType::Vpc, &names.zone))
        .send()
        .await?;
    let vpc_id = made.vpc.and_then(|vpc| vpc.vpc_id).context("CreateVpc answered without a VPC")?;
    let block = wait::until("the VPC has an IPv6 block", ASSOCIATION_LIMIT, async || {
        let answer = ec2.describe_vpcs().vpc_ids(&vpc_id).send().await?;
        let vpc = answer.vpcs().first();
        Ok(vpc.and_then(|vpc| vpc.ipv6_cidr_block_association_set().first()?.ipv6_cidr_block.clone()))
    })
    .await?;
    Ok((vpc_id, block))
}

async fn make_subnets(
    ec2: &Client,
    wanted: &Wanted,
    names: &Names,
    vpc_id: &str,
    ipv6_block: &str,
) -> Result<BTreeMap<AvailabilityZone, Subnets>> {
    let mut subnets = BTreeMap::new();
    for (position, zone) in (0_u8..).zip(&wanted.availability_zones) {
        let subnet = async |purpose: &str, number: u8, cidr_block: String| {
            let made = ec2
                .create_subnet()
                .vpc_id(vpc_id)
                .availability_zone(zone.as_str())
                .cidr_block(cidr_block)
                .ipv6_cidr_block(part_of(ipv6_block, number)?)
                .tag_specifications(named(ResourceType::Subnet, format!("{}-{purpose}-{zone}", names.zone)))
                .send()
                .await?;
            let id = made.subnet.and_then(|subnet| subnet.subnet_id);
            let id = id.context("CreateSubnet answered without a subnet")?;
            // Off by default in a VPC of one's own; said aloud because it is a promise.
            let never = AttributeBooleanValue::builder().value(false).build();
            ec2.modify_subnet_attribute().subnet_id(&id).map_public_ip_on_launch(never).send().await?;
            anyhow::Ok(id)
        };
        // Hosts count up from 0 and balancers from 128, so that a further zone never moves a block.
        // A host has a private IPv4 address, too, and a request may ask for a thousand hosts.
        let (hosts, balancers) = (position * 16, 128 + position);
        let host = subnet("hosts", position, format!("10.0.{hosts}.0/20")).await?;
        let balancer = subnet("balancers", balancers, format!("10.0.{balancers}.0/24")).await?;
        subnets.insert(zone.clone(), Subnets { host, balancer });
    }
    Ok(subnets)
}

/// The `number`th /64 of a VPC's /56.
fn part_of(block: &str, number: u8) -> Result<String> {
    let (address, length) = block.split_once('/').context("an IPv6 block without a length")?;
    if length != "56" {
        bail!("a VPC's IPv6 block is a /56, got {block}");
    }
    let address: std::net::Ipv6Addr = address.parse().context("an IPv6 block without an address")?;
    let mut parts = address.segments();
    parts[3] |= u16::from(number);
    Ok(format!("{}/64", std::net::Ipv6Addr::from(parts)))
}

async fn route(
    ec2: &Client,
    names: &Names,
    vpc_id: &str,
    subnets: &BTreeMap<AvailabilityZone, Subnets>,
) -> Result<()> {
    let made = ec2.create_egress_only_internet_gateway().vpc_id(vpc_id).send().await?;
    let egress =
        made.egress_only_internet_gateway.and_then(|gateway| gateway.egress_only_internet_gateway_id);
    let egress = egress.context("CreateEgressOnlyInternetGateway answered without a gateway")?;
    let made = ec2.create_internet_gateway().send().await?;
    let internet = made.internet_gateway.and_then(|gateway| gateway.internet_gateway_id);
    let internet = internet.context("CreateInternetGateway answered without a gateway")?;
    ec2.attach_internet_gateway().internet_gateway_id(&internet).vpc_id(vpc_id).send().await?;

    let hosts =
        make_route_table(ec2, names, vpc_id, "hosts", subnets.values().map(|pair| &pair.host)).await?;
    ec2.create_route()
        .route_table_id(&hosts)
        .destination_ipv6_cidr_block(ANY_IPV6)
        .egress_only_internet_gateway_id(egress)
        .send()
        .await?;

    let balancers = subnets.values().map(|pair| &pair.balancer);
    let balancers = make_route_table(ec2, names, vpc_id, "balancers", balancers).await?;
    let open = || ec2.create_route().route_table_id(&balancers).gateway_id(&internet);
    open().destination_cidr_block(ANY_IPV4).send().await?;
    open().destination_ipv6_cidr_block(ANY_IPV6).send().await?;
    Ok(())
}

async fn make_route_table(
    ec2: &Client,
    names: &Names,
    vpc_id: &str,
    purpose: &str,
    subnets: impl Iterator<Item = &String>,
) -> Result<String> {
    let made = ec2
        .create_route_table()
        .vpc_id(vpc_id)
        .tag_specifications(named(ResourceType::RouteTable, format!("{}-{purpose}", names.zone)))
        .send()
        .await?;
    let table = made.route_table.and_then(|table| table.route_table_id);
    let table = table.context("CreateRouteTable answered without a table")?;
    for subnet in subnets {
        ec2.associate_route_table().route_table_id(&table).subnet_id(subnet).send().await?;
    }
    Ok(table)
}

async fn make_group(ec2: &Client, names: &Names, vpc_id: &str, purpose: &str) -> Result<String> {
    let made = ec2
        .create_security_group()
        .vpc_id(vpc_id)
        .group_name(format!("{}-{purpose}", names.zone))
        .description(format!("{}: {purpose}", names.zone))
        .send()
        .await?;
    made.group_id.context("CreateSecurityGroup answered without a group")
}

/// Who reaches whom: the world a balancer, a balancer and the hosts a host, a host the world by IPv6 only.
async fn admit(ec2: &Client, network: &Network) -> Result<()> {
    let (hosts, balancers) = (&network.host_security_group_id, &network.balancer_security_group_id);
    let everything = || IpPermission::builder().ip_protocol("-1");
    let group = |id: &String| UserIdGroupPair::builder().group_id(id).build();
    let to_hosts =
        everything().user_id_group_pairs(group(hosts)).user_id_group_pairs(group(balancers)).build();
    ec2.authorize_security_group_ingress().group_id(hosts).ip_permissions(to_hosts).send().await?;

    let world = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(1)
        .to_port(65535)
        .ip_ranges(IpRange::builder().cidr_ip(ANY_IPV4).build())
        .ipv6_ranges(Ipv6Range::builder().cidr_ipv6(ANY_IPV6).build());
    ec2.authorize_security_group_ingress().group_id(balancers).ip_permissions(world.build()).send().await?;

    // A new group lets everything out, by IPv4 and, in a VPC with an IPv6 block, by IPv6.
    let known = ec2.describe_security_groups().group_ids(hosts).group_ids(balancers).send().await?;
    for group in known.security_groups() {
        let out = group.ip_permissions_egress().to_vec();
        if !out.is_empty() {
            let revoke = ec2.revoke_security_group_egress().set_group_id(group.group_id.clone());
            revoke.set_ip_permissions(Some(out)).send().await?;
        }
    }
    let out = everything().ipv6_ranges(Ipv6Range::builder().cidr_ipv6(ANY_IPV6).build()).build();
    ec2.authorize_security_group_egress().group_id(hosts).ip_permissions(out).send().await?;
    let out = everything().user_id_group_pairs(group(hosts)).build();
    ec2.authorize_security_group_egress().group_id(balancers).ip_permissions(out).send().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_numbered_in_the_last_byte_before_the_host() {
        assert_eq!(part_of("2600:1f18:abcd:1200::/56", 129).unwrap(), "2600:1f18:abcd:1281::/64");
        assert!(part_of("2600:1f18:abcd:1200::/64", 1).is_err());
    }
}
