# The tenant's keys, one per purpose, so that each can be granted and disabled alone. The tenant bucket shares the ledger's.
locals {
  keys = {
    volumes       = "volumes of hosts"
    state         = "rules and ledger"
    audit         = "audit chain"
    archive       = "log archive"
    requests      = "requests queue and its dead letters"
    results       = "results queue and its dead letters"
    notifications = "notifications of the archive"
    logs          = "log groups"
  }
}

resource "aws_kms_key" "zone" {
  # checkov:skip=CKV2_AWS_64:policies are attached by aws_kms_key_policy below
  for_each = local.keys

  description             = "${var.zone}: ${each.value}"
  enable_key_rotation     = true
  rotation_period_in_days = 365
  deletion_window_in_days = var.key_deletion_window_days

  tags = merge(local.tags, { Name = "${local.names.label}-${each.key}" })
}

# Signs replies and heads of the audit chain, so that the operator can tell who wrote them. An asymmetric key cannot be rotated
# (https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html).
resource "aws_kms_key" "replies" {
  # checkov:skip=CKV_AWS_7:KMS does not rotate asymmetric keys
  # checkov:skip=CKV2_AWS_64:policies are attached by aws_kms_key_policy below
  description              = "${var.zone}: signs replies and heads of the audit chain"
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "ECC_NIST_P256"
  deletion_window_in_days  = var.key_deletion_window_days

  tags = merge(local.tags, { Name = "${local.names.label}-replies" })
}

resource "aws_kms_alias" "zone" {
  for_each = local.keys

  name          = "alias/${local.names.label}-${each.key}-${local.names.suffix}"
  target_key_id = aws_kms_key.zone[each.key].key_id
}

resource "aws_kms_alias" "replies" {
  name          = "alias/${local.names.label}-replies-${local.names.suffix}"
  target_key_id = aws_kms_key.replies.key_id
}

resource "aws_kms_key_policy" "zone" {
  for_each = local.keys

  key_id = aws_kms_key.zone[each.key].key_id
  policy = module.policies.keys[each.key]
}

resource "aws_kms_key_policy" "replies" {
  key_id = aws_kms_key.replies.key_id
  policy = module.policies.keys["replies"]
}

data "aws_kms_public_key" "replies" {
  key_id = aws_kms_key.replies.key_id
}
