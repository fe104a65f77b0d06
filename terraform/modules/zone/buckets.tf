# tenant: foundation, rules, freeze. state: ledger and drift reports. audit: what was decided. archive: the hosts' logs.
locals {
  buckets = { tenant = "state", state = "state", audit = "audit", archive = "archive" }
}

resource "aws_s3_bucket" "zone" {
  # checkov:skip=CKV_AWS_18:who reads and writes is recorded by CloudTrail, which the tenant's account has or has not as a whole
  # checkov:skip=CKV_AWS_144:a zone lives in one region, and so does what it stores
  # checkov:skip=CKV2_AWS_62:only the archive's objects are waited for, see notifications.tf
  for_each = local.buckets

  bucket              = local.names.buckets[each.key]
  object_lock_enabled = each.key == "audit"

  tags = merge(local.tags, { Name = local.names.buckets[each.key] })
}

resource "aws_s3_bucket_ownership_controls" "zone" {
  for_each = local.buckets

  bucket = aws_s3_bucket.zone[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "zone" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.zone[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "zone" {
  for_each = local.buckets

  bucket = aws_s3_bucket.zone[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "zone" {
  for_each = local.buckets

  bucket = aws_s3_bucket.zone[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.zone[each.value].arn
    }
  }
}

resource "aws_s3_bucket_object_lock_configuration" "audit" {
  bucket = aws_s3_bucket.zone["audit"].id

  rule {
    default_retention {
      mode = var.audit_retention.mode
      days = var.audit_retention.days
    }
  }

  depends_on = [aws_s3_bucket_versioning.zone]
}

resource "aws_s3_bucket_policy" "zone" {
  for_each = local.buckets

  bucket = aws_s3_bucket.zone[each.key].id
  policy = module.policies.buckets[each.key]

  # S3 looks whether a policy is public, and takes one change of a bucket at a time.
  depends_on = [aws_s3_bucket_public_access_block.zone]
}
