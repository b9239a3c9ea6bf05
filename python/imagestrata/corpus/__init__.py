"""Scanning: every file is read once and is usable, a duplicate, or rejected with a reason."""
