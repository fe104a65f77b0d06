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
  mock_data "aws_ami" {
    defaults = { root_device_name = "/dev/xvda" }
  }
  mock_resource "aws_vpc" {
    defaults = { ipv6_cidr_block = "2600:1f18:abcd:1200::/56" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/enclave/mock", unique_id = "AROAEXAMPLE" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111122223333:policy/enclave/mock" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::111122223333:instance-profile/enclave/mock" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:111122223333:mock" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:111122223333:log-group:mock" }
  }
  mock_resource "aws_launch_template" {
    defaults = { arn = "arn:aws:ec2:us-east-1:111122223333:launch-template/lt-0123456789abcdef0", latest_version = 7 }
  }
  mock_resource "aws_ssm_document" {
    defaults = { arn = "arn:aws:ssm:us-east-1:111122223333:document/mock" }
  }
  mock_resource "aws_vpc_endpoint" {
    defaults = { prefix_list_id = "pl-63a5400a" }
  }
}

variables {
  terraform_principals = ["arn:aws:iam::111122223333:role/terraform"]
  admin_principals     = ["arn:aws:iam::111122223333:role/people"]
  images               = ["ami-0123456789abcdef0"]
  operator_root_pem    = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"
}

# Registration, zone and grant together: what one module gives is what the next takes, and a plan knows what there will be.
run "the_modules_fit_together" {
  command = apply

  assert {
    condition     = length(output.ssh_role_arn) > 0
    error_message = "The grant must come to a role."
  }
}
