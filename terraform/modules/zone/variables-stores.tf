variable "audit_retention" {
  description = "How long an audit entry cannot be removed by anyone (COMPLIANCE) or by almost anyone (GOVERNANCE)."
  type        = object({ mode = optional(string, "COMPLIANCE"), days = optional(number, 365) })
  default     = {}

  validation {
    condition     = contains(["COMPLIANCE", "GOVERNANCE"], var.audit_retention.mode) && var.audit_retention.days >= 1 && var.audit_retention.days <= 36500
    error_message = "audit_retention must have mode COMPLIANCE or GOVERNANCE and 1 to 36500 days."
  }
}

variable "archive_retention_days" {
  description = "Days after which logs leave the archive; 0 keeps them."
  type        = number
  default     = 400

  validation {
    condition     = var.archive_retention_days >= 0 && floor(var.archive_retention_days) == var.archive_retention_days
    error_message = "archive_retention_days must be 0 or a whole number of days."
  }
}

variable "log_retention_days" {
  description = "Days that flow logs, session logs and the functions' logs are kept."
  type        = number
  default     = 365

  # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch Logs knows, e.g. 30, 90, 365 or 3653, got ${var.log_retention_days}."
  }
}

variable "timeouts" {
  description = "Timeouts of the functions in seconds. The queues' visibility follows from them, and template.yaml reads them."
  type = object({
    provision    = optional(number, 120)
    detect_drift = optional(number, 300)
    compact_logs = optional(number, 900)
  })
  default = {}

  # Lambda's limit is 900 (https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html).
  validation {
    condition     = alltrue([for seconds in values(var.timeouts) : seconds >= 5 && seconds <= 900 && floor(seconds) == seconds])
    error_message = "timeouts must be whole numbers from 5 to 900 seconds."
  }
}

variable "key_deletion_window_days" {
  description = "Days between the removal of a key and its end."
  type        = number
  default     = 30

  validation {
    condition     = var.key_deletion_window_days >= 7 && var.key_deletion_window_days <= 30
    error_message = "key_deletion_window_days must be from 7 to 30, got ${var.key_deletion_window_days}."
  }
}
