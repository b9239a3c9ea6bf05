"""Writes python/imagestrata/__init__.pyi, by which type checkers and editors know public names.

Run it when the table of public names changes: python tools/stubs.py
"""

from __future__ import annotations

from pathlib import Path

import imagestrata

STUB = Path(imagestrata.__file__).with_suffix(".pyi")


def stub() -> str:
    """Every public name, imported from where it is defined."""
    names = sorted((module, name) for name, module in imagestrata._PUBLIC.items())
    lines = [f"from .{module} import {name} as {name}" for module, name in names]
    listed = [f'    "{name}",' for name in imagestrata.__all__]
    rest = ["", "__all__ = [", *listed, "]", "__version__: str", ""]
    return "\n".join(["# Made by tools/stubs.py.", *lines, *rest])


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
