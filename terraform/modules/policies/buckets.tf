# Bucket policies: nothing but TLS, nothing under another key, and nobody writes but who is named.
locals {
  bucket_keys = { tenant = "state", state = "state", audit = "audit", archive = "archive" }

  # Key prefixes and the only principals that write below them.
  writers = {
    tenant = [
      { sid = "TheTenant", prefix = "*", principals = concat([local.admin], var.enclave.terraform_principals) },
    ]
    state = [
      { sid = "Provision", prefix = "state/*", principals = [local.roles["provision"]] },
      { sid = "DetectDrift", prefix = "drift/*", principals = [local.roles["detect-drift"]] },
    ]
    audit = [
      { sid = "Provision", prefix = "*", principals = [local.roles["provision"]] },
    ]
    archive = [
      { sid = "Hosts", prefix = "${var.enclave.tenant}/*", principals = [local.roles["host"], local.roles["compact-logs"]] },
      { sid = "CompactLogs", prefix = "compact/*", principals = [local.roles["compact-logs"]] },
    ]
  }

  bucket_statements = {
    for bucket, arn in local.bucket_arns : bucket => concat(
      [
        {
          Sid       = "OnlyByTls"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = [arn, "${arn}/*"]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "OnlyByTls12"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = [arn, "${arn}/*"]
          Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
        },
        {
          # A request that names no encryption gets the bucket's own, which is this key; hence the look whether it names one.
          Sid       = "OnlyEncryptedByKms"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = "${arn}/*"
          Condition = {
            Null            = { "s3:x-amz-server-side-encryption" = "false" }
            StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" }
          }
        },
        {
          Sid       = "OnlyUnderTheTenantsKey"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = "${arn}/*"
          Condition = {
            Null         = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }
            ArnNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = try(var.key_arns[local.bucket_keys[bucket]], "") }
          }
        },
        {
          Sid       = "NeverUnderACallersKey"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = "${arn}/*"
          Condition = { Null = { "s3:x-amz-server-side-encryption-customer-algorithm" = "false" } }
        },
      ],
      [
        for writer in local.writers[bucket] : {
          Sid       = "WrittenOnlyBy${writer.sid}"
          Effect    = "Deny"
          Principal = "*"
          Action    = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"]
          Resource  = "${arn}/${writer.prefix}"
          Condition = { ArnNotEquals = { "aws:PrincipalArn" = writer.principals } }
        }
      ],
      [
        for outside in [[for writer in local.writers[bucket] : "${arn}/${writer.prefix}" if writer.prefix != "*"]] : {
          Sid         = "NothingElseIsWritten"
          Effect      = "Deny"
          Principal   = "*"
          Action      = "s3:PutObject"
          NotResource = outside
        } if length(outside) > 0
      ],
      # Each statement below goes with one bucket.
      [for statement in local.audit_only : statement if bucket == "audit"],
      [for statement in local.archive_only : statement if bucket == "archive"],
    )
  }

  audit_only = [
    {
      Sid       = "NothingIsRemoved"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"]
      Resource  = "${local.bucket_arns.audit}/*"
    },
    {
      # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html. Parts of a multipart upload bear
      # no such header, so that way is closed too.
      Sid       = "NothingIsOverwritten"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arns.audit}/*"
      Condition = { Null = { "s3:if-none-match" = "true" } }
    },
    {
      # The bucket's own retention stands; a request cannot set a shorter one.
      Sid       = "RetentionIsTheBuckets"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arns.audit}/*"
      Condition = { Null = { "s3:object-lock-retain-until-date" = "false" } }
    },
  ]

  archive_only = [
    {
      Sid       = "HostsOnlyWrite"
      Effect    = "Deny"
      Principal = "*"
      NotAction = "s3:PutObject"
      Resource  = [local.bucket_arns.archive, "${local.bucket_arns.archive}/*"]
      Condition = { ArnEquals = { "aws:PrincipalArn" = local.roles["host"] } }
    },
    {
      Sid         = "HostsWriteOnlyTheirOwn"
      Effect      = "Deny"
      Principal   = "*"
      Action      = "s3:PutObject"
      NotResource = local.own_logs
      Condition   = { ArnEquals = { "aws:PrincipalArn" = local.roles["host"] } }
    },
  ]

  bucket_policies = {
    for bucket, statements in local.bucket_statements : bucket => jsonencode({ Version = "2012-10-17", Statement = statements })
  }
}
