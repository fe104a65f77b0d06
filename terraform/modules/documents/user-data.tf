# User data of every host. What a tunnel may reach on a host is named here, by the tenant, and nowhere else.
locals {
  targets = jsonencode({ schema = 1, targets = try(var.host.tunnel_targets, {}) })

  # One variable per line, as systemd's EnvironmentFile= reads it.
  tunnel_environment = join("", [
    for name, value in {
      ENCLAVE_ZONE            = var.audience.zone
      ENCLAVE_ENCLAVE_ID      = var.audience.enclave_id
      ENCLAVE_TUNNEL_TARGETS  = "/etc/enclave/tunnel-targets.json"
      ENCLAVE_TUNNEL_GATEWAYS = join(",", try(var.host.gateways, []))
    } : "${name}=${value}\n"
  ])
  log_environment = join("", [
    for name, value in {
      ENCLAVE_ARCHIVE_BUCKET      = try(var.host.archive_bucket, "")
      ENCLAVE_ARCHIVE_KMS_KEY_ARN = try(var.host.archive_key, "")
      ENCLAVE_TENANT              = var.tenant
      # A host's folder is <this>:<its instance id>, which is what its role lets it write below.
      ENCLAVE_HOST_ROLE_ID = try(var.host.role_id, "")
    } : "${name}=${value}\n"
  ])

  cloud_config = yamlencode({
    write_files = [
      for path, content in {
        "/etc/enclave/log-sync.env"        = local.log_environment
        "/etc/enclave/tunnel-agent.env"    = local.tunnel_environment
        "/etc/enclave/tunnel-targets.json" = local.targets
      } : { path = path, owner = "root:root", permissions = "0644", content = content }
    ]
    runcmd = [for unit in try(var.host.start, []) : ["systemctl", "enable", "--now", unit]]
  })
  user_data = "#cloud-config\n${local.cloud_config}"

  # Of the decoded user data, as the provision function reads it back from each host.
  user_data_sha256 = sha256(local.user_data)
}
