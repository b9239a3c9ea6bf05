"""What tests of pages in a browser have in common."""

from __future__ import annotations

import time
from pathlib import Path
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


def expect_soon(what: Any) -> Any:
    """Assertions on a part of the page, or on the page, that wait until they hold.

    A view is drawn in answer to an event: a click or a key returns before that.
    """
    from playwright.sync_api import expect

    return expect(what)


def begin(page: Any, annotator: str) -> None:
    """Say who one is, where a page for annotators asks for it."""
    page.get_by_label("Your name or code").fill(annotator)
    page.keyboard.press("Enter")


def downloaded(page: Any, folder: Path) -> Path:
    """The file of answers that a page for annotators gives."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path
