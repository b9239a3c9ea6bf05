"""`doctor`."""

from __future__ import annotations

from .output import Said


def doctor() -> Said:
    """Report what this machine offers and which encoders are ready."""
    from ..doctor import examine

    found = examine()
    rows = [f"{name:<24}{value}" for name, value in found["versions"].items()]
    rows += ["", *(f"{name:<24}{value}" for name, value in found["machine"].items()), ""]
    for entry in found["encoders"]:
        state = "ready" if entry["ready"] else "not ready"
        rows.append(f"{entry['name']:<24}{state:<12}{entry['note']}")
    return found, *rows
