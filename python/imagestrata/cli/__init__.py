"""The command ``imagestrata``: every step alone, and all of them with ``run``.

Results go to standard output, everything else to standard error. The exit code
is 0 when all went well, 2 for something the user can mend, 130 when interrupted.
"""

from __future__ import annotations

from collections.abc import Callable

from .app import app, main
from .clustering import cluster
from .corpus import crop_faces, demo, scan
from .doctor import doctor
from .embeddings import embed, reduce
from .explore import coding_sheet, compare, gallery, keywords, methods, share
from .finetune import fine_tune, predict
from .run import run
from .sampling import assign, sample
from .text import describe, embed_text, read_text, tag
from .validation import pairs, score, sweep, tune

__all__ = ["app", "main"]

#: In the order in which `--help` lists them: first all in one, then along the road of the data.
_COMMANDS: list[Callable[..., None]] = [
    run,
    *(demo, scan, crop_faces),
    *(embed, reduce, describe, read_text, tag, embed_text),
    *(fine_tune, predict),
    *(cluster, sweep, compare),
    *(gallery, keywords, coding_sheet),
    *(pairs, score, tune),
    *(sample, assign, share, methods),
    doctor,
]
for _command in _COMMANDS:
    app.command(_command.__name__.replace("_", "-"))(_command)
