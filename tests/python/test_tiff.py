"""The many layouts of a TIFF: read rightly, or not at all."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile

import images
from deep_files import SHAPE, seen, tiff
from imagestrata.corpus.decode import UnreadableImage, open_image

DTYPES = ("u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8")
INKS = ("minisblack", "miniswhite", "rgb", "separated")


def stored(dtype: str, bands: int, inks: str) -> np.ndarray:
    shape = 1 - SHAPE if inks == "separated" else SHAPE
    black = np.zeros((*shape.shape[:2], 1))
    values = np.concatenate([shape, black if inks == "separated" else black + 1, shape], 2)
    values, size = values[:, :, :bands], 8 * int(dtype[1])
    if dtype[0] == "u":
        values = np.rint(values * (2.0**size - 1))
    elif dtype[0] == "i":
        values = np.rint((values - 0.5) * (2.0**size - 2))
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inks", INKS)
def test_every_layout_is_right_or_refused(dtype, inks):
    """Of 300 layouts that tifffile writes, none comes out dark, turned or torn."""
    outcomes = set()
    for planes, packed, order, tile, bands in product(
        ("contig", "separate"), (None, "zlib"), "<>", (None, (16, 16)), (1, 2, 3, 4, 5)
    ):
        least = {"rgb": 3, "separated": 4}.get(inks, 1)
        if bands < least or (bands == 1 and planes == "separate"):
            continue
        values = stored(dtype, bands, inks)
        if bands == 1:
            values = values[:, :, 0]
        elif planes == "separate":
            values = np.moveaxis(values, 2, 0)
        extra = ["unassalpha", "unspecified"][: bands - least] if inks == "rgb" else None
        if inks != "rgb" and bands > least:
            extra = ["unspecified"] * (bands - least)
        buffer = BytesIO()
        tifffile.imwrite(
            buffer, np.ascontiguousarray(values), photometric=inks, compression=packed,
            byteorder=order, tile=tile, extrasamples=extra, metadata=None,
            planarconfig=None if bands == 1 else planes,
        )  # fmt: skip
        try:
            shown = seen(buffer.getvalue())
        except UnreadableImage as error:
            outcomes.add(str(error))
            continue
        expected = SHAPE if least > 1 else SHAPE[:, :, :1].repeat(3, axis=2)
        if inks == "miniswhite":
            expected = 1 - expected
        # Signed values are stretched from the least to the greatest.
        error = np.abs(shown - expected).mean()
        assert error < (0.15 if dtype in ("i1", "i2", "i4", "u4") else 0.02), (
            planes,
            packed,
            order,
        )
        assert np.corrcoef(shown.ravel(), expected.ravel())[0, 1] > 0.99
        outcomes.add("read")
    assert outcomes <= {"read", "format not supported"} and outcomes


@pytest.mark.parametrize("code", [50000, 34712, 34887, 50002, 9999])
def test_a_compression_that_is_not_known_is_no_damage(code):
    data = tiff(stored("u1", 3, "rgb"), 2, t259=[code])
    if code == 50000:  # Zstandard, whose data these are not
        with pytest.raises(UnreadableImage):
            open_image(data)
        return
    with pytest.raises(UnreadableImage, match="format not supported"):
        open_image(data)


def test_colours_of_a_table_in_8_bits_are_not_black():
    """The standard has 16 bits; libtiff too takes a table without larger values for one of 8."""
    ramp = np.arange(256)
    table = np.concatenate([ramp, ramp * 0, ramp[::-1]])
    values = np.tile(np.uint8([0, 100, 255]), (4, 1))
    shown = [seen(tiff(values, 3, t320=table * scale)) for scale in (1, 257)]
    np.testing.assert_array_equal(*shown)
    assert shown[0][0, 1].tolist() == [100 / 255, 0, 155 / 255]


@pytest.mark.parametrize("tags", [{"photometric": 0, "t266": [2]}, {"photometric": 6, "t284": [2]}])
def test_an_order_of_bits_that_is_not_decoded_is_no_damage(tags):
    values = stored("u1", 3 if tags["photometric"] == 6 else 1, "rgb")
    with pytest.raises(UnreadableImage, match="format not supported"):
        open_image(tiff(values, **tags))


def test_a_torn_directory_is_damage():
    data = images.encode(images.picture(1), "TIFF")
    with pytest.raises(UnreadableImage, match="truncated or damaged"):
        open_image(data[:8] + bytes(len(data) - 8))


def test_the_terminal_stays_quiet():
    """Neither libtiff nor another library writes to the terminal of a process of its own."""
    code = """if True:
        import random
        import images
        from imagestrata.corpus import decode
        rng, picture = random.Random(0), images.picture(3, (60, 40))
        files = [images.encode(picture, kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP")]
        for kind in (None, "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
            files.append(images.encode(picture, "TIFF", compression=kind))
        files.append(images.encode(picture.convert("1"), "TIFF", compression="group4"))
        with images.quiet():
            for data in files:
                for _ in range(40):
                    wrong = bytearray(data)
                    for _ in range(3):
                        wrong[rng.randrange(len(wrong))] = rng.randrange(256)
                    try:
                        decode.open_image(bytes(wrong))
                    except decode.UnreadableImage:
                        pass
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
