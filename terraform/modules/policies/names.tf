# Every name in the zone, in one place. IAM, SQS and Lambda names admit no dots and have at most 64 characters, bucket names 63.
locals {
  label  = replace(var.enclave.zone, ".", "-")
  suffix = trimprefix(var.enclave.enclave_id, "enclave-")

  # The six characters are those of BalancerNames in shared/core/src/reconcile/names.rs: a hash over the id and a zero byte.
  balancer_prefix = "enc-${substr(sha256("${var.enclave.enclave_id}\u0000"), 0, 6)}-"

  functions = { for what in ["provision", "detect-drift", "compact-logs"] : what => "enclave-${local.label}-${what}" }

  names = {
    label           = local.label
    suffix          = local.suffix
    balancer_prefix = local.balancer_prefix
    functions       = local.functions
    buckets         = { for what in ["tenant", "state", "audit", "archive"] : what => "${local.label}-${what}-${local.suffix}" }
    queues = {
      requests                   = "${local.label}-requests.fifo"
      requests-dead-letters      = "${local.label}-requests-dead-letters.fifo"
      results                    = "${local.label}-results.fifo"
      results-dead-letters       = "${local.label}-results-dead-letters.fifo"
      notifications              = "${local.label}-archive-notifications"
      notifications-dead-letters = "${local.label}-archive-notifications-dead-letters"
    }
    roles = {
      for what in ["provision", "detect-drift", "compact-logs", "host", "scheduler", "flow-logs", "admin"] :
      what => "${local.label}-${what}-${local.suffix}"
    }
    # EventBridge rules that wake the line begin with this.
    event_rule_prefix = "enclave-${local.label}-"
    schedule_group    = "enclave-${local.label}"
    flow_log_group    = "/enclave/${local.label}/flow"
    session_log_group = "/enclave/${local.label}/sessions"
  }
}

# ARNs that follow from names alone.
locals {
  arn = {
    ec2    = "arn:${var.enclave.partition}:ec2:${var.enclave.region}:${var.enclave.account_id}"
    elb    = "arn:${var.enclave.partition}:elasticloadbalancing:${var.enclave.region}:${var.enclave.account_id}"
    logs   = "arn:${var.enclave.partition}:logs:${var.enclave.region}:${var.enclave.account_id}"
    lambda = "arn:${var.enclave.partition}:lambda:${var.enclave.region}:${var.enclave.account_id}"
    sqs    = "arn:${var.enclave.partition}:sqs:${var.enclave.region}:${var.enclave.account_id}"
    root   = "arn:${var.enclave.partition}:iam::${var.enclave.account_id}:root"
  }
  bucket_arns = { for what, name in local.names.buckets : what => "arn:${var.enclave.partition}:s3:::${name}" }
  queue_arns  = { for what, name in local.names.queues : what => "${local.arn.sqs}:${name}" }
  function_arns = {
    for what, name in local.functions : what => "${local.arn.lambda}:function:${name}"
  }
  image_arns = [
    for image in var.hosts.images : "arn:${var.enclave.partition}:ec2:${var.enclave.region}::image/${image}"
  ]

  # A key is used through the service that stores, never directly.
  via = {
    for service in ["ec2", "s3", "sqs"] :
    service => { StringEquals = { "kms:ViaService" = "${service}.${var.enclave.region}.amazonaws.com" } }
  }
}

# Tags of shared/core/src/tags.rs.
locals {
  tag_keys = [
    "enclave:id", "enclave:zone", "enclave:application", "enclave:cluster", "enclave:request-id", "enclave:client-token",
    "enclave:load-balancer",
  ]
  ours = { "aws:ResourceTag/enclave:id" = var.enclave.enclave_id }
  # What is created carries this enclave's tags, and no tag that means something to somebody else.
  tagged_as_ours = {
    StringEquals = {
      "aws:RequestTag/enclave:id"   = var.enclave.enclave_id
      "aws:RequestTag/enclave:zone" = var.enclave.zone
    }
    "ForAllValues:StringEquals" = { "aws:TagKeys" = local.tag_keys }
  }
}
