"""Reads Terraform configuration with python-hcl2 into plain data: modules, their blocks, the code in expressions."""

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

import hcl2

BLOCK = "__is_block__"
HIDDEN = {BLOCK, "__comments__", "__inline_comments__", "__start_line__", "__end_line__"}
# Folders that are no configuration of ours.
SKIPPED = {".terraform"}


@functools.cache
def parsed(text):
    """Parsing takes long, and most files of a broken copy are those of the original."""
    return hcl2.loads(text)


def unquoted(name):
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name


def expressions(value):
    """Every string in a value, blocks included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from expressions(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in HIDDEN:
                yield from expressions(key)
                yield from expressions(item)


def code(text):
    """The code in an attribute's text: string literals are cut out, what is interpolated into them stays."""
    if text.startswith('"<<'):
        return " ".join(interpolations(text))
    if text.startswith("${") and text.endswith("}"):
        return outside_strings(text[2:-1])
    if text.startswith('"'):
        return " ".join(interpolations(text))
    return outside_strings(text)


def interpolations(text):
    """What stands between ${ and } in a string, $${ excepted."""
    position = 0
    while (start := text.find("${", position)) >= 0:
        if text[start - 1 : start] == "$":
            position = start + 2
            continue
        depth, end, quoted = 1, start + 2, False
        while end < len(text) and depth:
            if text[end] == '"' and text[end - 1] != "\\":
                quoted = not quoted
            depth += (text[end] == "{") - (text[end] == "}")
            end += 1
        yield outside_strings(text[start + 2 : end - 1])
        position = end


def outside_strings(text):
    out, position = [], 0
    while position < len(text):
        if text[position] != '"':
            out.append(text[position])
            position += 1
            continue
        end, depth = position + 1, 0
        while end < len(text) and (text[end] != '"' or depth):
            if text[end] == "\\":
                end += 1
            elif text.startswith("${", end) and text[end - 1] != "$":
                depth += 1
                end += 1
            elif text[end] == "}" and depth:
                depth -= 1
            end += 1
        literal = text[position : end + 1]
        # A key in brackets stays readable: key_arns["audit"].
        out.append('""' if not re.fullmatch(r'"[\w.-]*"', literal) else literal)
        out.extend(f" {inner} " for inner in interpolations(literal))
        position = end + 1
    return "".join(out)


@dataclass
class Module:
    """One folder of .tf files."""

    path: Path
    files: list = field(default_factory=list)
    resources: dict = field(default_factory=dict)  # (mode, type, name) -> (body, file)
    variables: dict = field(default_factory=dict)
    locals: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=dict)
    modules: dict = field(default_factory=dict)
    terraform: list = field(default_factory=list)
    providers: list = field(default_factory=list)

    @classmethod
    def read(cls, path):
        module = cls(path)
        for file in sorted(path.glob("*.tf")):
            module.files.append(file)
            module.add(parsed(file.read_text()), file)
        return module

    def add(self, parsed, file):
        for mode in ("resource", "data"):
            for block in parsed.get(mode, []):
                for kind, names in labelled(block):
                    for name, body in labelled(names):
                        self.resources[(mode, kind, name)] = (body, file)
        for target, key in (
            (self.variables, "variable"),
            (self.outputs, "output"),
            (self.modules, "module"),
        ):
            for block in parsed.get(key, []):
                for name, body in labelled(block):
                    if name in target:
                        raise ValueError(f"{file}: {key} {name} is there twice")
                    target[name] = body
        for block in parsed.get("locals", []):
            self.locals.update({name: value for name, value in block.items() if name not in HIDDEN})
        self.terraform += parsed.get("terraform", [])
        self.providers += parsed.get("provider", [])


def labelled(block):
    return [(unquoted(label), body) for label, body in block.items() if label not in HIDDEN]


@dataclass
class Configuration:
    """All modules below a folder, by their resolved path."""

    root: Path
    modules: dict

    @classmethod
    def read_tree(cls, root):
        folders = sorted({file.parent for file in root.rglob("*.tf") if not SKIPPED & set(file.parts)})
        return cls(root, {folder.resolve(): Module.read(folder) for folder in folders})

    def types(self):
        found = {"resource": set(), "data": set()}
        for module in self.modules.values():
            for mode, kind, _ in module.resources:
                if kind.startswith("aws_"):
                    found[mode].add(kind)
        return found

    def called(self, module, call):
        """The module that a module block of `module` calls."""
        source = unquoted(module.modules[call]["source"])
        return self.modules.get((module.path / source).resolve())
