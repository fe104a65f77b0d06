mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111122223333:policy/enclave/mock" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/enclave/mock" }
  }
}

variables {
  tenant               = "acme"
  terraform_principals = ["arn:aws:iam::111122223333:role/terraform"]
  admin_principals     = ["arn:aws:iam::111122223333:role/people"]
  operator = {
    account_id = "999988887777"
    principals = ["arn:aws:iam::999988887777:role/configuration-servers"]
    identities = ["spiffe://operator.example/configuration-server"]
    trust_roots = [{
      certificate_pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"
      trust_domain    = "operator.example"
    }]
  }
}

run "a_registration_hands_every_zone_the_same" {
  command = apply

  assert {
    condition     = output.registration.tenant == "acme" && output.registration.permission_boundary_arn == aws_iam_policy.boundary.arn
    error_message = "The registration must name the tenant and the boundary."
  }
  assert {
    condition     = jsondecode(aws_iam_role.admin.assume_role_policy).Statement[0].Principal.AWS == ["arn:aws:iam::111122223333:role/people"]
    error_message = "Only the named principals may take on the admin role."
  }
  assert {
    condition     = jsondecode(aws_iam_role.admin.assume_role_policy).Statement[0].Condition.Bool["aws:MultiFactorAuthPresent"] == "true"
    error_message = "The admin role must ask for a second factor by default."
  }
  assert {
    condition     = length(aws_iam_service_linked_role.elb) == 0
    error_message = "The service-linked role exists in most accounts and must be asked for."
  }
}

run "a_tenant_is_a_label" {
  command = plan
  variables { tenant = "Acme Inc." }
  expect_failures = [var.tenant]
}

run "a_tenant_is_not_called_as_a_prefix_of_the_archive" {
  command = plan
  variables { tenant = "compact" }
  expect_failures = [var.tenant]
}

run "the_operator_is_not_a_whole_account" {
  command = plan
  variables {
    operator = {
      account_id  = "999988887777"
      principals  = ["arn:aws:iam::999988887777:root"]
      identities  = ["spiffe://operator.example/configuration-server"]
      trust_roots = [{ certificate_pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n", trust_domain = "operator.example" }]
    }
  }
  expect_failures = [var.operator]
}

run "an_identity_is_of_a_domain_that_somebody_vouches_for" {
  command = plan
  variables {
    operator = {
      account_id  = "999988887777"
      principals  = ["arn:aws:iam::999988887777:role/configuration-servers"]
      identities  = ["spiffe://stranger.example/configuration-server"]
      trust_roots = [{ certificate_pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n", trust_domain = "operator.example" }]
    }
  }
  expect_failures = [var.operator]
}

run "the_operator_does_not_run_the_tenants_terraform" {
  command = plan
  variables {
    terraform_principals = ["arn:aws:iam::999988887777:role/configuration-servers"]
  }
  expect_failures = [var.terraform_principals]
}

run "the_operator_is_no_administrator" {
  command = plan
  variables {
    admin_principals = ["arn:aws:iam::999988887777:role/people"]
  }
  expect_failures = [var.admin_principals]
}

run "the_tenant_is_not_the_operator" {
  command = plan
  variables {
    terraform_principals = ["arn:aws:iam::444455556666:role/terraform"]
    admin_principals     = ["arn:aws:iam::444455556666:role/people"]
    operator = {
      account_id  = "111122223333"
      principals  = ["arn:aws:iam::111122223333:role/configuration-servers"]
      identities  = ["spiffe://operator.example/configuration-server"]
      trust_roots = [{ certificate_pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n", trust_domain = "operator.example" }]
    }
  }
  expect_failures = [aws_iam_policy.boundary]
}
