output "boundary" {
  description = "The permission boundary (JSON)."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.boundary })
}

output "admin_trust" {
  description = "Trust policy (JSON) of the tenant's admin role."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.admin_trust })
}
