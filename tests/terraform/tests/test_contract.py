"""Terraform writes what the functions read: fields, names, tags, ledger keys, settings.

The other side is read from the Rust sources.
"""

import hashlib
import re


def source(repository, path):
    return (repository / path).read_text()


def struct_fields(text, name):
    """Public fields of a Rust struct; True where it may be absent."""
    body = re.search(rf"pub struct {name} \{{\n(.*?)^\}}", text, re.S | re.M)[1]
    found, optional = {}, False
    for line in body.splitlines():
        optional = optional or "serde(default" in line
        if field := re.match(r"\s+pub (\w+): ", line):
            found[field[1]], optional = optional, False
    return found


def assert_fits(value, fields, where):
    required = {name for name, optional in fields.items() if not optional}
    assert required <= set(value) <= set(fields), (where, sorted(value), sorted(fields))


def test_zone_json_is_the_foundation(repository, rendered):
    text = source(repository, "shared/core/src/foundation.rs")
    zone = rendered["documents/zone"]
    assert_fits(zone, struct_fields(text, "Foundation"), "zone.json")
    fields = struct_fields(text, "ZoneFoundation")
    for name, value in zone["availability_zones"].items():
        assert_fits(value, fields, name)
    assert zone["schema"] == 1
    audience = source(repository, "shared/protocol/src/request.rs")
    assert_fits(zone["audience"], struct_fields(audience, "Audience"), "audience")


def test_zone_json_says_what_the_hosts_are_given(rendered):
    user_data = rendered["documents/user-data"]
    digest = hashlib.sha256(user_data.encode()).hexdigest()
    assert {zone["user_data_sha256"] for zone in rendered["documents/zone"]["availability_zones"].values()} == {digest}
    # The limit of user data before base64: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
    assert len(user_data.encode()) <= 16 * 1024


def test_gate_json_is_a_gate(repository, rendered):
    text = source(repository, "shared/gate/src/rules.rs")
    gate = rendered["documents/gate"]
    assert_fits(gate, struct_fields(text, "Gate"), "gate.json")
    for root in gate["trust_roots"]:
        assert_fits(root, struct_fields(text, "TrustRootEntry"), "trust_roots")
    for identity in gate["identities"]:
        assert_fits(identity, struct_fields(text, "RegisteredIdentity"), "identities")
    assert_fits(gate["limits"], struct_fields(text, "Limits"), "limits")
    assert gate["schema"] == int(re.search(r"pub const SCHEMA: u32 = (\d+);", text)[1])
    assert {identity["role"] for identity in gate["identities"]} <= {"operator", "tenant", "host"}


def test_the_gates_limit_of_destruction_has_the_functions_fields(repository, configuration):
    fields = struct_fields(source(repository, "shared/gate/src/rules.rs"), "Destruction")
    documents = configuration.modules[(configuration.root / "modules/documents").resolve()]
    declared = documents.variables["destruction"]["type"]
    assert set(re.findall(r"(\w+)\s*=", declared)) == set(fields)


def test_names_of_balancers_begin_as_the_function_makes_them(repository, rendered):
    text = source(repository, "shared/core/src/reconcile/names.rs")
    assert 'format!("enc-{}-", &digest(&[enclave_id])[..6])' in text and "hash.update([0]);" in text
    digest = hashlib.sha256(b"enclave-0123456789ab\0").hexdigest()
    assert rendered["documents/names"]["balancer_prefix"] == f"enc-{digest[:6]}-"


def test_tags_are_the_functions_tags(repository, rendered):
    tags = set(re.findall(r'pub const \w+: &str = "(enclave:[\w-]+)";', source(repository, "shared/core/src/tags.rs")))
    assert tags
    for name in ("roles/provision-launch", "roles/provision-balancers", "roles/provision-services"):
        for statement in rendered[name]["Statement"]:
            allowed = statement.get("Condition", {}).get("ForAllValues:StringEquals", {}).get("aws:TagKeys")
            assert allowed is None or set(allowed) == tags, (name, statement["Sid"])


def test_the_functions_may_touch_the_keys_they_use(repository, rendered):
    ledger = source(repository, "shared/core/src/ledger.rs")
    keys = re.findall(r'"(state/v1/[^"]*)"', ledger)
    assert keys
    keep = next(s for s in rendered["roles/provision-stores"]["Statement"] if s["Sid"] == "KeepTheLedger")
    prefix = keep["Resource"].split(":::")[1].split("/", 1)[1].removesuffix("*")
    assert all(key.startswith(prefix) for key in keys)
    tenant = [
        re.search(r'pub const (?:ZONE|FREEZE|GATE)_KEY: &str = "([^"]+)"', line)[1]
        for path in ("shared/core/src/foundation.rs", "shared/gate/src/rules.rs")
        for line in source(repository, path).splitlines()
        if "_KEY: &str" in line
    ]
    assert sorted(tenant) == ["v1/freeze.json", "v1/gate.json", "v1/zone.json"]
    read = next(s for s in rendered["roles/provision-stores"]["Statement"] if s["Sid"] == "ReadWhatTheTenantSays")
    assert read["Resource"].endswith("-tenant-0123456789ab/v1/*")


def test_terraform_gives_a_parameter_for_each_variable_of_the_function(repository, zone):
    wanted = re.findall(
        r'(?:required|number)\("ENCLAVE_(\w+)"', source(repository, "functions/provision/src/config.rs")
    )
    assert wanted
    parameters = zone.locals["parameters"]
    names = {
        name.strip('"')
        for name in (parameters if isinstance(parameters, dict) else re.findall(r'"([\w-]+)"\s*=', parameters))
    }
    # The zone itself is what the template is deployed for.
    assert {name.lower().replace("_", "-") for name in wanted} - {"zone"} <= names


def local_enclave(repository):
    return {
        name: source(repository, f"tests/src/foundation/{name}.rs")
        for name in ("hosts", "keys", "network", "storage", "tenant", "mod")
    }


def test_queues_are_those_of_the_local_enclave(repository, rendered, zone):
    made = local_enclave(repository)["storage"]
    names = set(rendered["documents/names"]["queues"].values())
    for what in re.findall(r'queue\(\s*"([\w-]+)"', made):
        assert f"dev-aws-us-east-1-{what}.fifo" in names, what
    receives = re.findall(r"const MAX_(?:RESULT_)?RECEIVES: u32 = (\d+)", made)
    assert receives == ["5", "1000"]
    mine = re.findall(r"receives'?\s*[=:]\s*(\d+)", str(zone.locals["queues"]))
    assert mine == ["5", "1000", "5"], "requests, results, notifications"
    margin = re.search(r"VISIBILITY_MARGIN_SECONDS: u64 = (\d+)", made)[1]
    assert f"var.timeouts.provision + {margin}" in str(zone.locals["queues"])


def test_buckets_are_those_of_the_local_enclave(repository, rendered):
    made = local_enclave(repository)["storage"]
    wanted = re.findall(r'bucket\("(\w+)", &keys\.(\w+), (true|false)\)', made)
    assert {what for what, _, _ in wanted} == set(rendered["documents/names"]["buckets"])
    assert [what for what, _, locked in wanted if locked == "true"] == ["audit"]
    assert (
        'format!("{}-{what}-{}", self.zone, self.enclave_id.trim_start_matches("enclave-"))'
        in local_enclave(repository)["mod"]
    )
    assert rendered["documents/names"]["buckets"]["state"] == "dev-aws-us-east-1-state-0123456789ab"


def test_subnets_are_numbered_as_in_the_local_enclave(repository, zone):
    made = local_enclave(repository)["network"]
    assert "(position * 16, 128 + position)" in made
    assert 'format!("10.0.{hosts}.0/20")' in made and 'format!("10.0.{balancers}.0/24")' in made
    subnets = {name: body for (_, kind, name), (body, _) in zone.resources.items() if kind == "aws_subnet"}
    assert subnets["host"]["cidr_block"] == "${cidrsubnet(var.vpc_cidr, 4, each.value)}"
    assert subnets["balancer"]["cidr_block"] == "${cidrsubnet(var.vpc_cidr, 8, 128 + each.value)}"
    assert subnets["host"]["ipv6_cidr_block"] == "${cidrsubnet(aws_vpc.zone.ipv6_cidr_block, 8, each.value)}"
    assert subnets["balancer"]["ipv6_cidr_block"] == "${cidrsubnet(aws_vpc.zone.ipv6_cidr_block, 8, 128 + each.value)}"


def test_launch_templates_are_set_as_in_the_local_enclave(repository, zone):
    made = local_enclave(repository)["hosts"]
    ((template, _),) = [value for (_, kind, _), value in zone.resources.items() if kind == "aws_launch_template"]
    interface, metadata = template["network_interfaces"][0], template["metadata_options"][0]
    ebs = template["block_device_mappings"][0]["ebs"][0]
    for setter, mine in {
        "device_index": interface["device_index"],
        "ipv6_address_count": interface["ipv6_address_count"],
        "primary_ipv6": interface["primary_ipv6"],
        "associate_public_ip_address": interface["associate_public_ip_address"],
        "http_put_response_hop_limit": metadata["http_put_response_hop_limit"],
        "encrypted": ebs["encrypted"],
    }.items():
        value = re.search(rf"\.{setter}\((\w+)\)", made)[1]
        assert str(mine).lower() == value, setter
    for constant, mine in {
        "LaunchTemplateHttpTokensState::Required": metadata["http_tokens"],
        "LaunchTemplateInstanceMetadataProtocolIpv6::Enabled": metadata["http_protocol_ipv6"],
        "LaunchTemplateInstanceMetadataEndpointState::Enabled": metadata["http_endpoint"],
        "VolumeType::Gp3": ebs["volume_type"],
    }.items():
        assert constant in made and mine.strip('"') == constant.split("::")[1].lower()


def test_user_data_names_targets_in_the_same_file_and_form(repository, rendered):
    made = local_enclave(repository)["hosts"]
    path = re.search(r"path: (/etc/enclave/\S+)", made)[1]
    assert path in rendered["documents/user-data"]
    assert rendered["documents/user-data"].startswith("#cloud-config\n") and "#cloud-config\\n" in made.replace(
        "\n", "\\n"
    )
