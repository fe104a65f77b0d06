# A first v1/gate.json: Gate in shared/gate/src/rules.rs. The tenant changes it afterwards; Terraform does not.
locals {
  gate_json = jsonencode({
    schema = 1
    trust_roots = [
      for root in var.trust_roots : {
        # DER in base64 is what stands between PEM's two lines.
        certificate = replace(
          replace(root.certificate_pem, "/-----(BEGIN|END) CERTIFICATE-----/", ""), "/[[:space:]]/", "",
        )
        trust_domain              = root.trust_domain
        accept_athenz_common_name = root.accept_athenz_common_name
      }
    ]
    identities = concat(
      [for identity in var.operator_identities : { identity = identity, role = "operator" }],
      [for identity in var.tenant_identities : { identity = identity, role = "tenant" }],
    )
    limits = merge(
      { max_hosts = var.max_hosts },
      { for what in ["destruction"] : what => var.destruction if var.destruction != null },
    )
  })
}
