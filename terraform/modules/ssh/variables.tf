variable "zone" {
  description = "The output `ssh` of modules/zone."
  type = object({
    zone                    = string
    label                   = string
    suffix                  = string
    enclave_id              = string
    vpc_id                  = string
    host_subnet_ids         = list(string)
    host_security_group_id  = string
    host_role_name          = string
    host_role_arn           = string
    logs_key_arn            = string
    log_group               = string
    log_retention_days      = number
    operator_principals     = list(string)
    permission_boundary_arn = string
  })
}

variable "principals" {
  description = "Who of the operator may open sessions; none but those of the registration. Null means all of them."
  type        = list(string)
  default     = null

  validation {
    condition     = var.principals == null || length(setsubtract(coalesce(var.principals, []), var.zone.operator_principals)) == 0
    error_message = "principals must be among the registration's operator principals."
  }
  validation {
    condition     = var.principals == null || length(coalesce(var.principals, [])) > 0
    error_message = "principals must name somebody; to let nobody in, remove this module."
  }
}

variable "starts_at" {
  description = "When the grant begins (RFC 3339, UTC), e.g. 2027-03-01T08:00:00Z."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", var.starts_at)) && can(timeadd(var.starts_at, "0s"))
    error_message = "starts_at must be a time such as 2027-03-01T08:00:00Z, got \"${var.starts_at}\"."
  }
}

variable "expires_at" {
  description = "When the grant ends by itself (RFC 3339, UTC), at most seven days after it begins."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", var.expires_at)) && can(timeadd(var.expires_at, "0s"))
    error_message = "expires_at must be a time such as 2027-03-01T12:00:00Z, got \"${var.expires_at}\"."
  }
  validation {
    condition     = try(timecmp(var.starts_at, var.expires_at) < 0 && timecmp(var.expires_at, timeadd(var.starts_at, "168h")) <= 0, false)
    error_message = "expires_at must be after starts_at and at most seven days after it."
  }
}

variable "max_session_minutes" {
  description = "Longest session in minutes."
  type        = number
  default     = 60

  # https://docs.aws.amazon.com/systems-manager/latest/userguide/session-preferences-max-timeout.html
  validation {
    condition     = var.max_session_minutes >= 1 && var.max_session_minutes <= 1440 && floor(var.max_session_minutes) == var.max_session_minutes
    error_message = "max_session_minutes must be a whole number from 1 to 1440, got ${var.max_session_minutes}."
  }
}

variable "idle_session_minutes" {
  description = "Minutes after which an idle session ends."
  type        = number
  default     = 10

  validation {
    condition     = var.idle_session_minutes >= 1 && var.idle_session_minutes <= 60 && floor(var.idle_session_minutes) == var.idle_session_minutes
    error_message = "idle_session_minutes must be a whole number from 1 to 60, got ${var.idle_session_minutes}."
  }
}

variable "user" {
  description = "The user on the host that sessions run as."
  type        = string
  default     = "ssm-user"
}

variable "tags" {
  description = "Tags on everything that Terraform makes here."
  type        = map(string)
  default     = {}
}
