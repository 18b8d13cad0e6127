"""albertkit: the toolkit for ALBERT. The public names are in `__init__.pyi`; each is imported when first used."""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import Any

__version__ = "0.1.0"

# OpenMP's threads wait for each other after every operation. By default they spin while they wait: where another
# program holds a core, two threads then take several times as long as one. OpenMP reads this when PyTorch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@cache
def _module_of_name() -> dict[str, str]:
    """Return public name -> module, sorted by name, as the imports in `__init__.pyi` say."""
    import ast
    import pkgutil

    stub = pkgutil.get_data(__name__, "__init__.pyi")
    assert stub is not None
    imports = [node for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom)]
    return dict(sorted((alias.name, str(node.module)) for node in imports for alias in node.names))


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return __dir__()
    if name not in _module_of_name():
        raise AttributeError(f"module 'albertkit' has no attribute {name!r}")
    value = getattr(importlib.import_module(_module_of_name()[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(_module_of_name())
