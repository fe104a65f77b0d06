# Needs no provider.
variables {
  tenant   = "acme"
  audience = { account = "111122223333", region = "us-east-1", zone = "dev.aws-us-east-1", enclave_id = "enclave-0123456789ab" }
}

run "a_certificate_loses_its_pem" {
  variables {
    trust_roots = [{
      certificate_pem           = "-----BEGIN CERTIFICATE-----\r\nAAEC\r\nAwQF\r\n-----END CERTIFICATE-----\r\n"
      trust_domain              = "operator.example"
      accept_athenz_common_name = true
    }]
  }

  assert {
    condition     = jsondecode(output.gate_json).trust_roots[0] == { certificate = "AAECAwQF", trust_domain = "operator.example", accept_athenz_common_name = true }
    error_message = "The gate must hold the certificate's DER in base64, and nothing else of it."
  }
}

run "user_data_names_targets_and_nothing_else_to_reach" {
  variables {
    host = {
      tunnel_targets = { application = "127.0.0.1:8080" }
      gateways       = ["a:443", "b:443"]
      archive_bucket = "archive"
      archive_key    = "arn:aws:kms:us-east-1:111122223333:key/1"
      role_id        = "AROAEXAMPLE"
      start          = ["tunnel-agent.service"]
    }
  }

  assert {
    condition     = startswith(output.user_data, "#cloud-config\n")
    error_message = "cloud-init tells what it reads by the first line."
  }
  assert {
    condition = jsondecode({
      for file in yamldecode(output.user_data).write_files : file.path => file.content
    }["/etc/enclave/tunnel-targets.json"]) == { schema = 1, targets = { application = "127.0.0.1:8080" } }
    error_message = "The tunnel's targets must be the tenant's."
  }
  assert {
    condition     = output.user_data_sha256 == sha256(output.user_data)
    error_message = "The hash must be of the user data as a host sees it."
  }
  assert {
    condition     = output.zone_json == null
    error_message = "Without a foundation there is no zone.json."
  }
}
