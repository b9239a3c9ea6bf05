"""The many layouts of a TIFF: read rightly, or not at all."""

from __future__ import annotations

import struct
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
from imagestrata.corpus import decode
from imagestrata.corpus.decode import UnreadableImage, open_image
from imagestrata.corpus.depth import _blocks
from imagestrata.corpus.duplicates import pixel_hash

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


def written(values, **options) -> bytes:
    buffer = BytesIO()
    rgb = "rgb" if values.ndim == 3 else "minisblack"
    tifffile.imwrite(buffer, values, **{"photometric": rgb, "metadata": None, **options})
    return buffer.getvalue()


def by_opencv(values, compression: int, predictor: int) -> bytes:
    import cv2

    stored = values[:, :, ::-1] if values.ndim == 3 else values
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression, cv2.IMWRITE_TIFF_PREDICTOR, predictor]
    return cv2.imencode(".tif", np.ascontiguousarray(stored), options)[1].tobytes()


REALS = {
    "single": SHAPE[:, :, 0].astype("f4"), "single colours": SHAPE.astype("f4"),
    "double": SHAPE[:, :, 0], "double colours": SHAPE, "of 255": (SHAPE * 255).astype("f4"),
}  # fmt: skip


@pytest.mark.parametrize("name", REALS)
def test_real_numbers_are_read_however_they_are_stored(name):
    values = REALS[name]
    expected = SHAPE if values.ndim == 3 else SHAPE[:, :, :1]
    ways = [
        written(values), written(values, byteorder=">"), written(values, bigtiff=True),
        written(values, compression="zlib", tile=(16, 16)), written(values, rowsperstrip=5),
        *(by_opencv(values, packed, ahead) for packed in (1, 5, 8) for ahead in (1, 3)),
    ]  # fmt: skip
    for data in ways:
        assert np.abs(seen(data) - expected).max() < 0.01
    assert len({pixel_hash(decode.decode(data).exact) for data in ways}) == 1
    other = values.copy()
    other[3, 4] *= 1.0001
    assert pixel_hash(decode.decode(written(other)).exact) != pixel_hash(
        decode.decode(ways[0]).exact
    )


@pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
def test_bands_that_are_stored_apart(dtype):
    scale = 65535 if dtype == "u2" else 1
    clear = np.where(SHAPE[:, :, :1] < 0.5, 0.0, 1.0)
    together = np.rint(SHAPE * scale).astype(dtype) if dtype == "u2" else SHAPE.astype(dtype)
    four = np.dstack([together, (clear * scale).astype(dtype)])
    for options in (
        {}, {"rowsperstrip": 5}, {"tile": (16, 16)}, {"compression": "zlib", "byteorder": ">"},
        {"bigtiff": True, "rowsperstrip": 8}, {"extratags": [(274, "H", 1, 6, True)]},
    ):  # fmt: skip
        apart, mixed = (
            written(values, planarconfig=kind, **options)
            for values, kind in ((np.moveaxis(together, 2, 0), "separate"), (together, "contig"))
        )
        assert np.array_equal(seen(apart), seen(mixed))
        assert pixel_hash(decode.decode(apart).exact) == pixel_hash(decode.decode(mixed).exact)
    bands = np.moveaxis(four, 2, 0)
    data = written(bands, photometric="rgb", planarconfig="separate", extrasamples=["unassalpha"])
    assert np.abs(seen(data) - np.where(clear > 0, SHAPE, 1)).max() < 0.01
    with images.quiet(), pytest.raises(UnreadableImage, match="truncated or damaged"):
        open_image(data[:-9])


def test_signed_and_long_colours_are_read():
    for values in (SHAPE * 32767, (SHAPE - 0.5) * 60000):
        shown = seen(written(values.astype("i2")))
        own = (values - values.min()) / np.ptp(values)
        assert np.abs(shown - (SHAPE if values.min() >= 0 else own)).max() < 0.01
    values = (SHAPE * (2**32 - 1)).astype("u4")
    own = (SHAPE - SHAPE.min()) / np.ptp(SHAPE)
    assert np.abs(seen(written(values)) - own).max() < 0.01
    grey = (SHAPE[:, :, 0] * 32767).astype("i2")
    assert np.abs(seen(written(grey)) - SHAPE[:, :, :1]).max() < 0.01


def test_real_colours_lie_on_white_where_they_are_clear():
    clear = np.where(SHAPE[:, :, :1] < 0.5, 0.0, 1.0)
    values = np.dstack([SHAPE, clear]).astype("f4")
    shown = seen(written(values, extrasamples=["unassalpha"]))
    assert np.abs(shown - np.where(clear > 0, SHAPE, 1)).max() < 0.01
    opaque = np.dstack([SHAPE, np.ones_like(clear)]).astype("f4")
    assert pixel_hash(decode.decode(written(opaque, extrasamples=["unassalpha"])).exact) == (
        pixel_hash(decode.decode(written(SHAPE.astype("f4"))).exact)
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_that_opencv_reads_are_upright(orientation):
    turned = [(274, "H", 1, orientation, True)]
    eight = written(np.rint(SHAPE * 255).astype("u1"), extratags=turned)
    for dtype in ("f4", "f8"):
        data = written(SHAPE.astype(dtype), extratags=turned)
        assert np.abs(seen(data) - seen(eight)).max() < 0.01


def test_limits_and_missing_values_that_a_file_states():
    values = (SHAPE[:, :, 0] * 3000).astype("f4")
    grey = SHAPE[:, :, 0]
    own = (grey - grey.min()) / np.ptp(grey)
    stated = [(340, "f", 1, 0.0, True), (341, "f", 1, 3000.0, True)]
    assert np.abs(seen(written(values, extratags=stated))[:, :, 0] - grey).max() < 0.01
    wrong = [(340, "f", 1, 0.0, True), (341, "f", 1, 100.0, True)]  # the values exceed them
    assert np.abs(seen(written(values, extratags=wrong))[:, :, 0] - own).max() < 0.01
    some = np.zeros(values.shape, bool)
    some[3:5, 4:9] = True
    for missing, tags in (
        (-9999, [(42113, "s", 0, "-9999", True)]), (np.nan, []), (-np.inf, []),
    ):  # fmt: skip
        shown = seen(written(np.where(some, missing, values).astype("f4"), extratags=tags))
        assert (shown[some] == 0).all()
        assert np.abs(shown[~some][:, 0] - own[~some]).max() < 0.01


def test_a_large_picture_of_real_numbers_is_refused(monkeypatch):
    """Three bytes count as a pixel, and each of these has 24."""
    data = written(SHAPE)
    monkeypatch.setattr(decode, "MAX_PIXELS", 48 * 32 * 8 - 1)
    with pytest.raises(UnreadableImage, match="too many pixels"):
        open_image(data)


def test_cut_and_torn_real_numbers_are_damage():
    data = written(SHAPE, rowsperstrip=4)
    for share in (0.3, 0.9, 0.99):
        with images.quiet(), pytest.raises(UnreadableImage, match="truncated or damaged"):
            open_image(data[: int(len(data) * share)])


def test_missing_strips_are_damage():
    """Pillow shows black where a file names no strip."""
    data = tiff(stored("u1", 1, "rgb")[:, :, 0])
    lines = struct.pack("<HHII", 278, 4, 1, 32)
    assert lines in data
    with pytest.raises(UnreadableImage, match="truncated or damaged"):
        open_image(data.replace(lines, struct.pack("<HHII", 278, 4, 1, 8)))


def test_tall_pictures_are_read_in_few_steps():
    assert len([*_blocks(np.empty((10**6, 2), "f4"))]) == 8
    assert len([*_blocks(np.empty((2, 10**6), "f4"))]) == 2


def test_messages_of_opencv_stay_as_they_were(capfd):
    import cv2

    before = cv2.utils.logging.getLogLevel()
    with images.quiet(), pytest.raises(UnreadableImage):
        open_image(written(SHAPE)[:-5])
    assert cv2.utils.logging.getLogLevel() == before
    assert capfd.readouterr() == ("", "")
