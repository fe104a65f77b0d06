# What a host may do in AWS: put its own logs into the archive, and say who it is.
locals {
  # For a role on an instance, aws:userid is <role id>:<instance id>
  # (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable). IAM cannot cut the instance id
  # out of it, so a host's folder in the archive bears the whole of it.
  own_logs = "${local.bucket_arns.archive}/${var.enclave.tenant}/*/*/$${aws:userid}/logs/*"

  host = concat(
    [
      {
        Sid       = "ShipOwnLogs"
        Effect    = "Allow"
        Action    = "s3:PutObject"
        Resource  = local.own_logs
        Condition = { StringEquals = { "aws:ResourceAccount" = var.enclave.account_id } }
      },
      {
        # To encrypt, never to decrypt: hosts do not read the archive.
        Sid       = "EncryptLogs"
        Effect    = "Allow"
        Action    = "kms:GenerateDataKey"
        Resource  = try(var.key_arns["archive"], "")
        Condition = local.via.s3
      },
    ],
    [
      for audience in compact([var.web_identity_audience]) : {
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_policies.html
        Sid      = "SayWhoTheHostIs"
        Effect   = "Allow"
        Action   = "sts:GetWebIdentityToken"
        Resource = "*"
        Condition = {
          "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = [audience] }
          Null                        = { "sts:IdentityTokenAudience" = "false" }
          NumericLessThanEquals       = { "sts:DurationSeconds" = "300" }
        }
      }
    ],
  )
}
