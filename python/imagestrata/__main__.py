"""``python -m imagestrata`` is the command ``imagestrata``."""

from .cli import main

main()
