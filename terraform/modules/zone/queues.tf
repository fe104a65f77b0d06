locals {
  # A message stays invisible for longer than its function may run, so that it is never worked on twice at once. For batches AWS asks for
  # six times the function's timeout (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html).
  queues = {
    requests = {
      key           = "requests"
      fifo          = true
      deduplication = true # A request sent twice within five minutes is one message; its body is all that identifies it.
      visibility    = var.timeouts.provision + 30
      retention     = 4 * 24 * 3600
      wait          = 0
      receives      = 5
    }
    results = {
      key           = "results"
      fifo          = true
      deduplication = false # Each reply bears its own id for this: its hash.
      visibility    = 30
      retention     = 14 * 24 * 3600
      wait          = 20
      # The most there can be: those who wait for one reply read past the others again and again.
      receives = 1000
    }
    notifications = {
      key           = "notifications"
      fifo          = false
      deduplication = false
      visibility    = 6 * var.timeouts.compact_logs
      retention     = 14 * 24 * 3600
      wait          = 0
      receives      = 5
    }
  }
}

resource "aws_sqs_queue" "zone" {
  for_each = local.queues

  name                        = local.names.queues[each.key]
  fifo_queue                  = each.value.fifo
  content_based_deduplication = each.value.fifo ? each.value.deduplication : null
  visibility_timeout_seconds  = each.value.visibility
  message_retention_seconds   = each.value.retention
  receive_wait_time_seconds   = each.value.wait
  # The most that SQS carries: a reply about a thousand hosts that all failed is larger than 256 KiB.
  max_message_size  = 1048576
  kms_master_key_id = aws_kms_key.zone[each.value.key].arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters[each.key].arn
    maxReceiveCount     = each.value.receives
  })

  tags = merge(local.tags, { Name = local.names.queues[each.key] })
}

resource "aws_sqs_queue" "dead_letters" {
  for_each = local.queues

  name                       = local.names.queues["${each.key}-dead-letters"]
  fifo_queue                 = each.value.fifo
  message_retention_seconds  = 14 * 24 * 3600
  visibility_timeout_seconds = 30
  kms_master_key_id          = aws_kms_key.zone[each.value.key].arn

  tags = merge(local.tags, { Name = local.names.queues["${each.key}-dead-letters"] })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  for_each = local.queues

  queue_url = aws_sqs_queue.dead_letters[each.key].id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.zone[each.key].arn]
  })
}

resource "aws_sqs_queue_policy" "zone" {
  for_each = local.queues

  queue_url = aws_sqs_queue.zone[each.key].id
  policy    = module.policies.queues[each.key]
}

resource "aws_sqs_queue_policy" "dead_letters" {
  for_each = local.queues

  queue_url = aws_sqs_queue.dead_letters[each.key].id
  policy    = module.policies.queues["${each.key}-dead-letters"]
}
