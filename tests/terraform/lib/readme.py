"""Tables of inputs and outputs in the modules' README.md, between two marks.

`python3 tests/terraform/run --readme` writes them anew.
"""

import json
import re

from hcl import unquoted

BEGIN, END = "<!-- made by tests/terraform/run --readme -->\n", "<!-- end -->\n"


def words(text):
    """A description as one line."""
    text = unquoted(text)
    if text.startswith("<<"):
        text = text.split("\n", 1)[1].rsplit("\n", 1)[0]
    return re.sub(r"\s+", " ", text.replace('\\"', '"')).strip().replace("|", "\\|")


def kind(variable):
    text = re.sub(r"\s+", " ", variable.get("type", "${any}").removeprefix("${").removesuffix("}"))
    return "object" if text.startswith("object(") else "list(object)" if text.startswith("list(object(") else text


def default(variable):
    if "default" not in variable:
        return "required"
    value = variable["default"]
    if isinstance(value, str):
        return f"`{value.removeprefix('${').removesuffix('}')}`"
    text = json.dumps(value).replace('"\\"', '"').replace('\\""', '"')
    return f"`{text}`" if len(text) <= 60 else "see variables"


def tables(module):
    out = ["### Inputs\n", "| name | type | default | |", "|---|---|---|---|"]
    for name, variable in sorted(module.variables.items(), key=lambda item: ("default" in item[1], item[0])):
        out.append(f"| `{name}` | {kind(variable)} | {default(variable)} | {words(variable['description'])} |")
    out += ["\n### Outputs\n", "| name | |", "|---|---|"]
    for name, output in sorted(module.outputs.items()):
        out.append(f"| `{name}` | {words(output['description'])} |")
    return "\n".join(out) + "\n"


def written(module):
    """README.md as it should be; None where there is none."""
    file = module.path / "README.md"
    if not file.is_file():
        return None
    before, rest = file.read_text().split(BEGIN, 1)
    return before + BEGIN + "\n" + tables(module) + "\n" + END + rest.split(END, 1)[1]


def write(configuration):
    for module in configuration.modules.values():
        text = written(module)
        if text is not None:
            (module.path / "README.md").write_text(text)
