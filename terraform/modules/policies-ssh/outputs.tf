output "trust" {
  description = "Trust policy (JSON) of the role that opens sessions."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.trust })
}

output "role" {
  description = "Permissions (JSON) of the role that opens sessions."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.role })
}

output "host" {
  description = "What hosts need to answer sessions (JSON)."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.host })
}

output "key" {
  description = "Key policy (JSON) of the sessions' key."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.key })
}

output "endpoints" {
  description = "Endpoint policies (JSON) by service."
  value       = local.endpoints
}
