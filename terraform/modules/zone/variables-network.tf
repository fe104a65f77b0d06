variable "vpc_cidr" {
  description = "Private IPv4 block of the VPC. Its first half is the hosts', a /20 for each availability zone where it is a /16."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.vpc_cidr)[1]), 99) <= 18
    error_message = "vpc_cidr must be an IPv4 block of /16 to /18, got \"${var.vpc_cidr}\"."
  }
}

variable "host_egress" {
  description = "Where hosts may go over IPv6, by the egress-only gateway: prefixes and the ports there."
  type = object({
    ipv6_prefixes = optional(list(string), ["::/0"])
    tcp_ports     = optional(list(number), [443])
    udp_ports     = optional(list(number), [443])
  })
  default = {}

  validation {
    condition     = alltrue([for prefix in var.host_egress.ipv6_prefixes : strcontains(prefix, ":") && can(cidrhost(prefix, 0))])
    error_message = "host_egress.ipv6_prefixes must be IPv6 prefixes, e.g. 2001:db8::/32."
  }
  validation {
    condition     = alltrue([for port in concat(var.host_egress.tcp_ports, var.host_egress.udp_ports) : port >= 1 && port <= 65535])
    error_message = "host_egress ports must be from 1 to 65535."
  }
  # A network ACL has 20 rules in each direction (https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html).
  validation {
    condition     = length(var.host_egress.ipv6_prefixes) * max(2, length(var.host_egress.tcp_ports) + length(var.host_egress.udp_ports)) <= 16
    error_message = "host_egress must come to at most 16 pairs of prefix and port, so that the hosts' network ACL can hold them."
  }
}

variable "ephemeral_ports" {
  description = "Ports that the hosts' kernel uses for outgoing connections (net.ipv4.ip_local_port_range)."
  type        = object({ from = number, to = number })
  default     = { from = 32768, to = 60999 }

  validation {
    condition     = var.ephemeral_ports.from >= 1024 && var.ephemeral_ports.from < var.ephemeral_ports.to && var.ephemeral_ports.to <= 65535
    error_message = "ephemeral_ports must be a range within 1024 to 65535."
  }
}

variable "public_load_balancers" {
  description = "Whether load balancers may face the internet. Without, the VPC has no internet gateway at all."
  type        = bool
  default     = true
}

variable "balancer_ingress_prefixes" {
  description = "Who may reach load balancers: IPv4 and IPv6 prefixes."
  type        = list(string)
  default     = ["0.0.0.0/0", "::/0"]

  validation {
    condition     = alltrue([for prefix in var.balancer_ingress_prefixes : can(cidrhost(prefix, 0))])
    error_message = "balancer_ingress_prefixes must be IPv4 or IPv6 prefixes."
  }
}

variable "balancer_listeners" {
  description = "Ports that load balancers may listen on."
  type        = list(object({ protocol = string, from_port = number, to_port = number }))
  default     = [{ protocol = "tcp", from_port = 443, to_port = 443 }]

  validation {
    condition = alltrue([
      for listener in var.balancer_listeners :
      contains(["tcp", "udp"], listener.protocol) && listener.from_port >= 1 && listener.from_port <= listener.to_port && listener.to_port <= 65535
    ])
    error_message = "balancer_listeners must each have protocol tcp or udp and ports from 1 to 65535, in order."
  }
  validation {
    condition     = length(var.balancer_listeners) * length(var.balancer_ingress_prefixes) <= 17
    error_message = "balancer_listeners and balancer_ingress_prefixes must come to at most 17 pairs, so that the network ACL can hold them."
  }
}

variable "private_link" {
  description = "Whether load balancers may be offered as endpoint services (PrivateLink)."
  type        = bool
  default     = false
}

variable "sts_endpoint" {
  description = "Whether STS gets an interface endpoint. Needed only where hosts use web identities and host_egress leaves AWS's own prefixes out."
  type        = bool
  default     = false
}

variable "vpc_block_public_access" {
  description = <<-EOT
    VPC Block Public Access, a switch for **all** VPCs of the account in the region: `off` leaves it alone, `enforce` turns it on and
    excepts this zone's subnets as far as they need it, `exclusions` makes the exceptions only (for a second zone in the region).
  EOT
  type        = string
  default     = "off"

  validation {
    condition     = contains(["off", "enforce", "exclusions"], var.vpc_block_public_access)
    error_message = "vpc_block_public_access must be off, enforce or exclusions, got \"${var.vpc_block_public_access}\"."
  }
}

variable "region_defaults" {
  description = "Whether this zone sets the region's defaults for the account: new volumes encrypted, no public snapshots. For one zone of a region."
  type        = bool
  default     = true
}
