"""The few reasons for which a file is not used, so that counts of them mean something."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Every text that the column ``reason`` of the images table can hold, and two more."""

    # The file could not be read.
    NOT_FOUND = "file not found"
    BROKEN_LINK = "broken link"
    NOT_A_FILE = "not a file"
    NO_PERMISSION = "no permission"
    UNREADABLE = "cannot be read"
    BAD_NAME = "name is not UTF-8"

    # It was read, and is not an image we can use.
    EMPTY = "empty file"
    HTML = "HTML page"
    NOT_AN_IMAGE = "not an image"
    UNSUPPORTED = "format not supported"
    DAMAGED = "truncated or damaged"
    TOO_MANY_PIXELS = "too many pixels"
    TOO_LARGE = "too large"
    FEW_BYTES = "below min_bytes"
    SMALL_SIDE = "below min_side"

    # It was usable when it was scanned (of tables that other verbs make).
    CHANGED = "changed since the scan"
    UNKNOWN = "no file known"

    # It is an image, and one like it is kept already.
    SAME_BYTES = "same bytes"
    SAME_PIXELS = "same pixels"
    NEAR_DUPLICATE = "near-duplicate"
