"""AVIF, HEIF and JPEG 2000: as exact as the codec allows, whatever the file is called."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pandas as pd
import pillow_heif
import pytest
from PIL import AvifImagePlugin, Image

import images
from deep_files import SHAPE, tiff
from imagestrata.corpus.decode import UnreadableImage, decode, image_format, open_image
from imagestrata.corpus.duplicates import pixel_hash
from imagestrata.corpus.pages import count_pages
from imagestrata.corpus.scan import scan_images

PICTURE = images.picture(1, (64, 48))
#: Each format with options that lose next to nothing, and the largest error of a channel.
WRITTEN = {
    "AVIF": ({"quality": 100, "subsampling": "4:4:4"}, 4),
    "HEIF": (images.LOSSLESS_HEIF, 0),
    "JPEG2000": ({}, 0),
}
NAMES = {"AVIF": "AVIF", "HEIF": "HEIF", "JPEG2000": "JPEG 2000"}


def written(image: Image.Image, format: str, **options) -> bytes:
    return images.encode(image, format, **WRITTEN[format][0], **options)


def error(opened: Image.Image, expected: Image.Image) -> int:
    assert opened.size == expected.size
    return int(np.abs(np.asarray(opened, int) - np.asarray(expected.convert("RGB"), int)).max())


def deep_heif(values: np.ndarray, mode: str, bits: int) -> bytes:
    """A lossless HEIF of 10 or 12 bits; ``values`` are between 0 and 1."""
    packed = np.rint(values * 65535).astype(np.uint16)
    buffer = BytesIO()
    before = pillow_heif.options.SAVE_HDR_TO_12_BIT
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    try:
        size = (values.shape[1], values.shape[0])
        pillow_heif.encode(mode, size, packed.tobytes(), buffer, **images.LOSSLESS_HEIF)
    finally:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = before
    return buffer.getvalue()


@pytest.mark.parametrize("format", WRITTEN)
def test_pictures_equal_what_was_written(format):
    clear = PICTURE.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(PICTURE.size))
    on_white = Image.alpha_composite(Image.new("RGBA", PICTURE.size, "white"), clear)
    for image, expected in (
        (PICTURE, PICTURE), (PICTURE.convert("L"), PICTURE.convert("L")), (clear, on_white),
    ):  # fmt: skip
        data = written(image, format)
        assert image_format(data) == NAMES[format]
        assert error(open_image(data), expected) <= WRITTEN[format][1] + (image is clear)


@pytest.mark.parametrize("format", WRITTEN)
def test_the_content_decides_not_the_name(format, tmp_path):
    folder = images.write_files(tmp_path, {"IMG_0001.jpg": written(PICTURE, format)})
    (row,) = scan_images(folder, progress=False).to_dict("records")
    assert (row["format"], row["status"], row["n_pages"]) == (NAMES[format], "ok", 1)
    assert (row["width"], row["height"]) == (64, 48)


def test_all_endings_are_scanned(tmp_path):
    endings = [
        "avif",
        "avifs",
        "heic",
        "HEIC",
        "heif",
        "heics",
        "hif",
        "jp2",
        "j2k",
        "jpx",
        "jpf",
        "jpc",
    ]
    images.write_files(tmp_path, {f"{i}.{end}": b"x" for i, end in enumerate(endings)})
    images.write_files(tmp_path, {"one.png": images.encode(PICTURE)})
    assert len(scan_images(tmp_path, progress=False)) == len(endings) + 1


@pytest.mark.parametrize(
    ("brands", "format"),
    [
        ("heic", "HEIF"), ("heix mif1", "HEIF"), ("hevc msf1", "HEIF"), ("mif1 heic", "HEIF"),
        ("mif1 miaf", "HEIF"), ("msf1 hevc", "HEIF"), ("avif mif1", "AVIF"), ("avis msf1", "AVIF"),
        ("mif1 avif miaf", "AVIF"), ("miaf heic", "HEIF"), ("1pic mif1 heic", "HEIF"),
        ("heic avif", "HEIF"), ("isom mp42", None), ("mp42 isom mif1", None), ("qt  ", None),
        ("crx  isom", None),
    ],
)  # fmt: skip
def test_brands(brands, format):
    major, *others = [brands[at : at + 4].encode() for at in range(0, len(brands), 5)]
    box = b"ftyp" + major + bytes(4) + b"".join(others)
    head = (4 + len(box)).to_bytes(4) + box + b"\0\0\0\x20metaavifheic"
    assert image_format(head) == format


def test_a_brand_that_nobody_knows_is_read(tmp_path):
    """The library asks for the major brand; the compatible ones say that it can be read."""
    for format in ("HEIF", "AVIF"):
        data = written(PICTURE, format)
        assert data[8:12] in (b"heic", b"heix", b"avif")
        renamed = data[:8] + b"abcd" + data[12:]
        assert error(open_image(renamed), PICTURE) <= WRITTEN[format][1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_no_picture_is_turned_twice(orientation):
    """The container turns the picture. EXIF only says so again, or contradicts."""
    stored = PICTURE
    expected = open_image(images.turned(stored, orientation, "PNG"))
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    turned = images.encode(stored, "AVIF", exif=exif.tobytes(), **WRITTEN["AVIF"][0])
    assert error(open_image(turned), expected) <= 4
    buffer = BytesIO()
    file = pillow_heif.from_pillow(stored)
    file.info["exif"] = exif.tobytes()
    file.save(buffer, **images.LOSSLESS_HEIF)
    opened = open_image(buffer.getvalue())
    assert (b"irot" in buffer.getvalue()) == (orientation in (3, 5, 6, 7, 8)), orientation
    assert error(opened, expected) == 0


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_heif_keeps_its_range(bits):
    """Brightness follows the stated depth, also in a dark picture."""
    clear = np.dstack([SHAPE, np.where(SHAPE[:, :, :1] > 0.5, 1.0, 0.0)])
    for scale in (1, 0.1):
        data = deep_heif(SHAPE * scale, "RGB;16", bits)
        shown = np.asarray(open_image(data)) / 255
        assert np.abs(shown - SHAPE * scale).max() < 0.01
        grey = np.asarray(open_image(deep_heif(SHAPE[:, :, 0] * scale, "L;16", bits))) / 255
        assert np.abs(grey[:, :, 0] - SHAPE[:, :, 0] * scale).max() < 0.01
    shown = np.asarray(open_image(deep_heif(clear, "RGBA;16", bits))) / 255
    assert np.abs(shown - np.where(clear[:, :, 3:] > 0, SHAPE, 1)).max() < 0.01


def test_deep_pictures_differ_by_their_last_bit():
    one = SHAPE.copy()
    other = one.copy()
    other[3, 4, 0] += 1 / 1023
    hashes = [pixel_hash(decode(deep_heif(v, "RGB;16", 10)).exact) for v in (one, one, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_deep_jpeg2000():
    values = np.rint(SHAPE[:, :, 0] * 65535).astype(np.uint16)
    data = images.encode(Image.fromarray(values), "JPEG2000")
    assert np.array_equal(decode(data).exact, values)
    assert np.abs(np.asarray(open_image(data))[:, :, 0] / 255 - SHAPE[:, :, 0]).max() < 0.01


def deep_jpeg2000(values: np.ndarray, bits: int = 16) -> bytes:
    """A lossless JPEG 2000 of colours whose depth is 16 bits, or is said to be another."""
    import cv2

    # The decoder subtracts half of the range, which is smaller if the depth is.
    stored = values + ((1 << 15) - (1 << (bits - 1)))
    bands = [2, 1, 0, 3][: values.shape[2]]
    lossless = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    data = bytearray(
        cv2.imencode(".jp2", stored.astype(np.uint16)[:, :, bands].copy(), lossless)[1].tobytes()
    )
    data[data.index(b"ihdr") + 14] = bits - 1
    start = data.index(b"\xff\x4f\xff\x51") + 42
    data[start : start + 3 * values.shape[2] : 3] = bytes([bits - 1]) * values.shape[2]
    return bytes(data)


def test_colours_of_jpeg2000_keep_their_depth():
    """Twelve bits in 16 are not black, and the lower bits tell pictures apart."""
    twelve = np.rint(SHAPE * 4095).astype(np.uint16)
    for data in (
        deep_jpeg2000(np.rint(SHAPE * 65535).astype(np.uint16)), deep_jpeg2000(twelve),
        deep_jpeg2000(twelve, 12),
    ):  # fmt: skip
        assert np.abs(np.asarray(open_image(data)) / 255 - SHAPE).max() < 0.01
    assert np.array_equal(decode(deep_jpeg2000(twelve, 12)).exact, twelve)
    dark = deep_jpeg2000(twelve // 8, 12)
    assert np.abs(np.asarray(open_image(dark)) / 255 - SHAPE / 8).max() < 0.01
    other = twelve.copy()
    other[3, 4, 1] ^= 1
    assert pixel_hash(decode(deep_jpeg2000(other)).exact) != pixel_hash(
        decode(deep_jpeg2000(twelve)).exact
    )
    clear = np.dstack([twelve, np.where(SHAPE[:, :, :1] > 0.5, 4095, 0)]).astype(np.uint16)
    shown = np.asarray(open_image(deep_jpeg2000(clear, 12))) / 255
    assert np.abs(shown - np.where(clear[:, :, 3:] > 0, SHAPE, 1)).max() < 0.01


@pytest.mark.parametrize("options", [{}, {"tile_size": (33, 77)}, {"no_jp2": True}])
def test_jpeg2000_opens_in_a_smaller_stored_size(options):
    picture = images.picture(3, (641, 483))
    lossy = {"irreversible": True, "quality_layers": [10]}
    data = images.encode(picture, "JPEG2000", **options, **lossy)
    for asked, size in ((None, (641, 483)), (242, (321, 242)), (243, (641, 483)), (1, (81, 61))):
        opened = open_image(data, min_pixels_side=asked)
        expected = picture.resize(size, Image.Resampling.BOX)
        assert opened.size == size or (asked == 1 and options.get("tile_size"))
        if opened.size == size:
            assert np.abs(np.asarray(opened, int) - np.asarray(expected, int)).mean() < 4


def test_same_pixels_in_any_format_are_copies(tmp_path):
    grey = PICTURE.convert("L")
    files = {
        "a.png": images.encode(PICTURE), "b.jp2": written(PICTURE, "JPEG2000"),
        "c.heic": written(PICTURE, "HEIF"), "d.tif": images.encode(PICTURE, "TIFF"),
        "e.png": images.encode(grey), "f.avif": written(grey, "AVIF"),
        "g.j2k": images.encode(grey, "JPEG2000", no_jp2=True),
    }  # fmt: skip
    table = scan_images(images.write_files(tmp_path, files), progress=False)
    assert table["reason"].fillna("").tolist() == [
        "", "same pixels", "same pixels", "same pixels", "", "same pixels", "same pixels"
    ]  # fmt: skip
    assert table["n_copies"].tolist() == [4, 0, 0, 0, 3, 0, 0]


def test_copies_of_large_jpeg2000_are_found(tmp_path):
    """Their smaller sizes differ, since tiles end at other places."""
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
    large = Image.fromarray(noise)
    tiles = {"tile_size": (200, 300)}
    lossless = {
        "a.jp2": images.encode(large, "JPEG2000"),
        "b.jp2": images.encode(large, "JPEG2000", **tiles),
    }
    table = scan_images(images.write_files(tmp_path / "lossless", lossless), progress=False)
    assert table["n_copies"].tolist() == [2, 0]
    data = images.encode(large, "JPEG2000", irreversible=True, quality_layers=[8])
    lossy = {
        "a.jp2": data,
        "b.j2k": data[data.index(b"\xff\x4f\xff\x51") :],
        "c.png": images.encode(open_image(data)),
    }
    table = scan_images(images.write_files(tmp_path / "lossy", lossy), progress=False)
    assert table["n_copies"].tolist() == [3, 0, 0]


def test_the_primary_picture_of_several_is_used():
    others = [images.picture(seed, (40, 30)) for seed in (2, 3)]
    file = pillow_heif.from_pillow(others[0])
    file.add_from_pillow(PICTURE)
    file.add_from_pillow(others[1])
    buffer = BytesIO()
    file.save(buffer, primary_index=1, **images.LOSSLESS_HEIF)
    data = buffer.getvalue()
    assert error(open_image(data), PICTURE) == 0
    assert count_pages("HEIF", data) == 3


def test_pages_are_counted(tmp_path):
    frames = [images.picture(seed, (40, 30)) for seed in range(5)]
    later = {"save_all": True, "append_images": frames[1:]}
    files = {
        f"{format.lower()}-{n}": images.encode(frames[0], format, **(later if n == 5 else {}))
        for format in ("TIFF", "GIF", "PNG", "WEBP", "AVIF")
        for n in (1, 5)
    } | {
        "jpeg-1": images.encode(frames[0], "JPEG"),
        "big-5": images.encode(frames[0], "TIFF", big_tiff=True, **later),
    }
    table = scan_images(images.write_files(tmp_path, files), progress=False)
    assert str(table["n_pages"].dtype) == str(table["width"].dtype)
    for name, n in zip(table["file"], table["n_pages"], strict=True):
        assert n == int(name[-1]), name


def test_stray_bytes_between_frames_are_passed_over():
    later = {"save_all": True, "append_images": [images.picture(seed, (40, 30)) for seed in (2, 3)]}
    data = images.encode(images.picture(1, (40, 30)), "GIF", **later)
    second = data.index(b"\0\x2c", 1000) + 1
    assert count_pages("GIF", data) == 3
    assert count_pages("GIF", data[:second] + bytes(5) + data[second:]) == 3


def test_smaller_copies_of_a_page_are_no_pages():
    """Archives store pictures with smaller copies of them, and masks."""
    frames = [images.picture(seed, (40, 30)) for seed in range(4)]
    data = bytearray(
        images.encode(frames[0], "TIFF", save_all=True, append_images=frames[1:], tiffinfo={254: 0})
    )
    entry = b"\xfe\x00\x04\x00\x01\x00\x00\x00"
    second = data.index(entry, data.index(entry) + 1)
    assert count_pages("TIFF", bytes(data)) == 4
    data[second + 8] = 1
    assert count_pages("TIFF", bytes(data)) == 3
    third = data.index(entry, second + 1)
    data[third + 8] = 4
    assert count_pages("TIFF", bytes(data)) == 2


def test_directories_in_a_circle_end():
    data = bytearray(images.encode(PICTURE, "TIFF"))
    start = int.from_bytes(data[4:8], "little")
    n = int.from_bytes(data[start : start + 2], "little")
    data[start + 2 + 12 * n :][:4] = b""
    data[start + 2 + 12 * n : start + 6 + 12 * n] = start.to_bytes(4, "little")
    assert count_pages("TIFF", bytes(data)) == 1


@pytest.mark.parametrize("format", WRITTEN)
def test_every_cut_is_noticed(format):
    data = written(PICTURE, format)
    for share in (0.1, 0.3, 0.6, 0.95, 0.999):
        with pytest.raises(UnreadableImage, match="truncated or damaged"):
            open_image(data[: int(len(data) * share)])


@pytest.mark.parametrize("format", WRITTEN)
def test_large_pictures_are_not_decoded(format, monkeypatch):
    monkeypatch.setattr("imagestrata.corpus.decode.MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(UnreadableImage, match="too many pixels"):
        open_image(written(PICTURE, format))


def test_settings_of_a_session_stay(monkeypatch):
    monkeypatch.setattr(AvifImagePlugin, "DEFAULT_MAX_THREADS", 3)
    monkeypatch.setattr(pillow_heif.options, "DECODE_THREADS", 3)
    open_image(written(PICTURE, "AVIF"))
    assert (AvifImagePlugin.DEFAULT_MAX_THREADS, pillow_heif.options.DECODE_THREADS) == (3, 3)


def test_pillow_heif_is_not_registered_with_pillow(tmp_path):
    """In a process of its own, since other libraries (imageio) do register it."""
    (tmp_path / "a.heic").write_bytes(written(PICTURE, "HEIF"))
    script = (
        "import sys\n"
        "from PIL import Image\n"
        "from imagestrata.corpus.decode import open_image\n"
        "open_image(sys.argv[1])\n"
        "assert 'HEIF' not in Image.OPEN\n"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "a.heic"], check=True)


def test_an_installation_without_the_codec_says_so(monkeypatch):
    data = written(PICTURE, "AVIF")
    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    with pytest.raises(UnreadableImage, match="format not supported"):
        open_image(data)


def test_pages_of_damaged_files_are_missing(tmp_path):
    images.write_files(
        tmp_path, {"a.heic": written(PICTURE, "HEIF")[:-9], "b.png": written(PICTURE, "AVIF")}
    )
    table = scan_images(tmp_path, progress=False)
    assert pd.isna(table["n_pages"][0]) and table["n_pages"][1] == 1


MEASURED = """if True:
    import re, sys
    from pathlib import Path
    from imagestrata.corpus import decode

    def peak():
        return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

    for path in sys.argv[1:]:
        decode.decode(Path(path).read_bytes())
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far
    before, data = peak(), Path(sys.argv[1]).with_suffix(".large").read_bytes()
    weights = []
    weight = decode._weight
    decode._weight = lambda *given: weights.append(weight(*given)) or weights[-1]
    decode.decode(data)
    print(peak() - before - len(data), weights[-1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by /proc")
def test_no_format_takes_more_memory_than_is_stated(tmp_path):
    """13 bytes for each pixel, by which the limit of pixels is weighted."""
    size = (1600, 1200)

    def written(image: Image.Image) -> dict[str, bytes]:
        clear = image.convert("RGBA")
        clear.putalpha(Image.linear_gradient("L").resize(image.size))
        deep = np.asarray(clear) / 255
        lossy = {"irreversible": True, "quality_layers": [30]}
        return {
            "webp": images.encode(image, "WEBP", method=0),
            "webp-clear": images.encode(clear, "WEBP", method=0),
            "avif": images.encode(clear, "AVIF", speed=10, subsampling="4:4:4"),
            "heif": images.encode(clear, "HEIF", quality=30),
            "heif-10": deep_heif(deep, "RGBA;16", 10),
            "jp2": images.encode(clear, "JPEG2000", **lossy),
            "jp2-grey": images.encode(image.convert("L"), "JPEG2000", **lossy),
            "jp2-16": deep_jpeg2000(np.rint(deep * 65535).astype(np.uint16)),
            "jp2-tiles": images.encode(image, "JPEG2000", tile_size=(256, 256), **lossy),
            "real": tiff((np.asarray(image) / 255).astype("f4"), 2, sample_format=3),
            "double": tiff(np.asarray(image)[:, :, 0] / 255, sample_format=3),
        }

    small = written(images.picture(1, (64, 48)))
    for name, data in written(images.picture(2, size)).items():
        path = images.write_files(tmp_path, {name: small[name], f"{name}.large": data}) / name
        words = [sys.executable, "-c", MEASURED, str(path)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        taken, weight = map(float, done.stdout.split())
        assert taken < 13 * weight * size[0] * size[1] + 8 * 2**20, (name, taken, weight)


def test_metadata_never_decide():
    """XMP repeats the orientation of the container, and EXIF may be damaged."""
    turned = {"xmp": b'<x:xmpmeta tiff:Orientation="6"/>'}
    assert error(open_image(written(PICTURE, "AVIF", **turned)), PICTURE) <= 4
    exif = Image.Exif()
    exif[0x010F] = "maker"
    for format in ("AVIF", "HEIF"):
        data = written(PICTURE, format, exif=exif.tobytes()) if format == "AVIF" else heif(exif)
        at = data.rindex(b"MM\0*") if b"MM\0*" in data else data.rindex(b"II*\0")
        for garbage in (b"none", bytes(4), b"\xff" * 4):
            wrong = data[:at] + garbage + data[at + 4 :]
            assert error(open_image(wrong), PICTURE) <= WRITTEN[format][1]


def heif(exif: Image.Exif) -> bytes:
    file = pillow_heif.from_pillow(PICTURE)
    file.info["exif"] = exif.tobytes()
    buffer = BytesIO()
    file.save(buffer, **images.LOSSLESS_HEIF)
    return buffer.getvalue()


def test_a_damaged_header_of_jpeg2000_does_not_cost_the_picture():
    data = written(PICTURE, "JPEG2000")
    assert error(open_image(data.replace(b"ihdr", b"\0\0\0\0")), PICTURE) == 0
    with pytest.raises(UnreadableImage):  # colours that are not RGB
        open_image(data.replace(b"ihdr", b"\0\0\0\0").replace(b"\0\0\0\x10", b"\0\0\0\x12"))


@pytest.mark.parametrize("format", WRITTEN)
def test_threads_read_at_the_same_time(format):
    files = [written(images.picture(seed, (200, 150)), format) for seed in range(8)] * 5
    expected = [np.asarray(open_image(data)) for data in files[:8]] * 5
    with ThreadPoolExecutor(8) as pool:
        for found, right in zip(pool.map(open_image, files), expected, strict=True):
            assert np.array_equal(np.asarray(found), right)
