"""Trouble in metadata is no damage to a picture."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import images
from imagestrata.corpus import bare
from imagestrata.corpus.decode import UnreadableImage, open_image

PICTURE = images.picture(3, (60, 40))
#: Random bytes, of which heads of several lengths are taken.
NOISE = np.random.default_rng(1).bytes(200)
LENGTHS = (0, 1, 2, 5, 9, 20, 40)


def opens(data):
    with images.quiet():
        shown = open_image(data)
    assert shown.size == PICTURE.size
    return np.abs(np.asarray(shown, int) - np.asarray(PICTURE, int)).mean() < 12


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def chunk(name, body, wrong=0):
    check = struct.pack(">I", zlib.crc32(name + body) ^ wrong)
    return struct.pack(">I", len(body)) + name + body + check


@pytest.mark.parametrize("marker", [*range(0xE0, 0xF0), 0xFE])
def test_segments_of_a_jpeg(marker):
    data = images.encode(PICTURE, "JPEG")
    for head in (
        b"", b"JFIF\0", b"Exif\0\0II*\0", b"ICC_PROFILE\0\1", b"Photoshop 3.0\x008BIM\x03\xed",
        b"MPF\0", b"http://ns.adobe.com/xap/1.0/\0",
    ):  # fmt: skip
        for length in LENGTHS:
            note = segment(marker, head + NOISE[:length])
            for at in (2, 20):
                assert opens(data[:at] + note + data[at:]), (head, length, at)


@pytest.mark.parametrize(
    "name",
    [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"tIME", b"eXIf",
     b"bKGD", b"hIST", b"sPLT", b"sBIT", b"acTL", b"fcTL", b"cICP", b"prVt"],
)  # fmt: skip
def test_chunks_of_a_png(name):
    data = images.encode(PICTURE)
    for length in LENGTHS:
        for wrong in (0, 1):
            note = chunk(name, NOISE[:length], wrong)
            for at in (33, data.index(b"IEND") - 4):
                assert opens(data[:at] + note + data[at:]), (length, wrong, at)


def test_texts_and_profiles_of_a_png_beyond_any_limit(monkeypatch):
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_CHUNK", 100)
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 100)
    data, long = images.encode(PICTURE), zlib.compress(bytes(3_000_000))
    for note in (
        chunk(b"iCCP", b"x\0\0" + long), chunk(b"zTXt", b"x\0\0" + long),
        chunk(b"iTXt", b"x\0\1\0\0\0" + long), chunk(b"tEXt", b"x\0" + b"a" * 300),
    ):  # fmt: skip
        assert opens(data[:33] + note + data[33:])


def test_extensions_of_a_gif():
    data = images.encode(PICTURE, "GIF")
    at = 13 + (3 << ((data[10] & 7) + 1))
    for label in (0x01, 0x55, 0xF9, 0xFE, 0xFF):
        for body in (b"", b"\0", b"NETSCAPE2.0", b"NETSCAPE2.0\1\1", NOISE[:3], NOISE):
            note = bytes([0x21, label]) + (bytes([len(body)]) + body if body else b"") + b"\0"
            assert opens(data[:at] + note + data[at:]), (label, body)


def test_chunks_of_a_webp():
    notes = {"icc_profile": b"x" * 50, "exif": b"Exif\0\0garbage", "xmp": b"<x>"}
    data = images.encode(PICTURE, "WEBP", lossless=True, **notes)
    for name in (b"ICCP", b"EXIF", b"XMP "):
        at = data.index(name)
        (length,) = struct.unpack_from("<I", data, at + 4)
        gone = data[:at] + data[at + 8 + length + length % 2 :]
        cut = data + name + struct.pack("<I", 1000) + b"zz"
        for wrong in (gone, cut):
            assert opens(wrong[:4] + struct.pack("<I", len(wrong) - 8) + wrong[8:]), name
        assert opens(data[: at + 8] + NOISE[:length] + data[at + 8 + length :])


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_tags_of_a_tiff(compression):
    info = {270: "d", 305: "s", 306: "2020", 700: b"<xmp>", 34675: b"icc" * 50, 282: 72.0}
    data = images.encode(PICTURE, "TIFF", tiffinfo=info, compression=compression)
    (start,) = struct.unpack_from("<I", data, 4)
    (n,) = struct.unpack_from("<H", data, start)
    for at in range(start + 2, start + 2 + 12 * n, 12):
        tag, _, _, value = struct.unpack_from("<HHII", data, at)
        if tag not in info:
            continue
        for kind in (0, 1, 2, 5, 7, 13, 99):
            for count in (0, 5, 2**16, 2**32 - 1):
                for place in (0, value, 2**31, 2**32 - 1):
                    wrong = bytearray(data)
                    struct.pack_into("<HHII", wrong, at, tag, kind, count, place)
                    assert opens(bytes(wrong)), (tag, kind, count, place)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_orientation_survives_trouble_elsewhere(format):
    turned = images.turned(PICTURE.transpose(Image.Transpose.ROTATE_90), 6, format)
    if format == "JPEG":
        turned = turned[:2] + segment(0xE0, b"JFIF\0") + turned[2:]
    else:
        turned = turned[:33] + chunk(b"pHYs", b"") + turned[33:]
    assert opens(turned)


def test_bytes_of_pixels_still_count():
    """What decides pixels is not taken for metadata: files cut there stay damaged."""
    for format in ("JPEG", "PNG", "GIF", "WEBP", "TIFF"):
        data = images.encode(PICTURE, format)
        # The pixels of a TIFF come first.
        half = data[:8] + data[2000:] if format == "TIFF" else data[: len(data) * 2 // 3]
        with images.quiet(), pytest.raises(UnreadableImage, match="truncated or damaged"):
            open_image(half)


def test_odd_kinds_of_jpeg_are_not_damaged():
    data = images.encode(PICTURE, "JPEG")
    at = data.index(b"\xff\xc0")
    for wrong in (
        data[: at + 4] + b"\x0c" + data[at + 5 :],  # 12 bits
        data[: at + 1] + b"\xc3" + data[at + 2 :],  # lossless
    ):
        with pytest.raises(UnreadableImage, match="format not supported"):
            open_image(wrong)


def test_odd_kinds_of_bmp_are_not_damaged():
    data = bytearray(images.encode(PICTURE, "BMP"))
    struct.pack_into("<I", data, 30, 4)  # a JPEG within
    with pytest.raises(UnreadableImage, match="format not supported"):
        open_image(bytes(data))


def test_a_picture_brings_nothing_but_its_pixels():
    note = PngImagePlugin.PngInfo()
    note.add_text("comment", "a secret")
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    for format, options in (
        ("JPEG", {"comment": b"a secret", "exif": exif, "icc_profile": b"a secret"}),
        ("PNG", {"pnginfo": note, "exif": exif}), ("GIF", {"comment": b"a secret"}),
        ("WEBP", {"xmp": b"a secret", "exif": exif}), ("TIFF", {"tiffinfo": {270: "a secret"}}),
    ):  # fmt: skip
        shown = open_image(images.encode(PICTURE, format, **options))
        assert not shown.info, format
        for kept in ("JPEG", "PNG", "GIF", "WEBP", "TIFF"):
            buffer = BytesIO()
            shown.save(buffer, kept)
            assert b"secret" not in buffer.getvalue(), (format, kept)


@pytest.mark.parametrize(
    ("format", "head", "part"),
    [
        ("PNG", b"\x89PNG\r\n\x1a\n", bytes(12)),
        ("JPEG", b"\xff\xd8", b"\xff"),
        ("JPEG", b"\xff\xd8", b"\xff\xe1\x00\x02"),
        ("GIF", b"GIF89a" + bytes(7) + b"\x21\xfe", b"\x01a"),
        ("GIF", b"GIF89a" + bytes(7), b"\x21\xfe\x00"),
        ("WebP", b"RIFF\0\0\0\0WEBP", b"EXIF\0\0\0\0"),
    ],
)
def test_a_file_of_endless_empty_parts_is_given_up(monkeypatch, format, head, part):
    """A few gigabytes of them, which take no space on disk, would take minutes."""
    seen: list[int] = []
    unpack = struct.unpack_from

    def counted(*given):
        seen.append(1)
        return unpack(*given)

    monkeypatch.setattr(bare.struct, "unpack_from", counted)
    monkeypatch.setattr(bare, "_MOST_PARTS", 100)
    data = head + 2000 * part
    assert list(bare.without_metadata(format, data)) == []
    assert bare.is_endless(format, data) == (format in ("JPEG", "GIF"))
    assert len(seen) <= 3 * 100
    with pytest.raises(UnreadableImage, match="truncated or damaged"):
        open_image(data)
