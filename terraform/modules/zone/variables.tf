variable "registration" {
  description = "The output `registration` of the root module."
  type = object({
    tenant                  = string
    operator_principals     = list(string)
    operator_identities     = list(string)
    tenant_identities       = list(string)
    trust_roots             = list(object({ certificate_pem = string, trust_domain = string, accept_athenz_common_name = bool }))
    terraform_principals    = list(string)
    admin_role_arn          = string
    admin_role_name         = string
    permission_boundary_arn = string
  })
}

variable "zone" {
  description = "The zone as the operator names it, e.g. prod.aws-us-east-1c."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*(\\.[a-z0-9][a-z0-9-]*)*$", var.zone)) && length(var.zone) <= 32
    error_message = "zone must be lower-case labels joined by dots, 32 characters at most, got \"${var.zone}\"."
  }
}

variable "availability_zones" {
  description = "Availability zones of hosts and load balancers. Add further ones at the end: addresses follow from the position."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 1 && length(var.availability_zones) <= 8
    error_message = "availability_zones must name 1 to 8 availability zones, got ${length(var.availability_zones)}."
  }
  validation {
    condition     = length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones must not name one twice."
  }
  validation {
    condition     = alltrue([for zone in var.availability_zones : can(regex("^[a-z]{2}[a-z0-9-]{4,40}$", zone))])
    error_message = "availability_zones must be names such as us-east-1a."
  }
}

variable "images" {
  description = "The only images that hosts may boot. All must have the same root device."
  type        = list(string)

  validation {
    condition     = length(var.images) >= 1 && alltrue([for image in var.images : can(regex("^ami-([0-9a-f]{8}|[0-9a-f]{17})$", image))])
    error_message = "images must hold at least one AMI id, ami- and 8 or 17 hexadecimal digits each."
  }
}

variable "max_hosts" {
  description = "Most hosts in the zone; the first v1/gate.json says so."
  type        = number

  validation {
    condition     = var.max_hosts >= 0 && var.max_hosts <= 4000 && floor(var.max_hosts) == var.max_hosts
    error_message = "max_hosts must be a whole number from 0 to 4000, got ${var.max_hosts}."
  }
}

variable "destruction" {
  description = "How many hosts may be destroyed within an hour, and what share of those there are; the first v1/gate.json says so. Null leaves it to the function's default."
  type        = object({ hosts_per_hour = number, share_per_hour_percent = number })
  default     = null

  validation {
    condition     = try(var.destruction.hosts_per_hour >= 0 && var.destruction.share_per_hour_percent >= 0 && var.destruction.share_per_hour_percent <= 100, var.destruction == null)
    error_message = "destruction must have hosts_per_hour of 0 or more and share_per_hour_percent from 0 to 100."
  }
}

variable "pace_percent" {
  description = "Pace of the provision function's calls to EC2 and ELB in percent of the usual one: more where AWS raised the account's limits, less to leave more to other tools."
  type        = number
  default     = 100

  validation {
    condition     = var.pace_percent >= 1 && var.pace_percent <= 10000 && floor(var.pace_percent) == var.pace_percent
    error_message = "pace_percent must be a whole number from 1 to 10000, got ${var.pace_percent}."
  }
}

variable "root_volume_gib" {
  description = "Size of each host's root volume in GiB."
  type        = number
  default     = 64

  # gp3: https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html
  validation {
    condition     = var.root_volume_gib >= 1 && var.root_volume_gib <= 65536 && floor(var.root_volume_gib) == var.root_volume_gib
    error_message = "root_volume_gib must be a whole number from 1 to 65536, got ${var.root_volume_gib}."
  }
}

variable "tunnel" {
  description = <<-EOT
    The hosts' tunnel: `targets` are the only local addresses that it may reach, by name; `gateways` are the operator's tunnel
    gateways, host:port.
  EOT
  type = object({
    targets  = map(string)
    gateways = list(string)
  })

  validation {
    condition = alltrue([
      for name, target in var.tunnel.targets :
      can(regex("^[a-z][a-z0-9-]{0,62}$", name)) && can(regex("^(127\\.0\\.0\\.1|\\[::1\\]):[1-9][0-9]{0,4}$", target))
    ])
    error_message = "tunnel.targets must map names to loopback addresses with a port, e.g. application = \"127.0.0.1:8080\"."
  }
  validation {
    condition     = alltrue([for target in values(var.tunnel.targets) : !endswith(target, ":22")])
    error_message = "tunnel.targets must not name port 22: a shell is never a tunnel target, modules/ssh is the way to one."
  }
  validation {
    condition     = length(var.tunnel.gateways) >= 2 && alltrue([for gateway in var.tunnel.gateways : can(regex("^[^\\s,=]+:[1-9][0-9]{0,4}$", gateway))])
    error_message = "tunnel.gateways must name at least two gateways, host:port each."
  }
}

variable "host_units" {
  description = "systemd units that a host starts at boot."
  type        = list(string)
  default     = ["tunnel-agent.service", "log-sync.service"]
}

variable "web_identity_audience" {
  description = "Audience of the token that hosts identify themselves with to Athenz; null where identities come from files. The account needs outbound web identity federation switched on."
  type        = string
  default     = null
}

variable "tags" {
  description = "Further tags on everything that Terraform makes here."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(key, "enclave:")])
    error_message = "tags must not begin with enclave:, which marks what requests create."
  }
}
