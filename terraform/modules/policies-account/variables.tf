variable "partition" {
  description = "AWS partition, e.g. aws."
  type        = string
}

variable "account_id" {
  description = "The tenant's account."
  type        = string
}

variable "admin_principals" {
  description = "Principals of the tenant that may take on the admin role."
  type        = list(string)
  default     = []
}

variable "admin_requires_mfa" {
  description = "Whether the admin role is taken on with a second factor only."
  type        = bool
  default     = true
}
