variable "enclave" {
  description = "Whose policies these are."
  type = object({
    partition            = string
    account_id           = string
    region               = string
    tenant               = string
    zone                 = string
    enclave_id           = string
    operator_principals  = list(string)
    terraform_principals = list(string)
    admin_role_arn       = string
  })

  validation {
    condition     = can(regex("^enclave-[0-9a-f]{12}$", var.enclave.enclave_id))
    error_message = "enclave.enclave_id must be enclave- and 12 hexadecimal digits, got \"${var.enclave.enclave_id}\"."
  }
}

variable "role_arns" {
  description = "ARNs of the zone's roles, by purpose: provision, detect-drift, compact-logs, host, scheduler, flow-logs."
  type        = map(string)
  default     = {}
}

variable "key_arns" {
  description = "ARNs of the zone's keys, by purpose: volumes, state, audit, archive, requests, results, notifications, logs, replies."
  type        = map(string)
  default     = {}
}

variable "network" {
  description = "What hosts and load balancers may be put into."
  type = object({
    host_subnet_arns           = list(string)
    balancer_subnet_ids        = list(string)
    host_security_group_arn    = string
    balancer_security_group_id = string
  })
  default = {
    host_subnet_arns           = []
    balancer_subnet_ids        = []
    host_security_group_arn    = ""
    balancer_security_group_id = ""
  }
}

variable "hosts" {
  description = "What hosts may be made from."
  type = object({
    launch_template_arns = list(string)
    instance_profile_arn = string
    images               = list(string)
  })
  default = {
    launch_template_arns = []
    instance_profile_arn = ""
    images               = []
  }
}

variable "balancer_schemes" {
  description = "Schemes a load balancer may have."
  type        = list(string)
  default     = ["internet-facing", "internal"]

  validation {
    condition     = length(setsubtract(var.balancer_schemes, ["internet-facing", "internal"])) == 0
    error_message = "balancer_schemes may hold internet-facing and internal only."
  }
}

variable "private_link" {
  description = "Whether load balancers may be offered as endpoint services."
  type        = bool
  default     = false
}

variable "web_identity_audience" {
  description = "Audience of the web-identity token that hosts identify themselves with to Athenz; null where they do not."
  type        = string
  default     = null
}
