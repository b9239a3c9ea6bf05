"""Pictures of more than eight bits a channel, and what makes two of them the same."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import PIL
import pytest
from PIL import Image

import images
from deep_files import SHAPE, X, png, seen, tiff
from imagestrata.corpus.decode import UnreadableImage, decode, open_image
from imagestrata.corpus.duplicates import pixel_hash


def sixteen(share=1.0):
    """The picture in 16 bits, the brightest value being this share of the range."""
    return np.rint(SHAPE * 65535 * share).astype(np.uint16)


def same_hash(a, b):
    return pixel_hash(decode(a).exact) == pixel_hash(decode(b).exact)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("order", ["<", ">"])
def test_values_have_the_fewest_bits_that_hold_them(bits, order):
    values = sixteen() >> (16 - bits)
    for channels in (values, values[:, :, 0]):
        grey = channels.ndim == 2
        expected = SHAPE[:, :, :1] if grey else SHAPE
        files = [tiff(channels, 1 if grey else 2, order=order), png(channels, 0 if grey else 2)]
        if grey and order == "<":
            files.append(images.encode(Image.fromarray(channels.astype(np.int32)), "TIFF"))
        for data in files:
            assert np.abs(seen(data) - expected).max() < 0.01
        assert all(same_hash(files[0], data) for data in files)


def test_eight_bits_in_sixteen_are_the_picture_of_eight_bits():
    values = np.rint(SHAPE * 255).astype(np.uint8)
    plain = images.encode(Image.fromarray(values))
    wide = values.astype(np.uint16)
    assert same_hash(plain, png(wide, 2))
    assert same_hash(plain, png(wide * 257, 2))
    assert same_hash(plain, tiff(wide * 257, 2))
    assert not same_hash(plain, png(wide * 256, 2))


def test_packed_twelve_bits():
    values = sixteen()[:, :, 0] >> 4
    first, second = values.reshape(-1, 2).T.astype(np.uint32)
    packed = first << 12 | second
    data = np.stack([packed >> 16, packed >> 8, packed], axis=1).astype(np.uint8).tobytes()
    assert np.abs(seen(tiff(values, bits=12, data=data)) - SHAPE[:, :, :1]).max() < 0.01


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_white_is_zero(bits):
    values = sixteen()[:, :, 0] >> (16 - bits)
    stored = (values if bits > 8 else values.astype(np.uint8), (1 << bits) - 1)
    negative = tiff(stored[1] - stored[0], photometric=0)
    assert np.abs(seen(negative) - SHAPE[:, :, :1]).max() < 0.01


@pytest.mark.parametrize("low", [0, 257])
def test_full_depth_tells_pictures_apart(low):
    """Lower bytes count, in every kind of file; what people see is the same."""
    one = sixteen()
    one[one < low] = low
    other = one.copy()
    other[3, 4] ^= 1
    alpha = np.full((*one.shape[:2], 1), 65535, np.uint16)
    faint = alpha.copy()
    faint[3, 4] = 65534
    for make in (
        lambda v: png(v, 2), lambda v: tiff(v, 2), lambda v: tiff(v, 2, order=">"),
        lambda v: png(v[:, :, 0], 0), lambda v: tiff(v[:, :, 0]),
        lambda v: png(np.dstack([v[:, :, :1], alpha]), 4),
        lambda v: png(np.dstack([v, alpha]), 6), lambda v: tiff(np.dstack([v, alpha]), 5),
        lambda v: tiff(np.dstack([v, alpha]), 2, t338=[2]),
    ):  # fmt: skip
        a, b = make(one), make(other)
        assert same_hash(a, a) and not same_hash(a, b)
        assert np.array_equal(seen(a), seen(b))
    assert not same_hash(png(np.dstack([one, alpha]), 6), png(np.dstack([one, faint]), 6))
    assert same_hash(png(np.dstack([one, alpha]), 6), png(one, 2))
    assert same_hash(png(one[:, :, :1].repeat(3, axis=2), 2), png(one[:, :, 0], 0))


def test_sixteen_bits_lie_on_white_where_they_are_clear():
    values = sixteen()
    clear = np.where(X < 24, 0, 65535).astype(np.uint16)
    expected = np.where((X < 24)[:, :, None], 1, SHAPE)
    grey = np.where((X < 24)[:, :, None], 1, SHAPE[:, :, :1])
    assert np.abs(seen(png(np.dstack([values, clear]), 6)) - expected).max() < 0.01
    assert np.abs(seen(tiff(np.dstack([values, clear]), 2, t338=[2])) - expected).max() < 0.01
    assert np.abs(seen(png(np.dstack([values[:, :, :1], clear]), 4)) - grey).max() < 0.01
    half = np.full_like(clear, 30000)
    weighted = np.rint(values * (30000 / 65535)).astype(np.uint16)
    plain, multiplied = (
        seen(tiff(np.dstack([colours, half]), 2, t338=[kind]))
        for colours, kind in ((values, 2), (weighted, 1))
    )
    assert np.abs(plain - multiplied).max() < 0.01


def test_one_clear_colour_of_sixteen_bits():
    values = sixteen()
    values[:, :24] = (258, 514, 770)
    shown = seen(png(values, 2, tRNS=struct.pack(">HHH", 258, 514, 770)))
    assert (shown[:, :24] == 1).all()
    assert np.abs(shown[:, 24:] - SHAPE[:, 24:]).max() < 0.01
    other = seen(png(values, 2, tRNS=struct.pack(">HHH", 258, 514, 771)))
    assert (other[:, :24] < 0.02).all()
    grey = values[:, :, 0].copy()
    assert (seen(png(grey, 0, tRNS=struct.pack(">H", 258)))[:, :24] == 1).all()


def test_signed_and_unsigned_integers_are_stretched():
    levels = SHAPE[:, :, 0]
    expected = ((levels - levels.min()) / np.ptp(levels))[:, :, None]
    for dtype, scale, kind in (
        (np.int8, 100, 2), (np.int16, 30000, 2), (np.int32, 2**30, 2), (np.uint32, 2**32 - 1, 1),
    ):  # fmt: skip
        values = np.rint((levels - (0.5 if kind == 2 else 0)) * scale).astype(dtype)
        assert np.abs(seen(tiff(values, sample_format=kind)) - expected).max() < 0.02, dtype


@pytest.mark.parametrize("most", [1, 255, 65535, 0.01, 3000])
def test_real_numbers_have_a_customary_range_or_their_own(most):
    values = (SHAPE[:, :, 0] * most).astype(np.float32)
    shown = seen(tiff(values, sample_format=3))[:, :, 0]
    own = (values - values.min()) / np.ptp(values)
    assert np.abs(shown - (SHAPE[:, :, 0] if most in (1, 255, 65535) else own)).max() < 0.01
    negative = seen(tiff(values, 0, sample_format=3))[:, :, 0]
    assert np.corrcoef(negative.ravel(), shown.ravel())[0, 1] < -0.99


def test_real_numbers_that_differ_are_not_the_same_picture():
    values = SHAPE[:, :, 0].astype(np.float32)
    one, other = (tiff(v, sample_format=3) for v in (values * 3, values * 5))
    assert np.array_equal(seen(one), seen(other))
    assert not same_hash(one, other)


def test_opacity_tells_pictures_apart():
    """White shapes on nothing all look white."""
    white = Image.new("RGBA", (40, 30), (255, 255, 255, 0))
    one, other = white.copy(), white.copy()
    one.paste((255, 255, 255, 255), (5, 5, 20, 20))
    other.paste((255, 255, 255, 255), (20, 5, 35, 20))
    for format in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True, "exact": True} if format == "WEBP" else {}
        a, b = (images.encode(image, format, **options) for image in (one, other))
        assert np.array_equal(seen(a), seen(b))
        assert not same_hash(a, b)
        assert same_hash(a, images.encode(one))
    greys = [images.encode(image.convert("LA")) for image in (one, other)]
    assert not same_hash(*greys)
    assert same_hash(greys[0], images.encode(one))


def test_a_clear_colour_of_a_palette_counts():
    drawn = Image.new("P", (40, 30), 0)
    drawn.putpalette([255, 255, 255, 255, 255, 255, 0, 0, 0])
    one, other = drawn.copy(), drawn.copy()
    one.paste(1, (5, 5, 20, 20))
    other.paste(1, (20, 5, 35, 20))
    for format in ("PNG", "GIF"):
        a, b = (images.encode(image, format, transparency=1) for image in (one, other))
        assert np.array_equal(seen(a), seen(b)) and not same_hash(a, b)
        whole = Image.open(BytesIO(a)).convert("RGBA")
        assert same_hash(a, images.encode(whole))


def test_an_opaque_picture_is_that_without_opacity():
    plain = images.picture(3)
    opaque = plain.convert("RGBA")
    turned = plain.transpose(Image.Transpose.ROTATE_90)
    for data in (
        images.encode(opaque), images.encode(plain, "TIFF"), images.turned(turned, 6, "PNG"),
        images.encode(plain, "BMP"),
    ):  # fmt: skip
        assert same_hash(images.encode(plain), data)


def test_orientation_counts_as_displayed():
    clear = images.picture(3).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    turned = clear.transpose(Image.Transpose.ROTATE_90)
    assert same_hash(images.encode(clear), images.turned(turned, 6, "PNG"))
    assert not same_hash(images.encode(turned), images.turned(turned, 6, "PNG"))
    deep = sixteen()
    rotated = np.rot90(deep)
    note = images.turned(images.picture(1), 6, "PNG")
    start = note.index(b"eXIf")
    (length,) = struct.unpack(">I", note[start - 4 : start])
    data = png(rotated, 2, eXIf=note[start + 4 : start + 4 + length])
    assert same_hash(png(deep, 2), data)
    assert np.abs(seen(data) - SHAPE).max() < 0.01


def test_inks_tell_pictures_apart():
    """Black by three inks is the black of one."""
    one = Image.new("CMYK", (40, 30), (255, 255, 255, 0))
    other = Image.new("CMYK", (40, 30), (0, 0, 0, 255))
    a, b = (images.encode(image, "TIFF") for image in (one, other))
    assert np.array_equal(seen(a), seen(b)) and not same_hash(a, b)


def test_greys_with_weighted_opacity_open():
    values = np.dstack([np.full((8, 8), 100, np.uint8), np.full((8, 8), 128, np.uint8)])
    data = tiff(values, t338=[1])
    if int(PIL.__version__.split(".")[0]) < 13:  # does not know them
        with pytest.raises(UnreadableImage, match="format not supported"):
            open_image(data)
        return
    shown = np.asarray(open_image(data))
    assert np.abs(shown.astype(int) - (100 + 127)).max() <= 2
