"""The same server without the extension: run the suite against it to see that the tests can fail."""

import sys
import types

# The package's own __init__ applies the patches, so an empty one stands in for it.
_package = types.ModuleType("enclave_emulator")
sys.modules["enclave_emulator"] = _package

if __name__ == "__main__":
    import runpy
    from pathlib import Path

    main = Path(__file__).resolve().parent.parent / "enclave_emulator" / "__main__.py"
    runpy.run_path(str(main), run_name="__main__")
