"""Run the command ``imagestrata`` as ``python -m imagestrata``."""

from .cli import main

main()
