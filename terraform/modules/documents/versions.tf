# No provider: everything here is a pure function of its variables, so that it can be tested without an AWS account.
terraform {
  required_version = ">= 1.9"
}
