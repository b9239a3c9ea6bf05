"""The fixed list of reasons why a file is not used, so that they can be counted."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """All values of the column ``reason`` of the images table, and some of other tables."""

    # The file could not be read.
    NOT_FOUND = "file not found"
    BROKEN_LINK = "broken link"
    NOT_A_FILE = "not a file"
    NO_PERMISSION = "no permission"
    UNREADABLE = "cannot be read"
    BAD_NAME = "name is not UTF-8"

    # The file was read, but it is not a usable image.
    EMPTY = "empty file"
    HTML = "HTML page"
    NOT_AN_IMAGE = "not an image"
    UNSUPPORTED = "format not supported"
    DAMAGED = "truncated or damaged"
    TOO_MANY_PIXELS = "too many pixels"
    TOO_LARGE = "too large"
    FEW_BYTES = "below min_bytes"
    SMALL_SIDE = "below min_side"

    # The file was read, but it is not a usable video.
    NOT_A_VIDEO = "not a video"
    NO_FRAME = "no frame can be decoded"
    CUT_SHORT = "ends before its stated duration"

    # The image was usable when it was scanned (in tables that other verbs return).
    CHANGED = "changed since the scan"
    UNKNOWN = "no file known"

    # The image duplicates one that is kept.
    SAME_BYTES = "same bytes"
    SAME_PIXELS = "same pixels"
    NEAR_DUPLICATE = "near-duplicate"
