"""Each module that people call says what it takes and gives."""

import readme

CALLED = [
    ".",
    "modules/zone",
    "modules/ssh",
    "modules/policies",
    "modules/policies-account",
    "modules/policies-ssh",
    "modules/documents",
]


def test_each_readme_has_the_inputs_and_outputs_there_are(configuration):
    for name in CALLED:
        module = configuration.modules[(configuration.root / name).resolve()]
        text = readme.written(module)
        assert text is not None, f"{name} has no README.md"
        assert (module.path / "README.md").read_text() == text, "run: python3 tests/terraform/run --readme"


def test_every_variable_and_output_is_described(configuration):
    for module in configuration.modules.values():
        for name, body in {**module.variables, **module.outputs}.items():
            assert len(body.get("description", "")) > 10, (module.path, name)


def test_files_are_short(configuration):
    for module in configuration.modules.values():
        for file in module.files:
            assert len(file.read_text().splitlines()) <= 400, file
