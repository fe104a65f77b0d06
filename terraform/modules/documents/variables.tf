variable "audience" {
  description = "The one audience that requests must name: account, region, zone, enclave_id."
  type = object({
    account    = string
    region     = string
    zone       = string
    enclave_id = string
  })
}

variable "tenant" {
  description = "The tenant the account is registered to."
  type        = string
}

variable "foundation" {
  description = "What the zone's foundation provides; without the user data's hash, which is made here."
  type = object({
    vpc_id                     = string
    host_security_group_id     = string
    balancer_security_group_id = string
    instance_profile_arn       = string
    volume_kms_key_arn         = string
    images                     = list(string)
    availability_zones = map(object({
      host_subnet_id          = string
      balancer_subnet_id      = string
      launch_template_id      = string
      launch_template_version = number
      root_volume_gib         = number
    }))
  })
  default = null
}

variable "trust_roots" {
  description = "Root certificates (PEM) with the SPIFFE trust domain that each may vouch for."
  type = list(object({
    certificate_pem           = string
    trust_domain              = string
    accept_athenz_common_name = bool
  }))
  default = []
}

variable "operator_identities" {
  description = "Identities of the operator's configuration servers."
  type        = list(string)
  default     = []
}

variable "tenant_identities" {
  description = "Identities of the tenant's own that may sign requests."
  type        = list(string)
  default     = []
}

variable "max_hosts" {
  description = "Most hosts in the zone."
  type        = number
  default     = 0
}

variable "host" {
  description = "What a host is told at boot."
  type = object({
    tunnel_targets = map(string)
    gateways       = list(string)
    archive_bucket = string
    archive_key    = string
    role_id        = string
    start          = list(string)
  })
  default = null
}

variable "destruction" {
  description = "How many hosts may be destroyed within an hour; null leaves it to the function's own default."
  type        = object({ hosts_per_hour = number, share_per_hour_percent = number })
  default     = null
}
