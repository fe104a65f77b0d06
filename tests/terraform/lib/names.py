"""Do the names exist? Resource types, arguments, blocks, required arguments, exported attributes, and references.

`faults` returns one sentence per fault; what it knows of the provider stands in provider/aws.json.
"""

import json
import re
from pathlib import Path

from hcl import BLOCK, HIDDEN, code, expressions, unquoted

PROVIDER = Path(__file__).resolve().parents[1] / "provider" / "aws.json"

META_ARGUMENTS = {"count", "for_each", "provider", "depends_on"}
META_BLOCKS = {"lifecycle", "provisioner", "connection", "dynamic"}
MODULE_ARGUMENTS = {"source", "version", "providers", "count", "for_each", "depends_on"}
# https://developer.hashicorp.com/terraform/language/resources/terraform-data
BUILT_IN = {"terraform_data": {"arguments": {"input", "triggers_replace"}, "attributes": {"id", "output"}}}

REFERENCE = re.compile(
    r"(?<![\w.\]\"-])(?P<root>var|local|module|data\.aws_\w+|each|count|path|aws_\w+|terraform_data)\.(?P<name>[\w-]+)(?P<rest>(?:\[[^\[\]]*\]|\[\*\]|\.[\w*-]+)*)"
)
ATTRIBUTE = re.compile(r"\.([A-Za-z_][\w-]*)")
OBJECT_FIELD = re.compile(r"([A-Za-z_]\w*)\s*=")


def load_provider():
    return json.loads(PROVIDER.read_text())


def is_blocks(value):
    return isinstance(value, list) and value and all(isinstance(item, dict) and item.get(BLOCK) for item in value)


def faults(configuration, provider=None):
    """Everything that is wrong with the names in these modules."""
    provider = provider or load_provider()
    found = []
    for module in configuration.modules.values():
        where = module.path.relative_to(configuration.root.parent)
        for (mode, kind, name), (body, file) in module.resources.items():
            place = f"{where}/{file.name}: {mode} {kind}.{name}"
            found += resource_faults(provider, mode, kind, body, place)
        for call in module.modules:
            found += call_faults(configuration, module, call, f"{where}: module {call}")
        found += reference_faults(configuration, module, provider, where)
        found += unused_faults(module, where)
        found += cycle_faults(module, where)
    return found


def resource_faults(provider, mode, kind, body, place):
    if kind in BUILT_IN:
        unknown = set(body) - HIDDEN - META_ARGUMENTS - META_BLOCKS - BUILT_IN[kind]["arguments"]
        return [f"{place}: no argument {name}" for name in sorted(unknown)]
    schema = provider[mode].get(kind)
    if schema is None:
        return [f"{place}: no such type in {provider['provider']}, or not extracted yet (provider/extract.py)"]
    return body_faults(schema, body, place, meta=True)


def body_faults(schema, body, place, meta=False):
    found, blocks = [], {}
    for name, value in body.items():
        if name in HIDDEN or (meta and (name in META_ARGUMENTS or name in META_BLOCKS - {"dynamic"})):
            continue
        if name == "dynamic":
            for item in value:
                for label, dynamic in item.items():
                    if label not in HIDDEN:
                        blocks.setdefault(unquoted(label), []).extend(dynamic["content"])
        elif is_blocks(value):
            blocks.setdefault(name, []).extend(value)
        elif name in schema["blocks"]:
            found.append(f"{place}: {name} is a block, not an argument")
        elif name not in schema["arguments"]:
            found.append(f"{place}: no argument {name}")
    for name, bodies in blocks.items():
        if name not in schema["blocks"]:
            found.append(f"{place}: no block {name}")
            continue
        for inner in bodies:
            found += body_faults(schema["blocks"][name], inner, f"{place}.{name}")
    required = [name for name, argument in schema["arguments"].items() if argument["required"]]
    required += [name for name, block in schema["blocks"].items() if block["required"]]
    found += [f"{place}: {name} is required" for name in required if name not in body and name not in blocks]
    return found


def call_faults(configuration, module, call, place):
    body = module.modules[call]
    called = configuration.called(module, call)
    if called is None:
        return [f"{place}: no module at {body['source']}"]
    given = set(body) - HIDDEN - MODULE_ARGUMENTS
    found = [f"{place}: no variable {name}" for name in sorted(given - set(called.variables))]
    required = {name for name, variable in called.variables.items() if "default" not in variable}
    return found + [f"{place}: {name} is required" for name in sorted(required - given)]


def object_fields(variable):
    """Names of a variable's fields where its type is an object; none where any name may be."""
    kind = variable.get("type", "")
    inner = kind.removeprefix("${").removesuffix("}")
    if not inner.startswith("object({"):
        return None
    depth, flat = 0, []
    for character in inner[len("object({") :]:
        if character in "({[":
            depth += 1
        if depth == 0:
            flat.append(character)
        if character in ")}]":
            depth -= 1
    return set(OBJECT_FIELD.findall("".join(flat)))


def parts_of(module):
    """Each named thing with what its expressions are in."""
    for (mode, kind, name), (body, _) in module.resources.items():
        yield f"{'data.' if mode == 'data' else ''}{kind}.{name}", body
    for name, body in module.modules.items():
        yield f"module.{name}", {key: value for key, value in body.items() if key != "source"}
    for name, value in module.locals.items():
        yield f"local.{name}", value
    for name, body in module.outputs.items():
        yield f"output.{name}", body
    for name, body in module.variables.items():
        yield f"var.{name}", {key: value for key, value in body.items() if key not in ("type", "description")}


def references(value):
    for text in expressions(value):
        for match in REFERENCE.finditer(code(text)):
            yield match["root"], match["name"], match["rest"]


def reference_faults(configuration, module, provider, where):
    found = []
    for part, body in parts_of(module):
        for root, name, rest in references(body):
            problem = reference_fault(configuration, module, provider, body, root, name, rest)
            if problem:
                found.append(f"{where}: {part}: {root}.{name}{rest}: {problem}")
    return sorted(set(found))


def reference_fault(configuration, module, provider, body, root, name, rest):
    attribute = ATTRIBUTE.search(re.sub(r"\[[^\[\]]*\]", "", rest))
    attribute = attribute[1] if attribute else None
    if root == "var":
        if name not in module.variables:
            return "no such variable"
        fields = object_fields(module.variables[name])
        return f"no field {attribute}" if fields and attribute and attribute not in fields else None
    if root == "local":
        return None if name in module.locals else "no such local"
    if root == "module":
        if name not in module.modules:
            return "no such module"
        called = configuration.called(module, name)
        return f"no output {attribute}" if called and attribute and attribute not in called.outputs else None
    if root == "each":
        return None if isinstance(body, dict) and "for_each" in body else "each without for_each"
    if root == "count":
        return None if isinstance(body, dict) and "count" in body else "count.index without count"
    if root == "path":
        return None if name in {"module", "root", "cwd"} else "no such path"
    mode, kind = ("data", root.removeprefix("data.")) if root.startswith("data.") else ("resource", root)
    if (mode, kind, name) not in module.resources:
        return "no such resource"
    if kind in BUILT_IN:
        known = BUILT_IN[kind]["attributes"] | BUILT_IN[kind]["arguments"]
    elif kind in provider[mode]:
        schema = provider[mode][kind]
        known = set(schema["arguments"]) | set(schema["blocks"]) | set(schema["attributes"])
    else:
        return None  # Said once, at the resource.
    return f"no attribute {attribute}" if attribute and attribute not in known else None


def unused_faults(module, where):
    used = {(root, name) for _, body in parts_of(module) for root, name, _ in references(body)}
    found = [
        f"{where}: variable {name} is used nowhere" for name in sorted(module.variables) if ("var", name) not in used
    ]
    return found + [
        f"{where}: local {name} is used nowhere" for name in sorted(module.locals) if ("local", name) not in used
    ]


def cycle_faults(module, where):
    """Things of one module that wait for each other. What passes through a called module is Terraform's to find."""
    names = {name for name, _ in parts_of(module) if not name.startswith("module.")}
    edges = {
        part: {f"{root}.{name}" for root, name, _ in references(body)} & names
        for part, body in parts_of(module)
        if part in names
    }
    done, path, found = set(), [], []

    def visit(part):
        if part in path:
            found.append(f"{where}: {' -> '.join([*path[path.index(part) :], part])} wait for each other")
            return
        if part in done:
            return
        path.append(part)
        for after in sorted(edges[part] - ({part} if part.startswith("var.") else set())):
            visit(after)
        path.pop()
        done.add(part)

    for part in sorted(edges):
        visit(part)
    return found
