output "names" {
  description = "Names of everything in the zone."
  value       = local.names
}

output "arns" {
  description = "ARNs that follow from the names: buckets, queues, functions."
  value       = { buckets = local.bucket_arns, queues = local.queue_arns, functions = local.function_arns }
}

output "trust" {
  description = "Trust policies (JSON) by role."
  value       = local.trust
}

output "roles" {
  description = "Permission policies (JSON) by name; a role's policies begin with the role's name."
  value = {
    provision-launch    = jsonencode({ Version = "2012-10-17", Statement = local.provision_launch })
    provision-hosts     = jsonencode({ Version = "2012-10-17", Statement = local.provision_hosts })
    provision-balancers = jsonencode({ Version = "2012-10-17", Statement = local.provision_balancers })
    provision-services = jsonencode({
      Version   = "2012-10-17"
      Statement = concat(local.look_at_services, [for statement in local.provision_services : statement if var.private_link])
    })
    provision-stores = jsonencode({ Version = "2012-10-17", Statement = local.provision_stores })
    detect-drift     = jsonencode({ Version = "2012-10-17", Statement = local.detect_drift })
    compact-logs     = jsonencode({ Version = "2012-10-17", Statement = local.compact_logs })
    host             = jsonencode({ Version = "2012-10-17", Statement = local.host })
    scheduler        = jsonencode({ Version = "2012-10-17", Statement = local.scheduler })
    flow-logs        = jsonencode({ Version = "2012-10-17", Statement = local.flow_logs })
    admin            = jsonencode({ Version = "2012-10-17", Statement = local.admin_statements })
  }
}

output "keys" {
  description = "Key policies (JSON) by key."
  value       = local.key_policies
}

output "buckets" {
  description = "Bucket policies (JSON) by bucket."
  value       = local.bucket_policies
}

output "queues" {
  description = "Queue policies (JSON) by queue."
  value       = local.queue_policies
}

output "endpoints" {
  description = "Endpoint policies (JSON) by service."
  value       = local.endpoint_policies
}
