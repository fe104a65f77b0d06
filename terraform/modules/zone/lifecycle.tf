# Old versions go, current objects stay; only logs age. Lifecycle is not bound by bucket policies, but Object Lock binds it.
locals {
  noncurrent_days = { tenant = 365, state = 90, audit = 30, archive = 7 }
}

resource "aws_s3_bucket_lifecycle_configuration" "zone" {
  for_each = local.buckets

  bucket = aws_s3_bucket.zone[each.key].id

  rule {
    id     = "noncurrent-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = local.noncurrent_days[each.key]
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  dynamic "rule" {
    for_each = each.key == "archive" && var.archive_retention_days > 0 ? [var.archive_retention_days] : []

    content {
      id     = "logs-age"
      status = "Enabled"

      filter {
        prefix = "compact/"
      }

      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.zone]
}
