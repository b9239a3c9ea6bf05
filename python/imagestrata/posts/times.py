"""Times of posts, in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from ..errors import ImagestrataError
from ..wording import arg, quote

#: Seconds since 1970 with 9 or 10 digits, milliseconds with 13, microseconds with 16: numbers such
#: as 2018 and 20180131 are something else.
_NUMBER = re.compile(r"(\d{9,10}|\d{13}|\d{16})(\.\d+)?")
_PER_SECOND = {9: 1, 10: 1, 13: 1_000, 16: 1_000_000}
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?)?\s*(?P<zone>Z|UTC|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)


def check_zone(zone: Any) -> str:
    try:
        if isinstance(zone, str) and zone:
            ZoneInfo(zone)
            return zone
    except (KeyError, ValueError, OSError):
        pass
    raise ImagestrataError(
        f"{arg('time_zone')} must be the name of a time zone, not {quote(zone)}.",
        'For example "UTC", "Europe/Berlin" or "America/New_York".',
    )


def read_times(given: pd.Series[Any], zone: str) -> pd.Series[Any]:
    """Times in UTC, missing where a text is no time.

    Numbers are seconds since 1970 (or milliseconds or microseconds), texts are ISO 8601 or as in
    e-mails and at Twitter. Texts without a zone are local times of ``zone``; those that exist
    twice or never, when clocks change, are missing.
    """
    texts = given.map(_text).astype("str").str.strip()
    codes, known = pd.factorize(texts)
    distinct = pd.Series(known, dtype="str")
    times = pd.Series(pd.NaT, distinct.index, dtype="datetime64[us, UTC]")
    numbers = distinct.str.fullmatch(_NUMBER)
    if numbers.any():
        times[numbers] = _made(_from_number, distinct[numbers])
    parts = distinct.str.extract(rf"^(?P<whole>{_ISO.pattern})$", flags=re.IGNORECASE)
    iso = parts["whole"].notna() & ~numbers
    has_zone = iso & parts["zone"].notna()
    tidy = distinct.str.replace(",", ".").str.replace(r"\s*UTC$", "Z", regex=True, case=False)
    if has_zone.any():
        tidy = tidy.str.replace(r"\s+(?=[Z+-][\d:]*$)", "", regex=True, case=False)
        times[has_zone] = pd.to_datetime(
            tidy[has_zone].str.upper(), format="ISO8601", utc=True, errors="coerce"
        ).astype(times.dtype)
    local = iso & ~has_zone
    if local.any():
        plain = pd.to_datetime(tidy[local], format="ISO8601", errors="coerce")
        times[local] = (
            plain.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
            .dt.tz_convert("UTC")
            .astype(times.dtype)
        )
    rest = ~numbers & ~iso
    if rest.any():
        times[rest] = _made(_from_words, distinct[rest])
    return times.reindex(codes).set_axis(given.index)  # missing texts have the code -1


def _made(make: Callable[[str], Any], texts: pd.Series[Any]) -> pd.Series[Any]:
    made = [make(text) for text in texts]
    return pd.Series(pd.DatetimeIndex(made, tz="UTC").as_unit("us"), index=texts.index)


def _text(value: Any) -> str | None:
    if value is None or value is pd.NA or value != value or value == "":
        return None
    return repr(value) if isinstance(value, float) else str(value)


def _from_number(text: str) -> Any:
    whole, _, part = text.partition(".")
    micro = 1_000_000 // _PER_SECOND[len(whole)]
    rest = round(float(f"0.{part}") * micro) if part else 0
    return pd.Timestamp(int(whole) * micro + rest, unit="us", tz="UTC")


def _from_words(text: str) -> Any:
    try:  # Twitter: Wed Oct 10 20:19:24 +0000 2018
        return pd.Timestamp(datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")).tz_convert("UTC")
    except ValueError:
        pass
    try:
        found = parsedate_to_datetime(text)
        return pd.NaT if found.tzinfo is None else pd.Timestamp(found).tz_convert("UTC")
    except (ValueError, TypeError, IndexError):
        return pd.NaT
