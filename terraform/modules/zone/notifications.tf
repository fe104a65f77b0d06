# Each shipped log is told to the compaction. What compaction writes lies below compact/ and is told to nobody.
resource "aws_s3_bucket_notification" "archive" {
  bucket = aws_s3_bucket.zone["archive"].id

  queue {
    id            = "shipped-logs"
    queue_arn     = aws_sqs_queue.zone["notifications"].arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "${var.registration.tenant}/"
  }

  # S3 sends a test event at once.
  depends_on = [aws_sqs_queue_policy.zone, aws_kms_key_policy.zone]
}
