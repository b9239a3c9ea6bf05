"""Report what this machine offers and what is missing, for users and for bug reports."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any

from .cores import usable_cores
from .provenance import versions


def examine() -> dict[str, Any]:
    """Return versions, threads, processor features and the state of every encoder.

    Returns
    -------
    dict
        ``versions``, ``machine`` (system, processor, cores, threads, bfloat16,
        gpu), ``encoders`` (a list of rows, see :func:`list_encoders`).
    """
    import torch

    from .encoders.inference import has_bfloat16
    from .encoders.registry import list_encoders

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "versions": versions(),
        "machine": {
            "system": platform.platform(),
            "python": sys.executable,
            "processor": processor_name(),
            "cores": usable_cores(),
            "torch_threads": torch.get_num_threads(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "bfloat16": has_bfloat16(torch.device("cpu")),
            "gpu": gpu,
        },
        "encoders": list_encoders().to_dict("records"),
    }


def processor_name() -> str:
    """Name of the processor, or of its architecture if the system does not report a name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
