variable "partition" {
  description = "AWS partition, e.g. aws."
  type        = string
}

variable "account_id" {
  description = "The tenant's account."
  type        = string
}

variable "region" {
  description = "The zone's region."
  type        = string
}

variable "enclave_id" {
  description = "The zone's enclave."
  type        = string
}

variable "principals" {
  description = "Principals of the operator that may open sessions."
  type        = list(string)
}

variable "starts_at" {
  description = "Before this nobody gets in (RFC 3339, UTC)."
  type        = string
}

variable "expires_at" {
  description = "After this nobody gets in (RFC 3339, UTC)."
  type        = string
}

variable "document_arn" {
  description = "The session document."
  type        = string
  default     = ""
}

variable "key_arn" {
  description = "The key that encrypts sessions on their way."
  type        = string
  default     = ""
}

variable "log_group_arn" {
  description = "The log group of sessions, without :* at its end."
  type        = string
  default     = ""
}

variable "host_role_arn" {
  description = "The hosts' role."
  type        = string
  default     = ""
}

variable "ssh_role_arn" {
  description = "The role that opens sessions."
  type        = string
  default     = ""
}
