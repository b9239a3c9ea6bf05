"""Waiting for what a page shows, in tests of pages in a browser."""

from __future__ import annotations

import time
from typing import Any


def wait_until(page: Any, expression: str, seconds: float = 30) -> None:
    """Return when a JavaScript expression is true of the page.

    Playwright's own ``wait_for_function`` evaluates text inside the page where the
    expression is not true at once, which the policy of our pages forbids.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"not true after {seconds} s: {expression}"
        time.sleep(0.02)
