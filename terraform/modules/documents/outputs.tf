output "zone_json" {
  description = "v1/zone.json; null without a foundation."
  value       = local.zone_json
}

output "gate_json" {
  description = "A first v1/gate.json."
  value       = local.gate_json
}

output "user_data" {
  description = "User data of every host, as it is before base64."
  value       = local.user_data
}

output "user_data_sha256" {
  description = "Its SHA-256 in hexadecimal."
  value       = local.user_data_sha256
}
