mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/enclave/mock" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111122223333:policy/enclave/mock" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:111122223333:log-group:mock" }
  }
  mock_resource "aws_ssm_document" {
    defaults = { arn = "arn:aws:ssm:us-east-1:111122223333:document/mock" }
  }
}

variables {
  zone = {
    zone                    = "dev.aws-us-east-1"
    label                   = "dev-aws-us-east-1"
    suffix                  = "0123456789ab"
    enclave_id              = "enclave-0123456789ab"
    vpc_id                  = "vpc-0123456789abcdef0"
    host_subnet_ids         = ["subnet-0123456789abcdef0"]
    host_security_group_id  = "sg-0123456789abcdef0"
    host_role_name          = "dev-aws-us-east-1-host-0123456789ab"
    host_role_arn           = "arn:aws:iam::111122223333:role/enclave/dev-aws-us-east-1-host-0123456789ab"
    logs_key_arn            = "arn:aws:kms:us-east-1:111122223333:key/66666666-2222-3333-4444-555555555555"
    log_group               = "/enclave/dev-aws-us-east-1/sessions"
    log_retention_days      = 365
    operator_principals     = ["arn:aws:iam::999988887777:role/configuration-servers", "arn:aws:iam::999988887777:role/people"]
    permission_boundary_arn = "arn:aws:iam::111122223333:policy/enclave/enclave-boundary"
  }
  principals = ["arn:aws:iam::999988887777:role/people"]
  starts_at  = "2027-03-01T08:00:00Z"
  expires_at = "2027-03-01T12:00:00Z"
}

run "a_grant_ends_by_itself" {
  command = apply

  assert {
    condition     = jsondecode(aws_iam_role.ssh.assume_role_policy).Statement[0].Condition.DateLessThan["aws:CurrentTime"] == "2027-03-01T12:00:00Z"
    error_message = "Nobody takes on the role after its end."
  }
  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_policy.ssh.policy).Statement : statement.Condition.DateLessThan["aws:CurrentTime"] == "2027-03-01T12:00:00Z"])
    error_message = "Whoever has the role by then can do nothing with it."
  }
  assert {
    condition     = jsondecode(aws_iam_role.ssh.assume_role_policy).Statement[0].Principal.AWS == ["arn:aws:iam::999988887777:role/people"]
    error_message = "Only who is named gets in."
  }
}

run "a_session_is_logged_and_bounded" {
  command = apply

  assert {
    condition     = jsondecode(aws_ssm_document.session.content).sessionType == "Standard_Stream"
    error_message = "Only a plain shell can be logged."
  }
  assert {
    condition = (
      jsondecode(aws_ssm_document.session.content).inputs.cloudWatchEncryptionEnabled
      && jsondecode(aws_ssm_document.session.content).inputs.maxSessionDuration == "60"
    )
    error_message = "Logs are encrypted and sessions bounded."
  }
}

run "a_grant_lasts_a_week_at_most" {
  command = plan
  variables {
    expires_at = "2027-03-08T08:00:01Z"
  }
  expect_failures = [var.expires_at]
}

run "a_grant_begins_before_it_ends" {
  command = plan
  variables {
    expires_at = "2027-03-01T08:00:00Z"
  }
  expect_failures = [var.expires_at]
}

run "a_grant_without_an_end_is_none" {
  command = plan
  variables {
    expires_at = "never"
  }
  expect_failures = [var.expires_at]
}

run "strangers_get_no_grant" {
  command = plan
  variables {
    principals = ["arn:aws:iam::123412341234:role/stranger"]
  }
  expect_failures = [var.principals]
}
