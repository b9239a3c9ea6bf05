"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real images and weights, which are never part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs real images and weights in {SHARED_DATA}, which is absent")
    return SHARED_DATA
