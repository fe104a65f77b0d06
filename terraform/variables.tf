variable "tenant" {
  description = "The tenant as the operator names it: the first label of its applications. It is the only one that can ever use this account."
  type        = string

  # TenantName in shared/protocol/src/names.rs.
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.tenant))
    error_message = "tenant must be a lower-case label of 1 to 63 letters, digits and hyphens, got \"${var.tenant}\"."
  }
  validation {
    condition     = var.tenant != "compact"
    error_message = "tenant must not be compact, which is where the log archive keeps what it compacted."
  }
}

variable "operator" {
  description = <<-EOT
    The operator: its account; the IAM roles (or users) there that send requests and take replies; the SPIFFE ids (or
    `athenz:<domain>.<service>`) that sign requests; and the root certificates that their certificates lead to.
  EOT
  type = object({
    account_id = string
    principals = list(string)
    identities = list(string)
    trust_roots = list(object({
      certificate_pem           = string
      trust_domain              = string
      accept_athenz_common_name = optional(bool, false)
    }))
  })

  validation {
    condition     = can(regex("^[0-9]{12}$", var.operator.account_id))
    error_message = "operator.account_id must be 12 digits, got \"${var.operator.account_id}\"."
  }
  validation {
    condition     = length(var.operator.principals) > 0
    error_message = "operator.principals must name at least one role of the operator."
  }
  validation {
    condition = alltrue([
      for principal in var.operator.principals :
      can(regex("^arn:aws[a-z-]*:iam::${var.operator.account_id}:(role|user)/[A-Za-z0-9+=,.@_/-]+$", principal))
    ])
    error_message = "operator.principals must be ARNs of roles or users in operator.account_id: no account as a whole, no other account, no wildcard."
  }
  validation {
    condition = length(var.operator.identities) > 0 && alltrue([
      for identity in var.operator.identities : can(regex("^(spiffe://[a-z0-9._-]+/[A-Za-z0-9._/-]+|athenz:[a-z0-9_.-]+\\.[a-z0-9_-]+)$", identity))
    ])
    error_message = "operator.identities must be full SPIFFE ids, or athenz:<domain>.<service>."
  }
  validation {
    condition = length(var.operator.trust_roots) > 0 && alltrue([
      for root in var.operator.trust_roots : length(regexall("-----BEGIN CERTIFICATE-----", root.certificate_pem)) == 1
    ])
    error_message = "operator.trust_roots must hold at least one root, each with exactly one certificate in PEM."
  }
  validation {
    condition     = alltrue([for root in var.operator.trust_roots : can(regex("^[a-z0-9][a-z0-9._-]{0,254}$", root.trust_domain))])
    error_message = "operator.trust_roots must each name the one SPIFFE trust domain that the root vouches for, e.g. operator.example."
  }
  validation {
    condition = alltrue([
      for identity in var.operator.identities :
      startswith(identity, "athenz:") || contains(var.operator.trust_roots[*].trust_domain, split("/", identity)[2])
    ]) || !alltrue([for identity in var.operator.identities : can(regex("^(spiffe://[a-z0-9._-]+/|athenz:)", identity))])
    error_message = "operator.identities must be in trust domains that operator.trust_roots vouch for."
  }
}

variable "tenant_identities" {
  description = "SPIFFE ids of the tenant's own that may sign requests, e.g. to repair."
  type        = list(string)
  default     = []
}

variable "terraform_principals" {
  description = "ARNs of the roles (or users) that run Terraform here: beside the admin role, only they write the rules and the foundation."
  type        = list(string)

  validation {
    condition = length(var.terraform_principals) > 0 && alltrue([
      for principal in var.terraform_principals : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[A-Za-z0-9+=,.@_/-]+$", principal))
    ])
    error_message = "terraform_principals must be ARNs of IAM roles or users, at least one; of an assumed role give the role's."
  }
  validation {
    condition     = alltrue([for principal in var.terraform_principals : !strcontains(principal, "::${var.operator.account_id}:")])
    error_message = "terraform_principals must not be of the operator's account."
  }
}

variable "admin_principals" {
  description = "ARNs of the tenant's principals that may take on the admin role: rules, freeze, dead letters, logs."
  type        = list(string)

  validation {
    condition = length(var.admin_principals) > 0 && alltrue([
      for principal in var.admin_principals : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[A-Za-z0-9+=,.@_/-]+$", principal))
    ])
    error_message = "admin_principals must be ARNs of IAM roles or users, at least one."
  }
  validation {
    condition     = alltrue([for principal in var.admin_principals : !strcontains(principal, "::${var.operator.account_id}:")])
    error_message = "admin_principals must not be of the operator's account."
  }
}

variable "admin_requires_mfa" {
  description = "Whether the admin role is taken on with a second factor only. Switch it off where people come by an identity provider that asks for one itself."
  type        = bool
  default     = true
}

variable "create_elb_service_linked_role" {
  description = "Whether to make the service-linked role of Elastic Load Balancing. Needed in an account that never had a load balancer; elsewhere it exists and AWS refuses a second."
  type        = bool
  default     = false
}

variable "name" {
  description = "Name of what this registration makes in IAM; another one for a second registration in the same account."
  type        = string
  default     = "enclave"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.name))
    error_message = "name must be 1 to 32 lower-case letters, digits and hyphens, got \"${var.name}\"."
  }
}

variable "tags" {
  description = "Tags on everything that Terraform makes here."
  type        = map(string)
  default     = {}
}
