"""Run verbs with the default settings of other libraries."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

#: Guards the settings of torch while verbs run in several threads.
_switching = threading.Lock()
_working = 0
_theirs: dict[str, Any] = {}


@contextmanager
def as_shipped() -> Iterator[None]:
    """Reset global settings of other libraries that change results, and restore them at the end.

    A session may compute in float64, on another device or without gradients, let scikit-learn
    return tables, or let NumPy raise errors. A library that is not loaded yet has its defaults.
    """
    loaded = sys.modules
    with ExitStack() as stack:
        if "numpy" in loaded:
            stack.enter_context(loaded["numpy"].errstate(all="warn", under="ignore"))
        if "sklearn" in loaded:
            plain = loaded["sklearn"].config_context(
                transform_output="default", enable_metadata_routing=False
            )
            stack.enter_context(plain)
        torch = loaded.get("torch")
        if torch is not None and hasattr(
            torch, "inference_mode"
        ):  # not while torch is being loaded
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            stack.enter_context(_plain_numbers(torch))
            # get_default_device() of torch 2.6 does not know `with torch.device()`.
            if torch.empty(0).device.type != "cpu":
                stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def _plain_numbers(torch: Any) -> Iterator[None]:
    """Let torch compute in float32, a setting that all threads share."""
    global _working
    with _switching:
        _working += 1
        if torch.get_default_dtype() != torch.float32:
            _theirs["dtype"] = torch.get_default_dtype()
            torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        with _switching:
            _working -= 1
            if not _working and _theirs:
                torch.set_default_dtype(_theirs.pop("dtype"))
