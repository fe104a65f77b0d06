# What may pass the VPC's endpoints: hosts, on their own errands, and nobody else.
locals {
  endpoint_policies = {
    s3 = jsonencode({
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "HostsShipLogs"
          Effect    = "Allow"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = "${local.bucket_arns.archive}/${var.enclave.tenant}/*"
          Condition = {
            StringEquals = { "aws:ResourceAccount" = var.enclave.account_id }
            ArnEquals    = { "aws:PrincipalArn" = local.roles["host"] }
          }
        },
      ]
    })
    sts = jsonencode({
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "HostsSayWhoTheyAre"
          Effect    = "Allow"
          Principal = "*"
          Action    = "sts:GetWebIdentityToken"
          Resource  = "*"
          Condition = { ArnEquals = { "aws:PrincipalArn" = local.roles["host"] } }
        },
      ]
    })
  }
}
