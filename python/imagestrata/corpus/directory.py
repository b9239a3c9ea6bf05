"""The first directory of a TIFF: its entries, and files with other entries in it."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

#: Bytes of a value of each type.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8}


class Entry(NamedTuple):
    tag: int
    kind: int
    n: int
    #: The values, or where they are if they take more bytes than there are here.
    field: bytes


@dataclass
class Directory:
    """The first directory of a file. Reading one that is not whole raises struct.error."""

    data: bytes

    def __post_init__(self) -> None:
        data = self.data
        order = "<" if data[:1] == b"I" else ">"
        big = data[2:4] in (b"+\0", b"\0+")
        at, entry, address, count = (8, "HHQ8s", "Q", "Q") if big else (4, "HHI4s", "I", "H")
        self._entry, self._address, self._count = order + entry, order + address, order + count
        (self._start,) = struct.unpack_from(self._address, data, at)
        (n,) = struct.unpack_from(self._count, data, self._start)
        first, width = self._start + struct.calcsize(self._count), struct.calcsize(self._entry)
        self.entries = [
            Entry(*struct.unpack_from(self._entry, data, first + width * i))
            for i in range(min(n, 4096))
        ]

    def with_entries(self, entries: Iterable[Entry]) -> bytes:
        """Return the file with these entries, of which there are no more. No other bytes move."""
        packed = [struct.pack(self._entry, *entry) for entry in entries]
        last = bytes(struct.calcsize(self._address))
        made = struct.pack(self._count, len(packed)) + b"".join(packed) + last
        return self.data[: self._start] + made + self.data[self._start + len(made) :]

    def with_value(self, entry: Entry, value: int) -> Entry:
        """Return an entry with one value, an integer."""
        number = {3: "H", 4: "I", 16: "Q"}[entry.kind]
        return entry._replace(n=1, field=struct.pack(self._entry[0] + number, value))

    def some_values(self, entry: Entry, first: int, count: int) -> Entry:
        """Return an entry with some of its values."""
        size, room = _SIZES[entry.kind], len(entry.field)
        if entry.n * size <= room:
            field = entry.field[first * size : (first + count) * size]
        else:
            (place,) = struct.unpack(self._address, entry.field)
            place += first * size
            field = self.data[place : place + count * size]
            if count * size > room:
                field = struct.pack(self._address, place)
        return entry._replace(n=count, field=field)
