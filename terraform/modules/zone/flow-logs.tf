resource "aws_cloudwatch_log_group" "flow" {
  name              = local.names.flow_log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.zone["logs"].arn

  tags = local.tags

  depends_on = [aws_kms_key_policy.zone]
}

resource "aws_flow_log" "zone" {
  vpc_id                   = aws_vpc.zone.id
  traffic_type             = "ALL"
  log_destination_type     = "cloud-watch-logs"
  log_destination          = aws_cloudwatch_log_group.flow.arn
  iam_role_arn             = aws_iam_role.zone["flow-logs"].arn
  max_aggregation_interval = 60

  tags = merge(local.tags, { Name = var.zone })
}
