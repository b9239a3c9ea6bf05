"""From bytes to upright RGB pictures."""

from __future__ import annotations

import os
import warnings
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import GifImagePlugin, Image, ImageFile, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

import images
from imagestrata.corpus import decode, look
from imagestrata.corpus.decode import UnreadableImage, image_format, open_image
from imagestrata.corpus.reasons import Reason
from imagestrata.corpus.scan import scan_images

# Four different corners, large enough that JPEG keeps them apart.
CORNERS = {"red": (0, 0), "lime": (32, 0), "blue": (0, 32), "yellow": (32, 32)}


def corners() -> Image.Image:
    image = Image.new("RGB", (64, 64))
    for colour, place in CORNERS.items():
        image.paste(colour, (*place, place[0] + 32, place[1] + 32))
    return image


def colours(image: Image.Image) -> list[list[int]]:
    return np.asarray(image).reshape(-1, 3).tolist()


def same_to_the_eye(a: Image.Image, b: Image.Image) -> bool:
    """Alike but for what compression does; a turned picture differs by more than 50."""
    return a.size == b.size and np.abs(np.asarray(a, int) - np.asarray(b, int)).mean() < 10


@pytest.mark.parametrize("name", images.odd_files())
def test_odd_files_open(name):
    data, format, size = images.odd_files()[name]
    image = open_image(data)
    assert (image.mode, image.size) == ("RGB", size)
    assert image_format(data) == format
    assert np.asarray(image).std() > 10, "a picture, not a blank"


@pytest.mark.parametrize("name", images.bad_files())
def test_bad_files_say_why(name):
    data, reason = images.bad_files()[name]
    if reason == "below min_side":
        assert open_image(data).size == (1, 1)
        return
    with pytest.raises(UnreadableImage, match=reason):
        open_image(data)


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_turns_the_picture_upright(format, orientation):
    stored = corners().crop((0, 0, 64, 48))
    # What each value of the tag means, written out: how the stored picture is to be turned.
    upright = {
        1: lambda image: image,
        2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda image: image.rotate(180),
        4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(90, expand=True),
        6: lambda image: image.rotate(-90, expand=True),
        7: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(-90, expand=True),
        8: lambda image: image.rotate(90, expand=True),
    }[orientation](stored)
    assert same_to_the_eye(open_image(images.turned(stored, orientation, format)), upright)


def test_damaged_exif_does_not_cost_the_picture():
    half = images.encode(corners(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01")
    note = PngInfo()
    note.add_text("Raw profile type exif", "\nexif\n 5\nnot hexadecimal")
    for data in (half, images.encode(corners(), "PNG", pnginfo=note)):
        with images.quiet():
            assert same_to_the_eye(open_image(data), corners())


def test_transparent_becomes_white():
    image = Image.new("RGBA", (2, 1), (200, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    assert colours(open_image(images.encode(image))) == [[200, 0, 0], [255, 255, 255]]
    palette = Image.new("P", (2, 1), 1)
    palette.putpalette([0, 0, 0, 0, 200, 0])
    palette.putpixel((1, 0), 0)
    for format in ("GIF", "PNG"):
        opened = open_image(images.encode(palette, format, transparency=0))
        assert colours(opened) == [[0, 200, 0], [255, 255, 255]]


def test_cmyk_is_not_inverted():
    assert same_to_the_eye(
        open_image(images.encode(corners().convert("CMYK"), "JPEG", quality=95)), corners()
    )


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_keep_the_upper_eight(format):
    values = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    opened = open_image(images.encode(Image.fromarray(values), format))
    assert np.asarray(opened)[0, :, 0].tolist() == [0, 0, 1, 255]


def test_values_without_a_range_are_stretched():
    values = np.array([[-1.0, 0.0, np.nan, 1.0]], dtype=np.float32)
    opened = open_image(images.encode(Image.fromarray(values), "TIFF"))
    assert np.asarray(opened)[0, :, 0].tolist() == [0, 128, 0, 255]
    for value, shown in ((7.0, 128), (0.0, 0), (200.0, 200), (0.6, 153)):
        constant = Image.fromarray(np.full((2, 2), value, dtype=np.float32))
        assert (np.asarray(open_image(images.encode(constant, "TIFF"))) == shown).all()


def test_first_frame_of_an_animation():
    data = images.odd_files()["moving.gif"][0]
    first = Image.open(BytesIO(data)).convert("RGB")
    assert np.array_equal(np.asarray(open_image(data)), np.asarray(first))


def test_every_cut_is_noticed():
    """A file cut anywhere is refused: it never gives half a picture."""
    picture = images.picture(3, (60, 40))
    for format in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"):
        data = images.encode(picture, format)
        for share in (0.02, 0.3, 0.6, 0.95):
            with images.quiet(), pytest.raises(UnreadableImage) as caught:
                open_image(data[: max(int(len(data) * share), 20)])
            assert caught.value.reason is Reason.DAMAGED, (format, share)


@pytest.mark.parametrize(
    ("stored", "asked", "given"),
    [
        ((800, 600), None, (800, 600)),
        ((800, 600), 300, (400, 300)),
        ((800, 600), 301, (800, 600)),
        ((800, 600), 70, (100, 75)),
        ((800, 600), 1000, (800, 600)),
        ((801, 601), 150, (201, 151)),
    ],
)
def test_jpegs_open_at_reduced_scale(stored, asked, given):
    data = images.encode(images.picture(1, stored), "JPEG")
    assert open_image(data, min_pixels_side=asked).size == given


@pytest.mark.parametrize(
    ("stored", "asked", "given"),
    [((800, 600), 400, (400, 300)), ((600, 800), 400, (300, 400)), ((800, 600), 401, (800, 600))],
)
def test_the_longer_side_alone_may_count(stored, asked, given):
    data = images.encode(images.picture(1, stored), "JPEG")
    assert open_image(data, min_pixels_side=asked, longer=True).size == given


def test_reduced_scale_leaves_other_formats_alone():
    data = images.encode(images.picture(1, (80, 60)), "PNG")
    assert open_image(data, min_pixels_side=10).size == (80, 60)


def test_pillow_is_left_as_it_was(monkeypatch):
    """A large picture neither warns nor changes the limits of other users of Pillow."""
    before = Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    data = images.encode(images.picture(1, (80, 60)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_image(data).size == (80, 60)
        clear = images.encode(images.picture(1, (80, 60), "RGBA"))
        assert open_image(clear).size == (80, 60)
    assert Image.MAX_IMAGE_PIXELS == 100 != before


def test_switches_of_a_session_decide_nothing(monkeypatch, tmp_path):
    """Pillow has switches for the whole process, which notebooks set and forget."""
    jpeg = images.encode(images.picture(1, (320, 240)), "JPEG")
    half = jpeg[: len(jpeg) // 2]
    moving = images.odd_files()["moving.gif"][0]
    files = images.write_files(tmp_path, {"half.jpg": half, "jpg.jpg": jpeg, "moving.gif": moving})
    before = scan_images(files, progress=False)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    monkeypatch.setattr(GifImagePlugin, "LOADING_STRATEGY", 1)
    monkeypatch.setattr(TiffImagePlugin, "READ_LIBTIFF", True)
    with pytest.raises(UnreadableImage, match="truncated or damaged"):
        open_image(half)
    # A library that is imported while work goes on does not change it half-way.
    inside = []

    def progress(step, done, total):
        if not done:
            ImageFile.LOAD_TRUNCATED_IMAGES = True

    def decoded(data, **options):
        inside.append(ImageFile.LOAD_TRUNCATED_IMAGES)
        return decode.decode(data, **options)

    monkeypatch.setattr(look, "decode", decoded)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pd.testing.assert_frame_equal(scan_images(files, progress=progress), before)
    assert inside == [False] * 3
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert (Image.MAX_IMAGE_PIXELS, GifImagePlugin.LOADING_STRATEGY) == (1, 1)
    assert TiffImagePlugin.READ_LIBTIFF is True


def test_limit_of_pixels(monkeypatch):
    data = images.encode(images.picture(1, (80, 60)))
    monkeypatch.setattr(decode, "MAX_PIXELS", 4799)
    with pytest.raises(UnreadableImage, match="too many pixels"):
        open_image(data)
    monkeypatch.setattr(decode, "MAX_PIXELS", 4800)
    assert open_image(data).size == (80, 60)


def test_what_is_no_file(tmp_path):
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "text").write_text("hello")
    expected = {
        "missing.png": Reason.NOT_FOUND,
        "text/below.png": Reason.NOT_FOUND,
        "zero\0byte.png": Reason.NOT_FOUND,
        "broken.png": Reason.BROKEN_LINK,
        "circle.png": Reason.BROKEN_LINK,
        "pipe.png": Reason.NOT_A_FILE,
        ".": Reason.NOT_A_FILE,
    }
    for name, reason in expected.items():
        with pytest.raises(UnreadableImage) as caught:
            open_image(tmp_path / name)
        assert caught.value.reason is reason, name


def test_large_files_and_files_without_end_are_not_read(tmp_path, monkeypatch):
    big = tmp_path / "film.jpg"
    big.write_bytes(images.encode(images.picture(1), "JPEG"))
    os.truncate(big, 12 << 30)  # sparse: it takes no room
    # A regular file that has nothing and is never at an end, as /proc/kmsg is.
    (tmp_path / "log.jpg").symlink_to("/proc/kmsg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    for name, reason in (("film", "too large"), ("log", "empty file"), ("zero", "not a file")):
        with pytest.raises(UnreadableImage, match=reason):
            open_image(tmp_path / f"{name}.jpg")
    images.write_pictures(tmp_path, 2)
    found = scan_images(tmp_path, progress=False)
    assert found["reason"].dropna().tolist() == ["too large", "empty file", "not a file"]

    def hungry(*_):
        raise MemoryError

    monkeypatch.setattr(decode, "_decode", hungry)
    with pytest.raises(UnreadableImage, match="too large"):
        open_image(images.encode(images.picture(1)))


def test_no_permission(public_folder, unprivileged):
    path = images.write_pictures(public_folder, 1) / "000.png"
    path.chmod(0)
    with unprivileged(), pytest.raises(UnreadableImage, match="no permission"):
        open_image(path)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"BM" + bytes(12) + b"\x28\0\0\0", "BMP"),
        (b"BMW drives well in the rain, they say", None),
        (b"\xef\xbb\xbf <?xml version='1.0'?><svg>", "SVG"),
        (b"<?xml version='1.0'?><rss>", None),
        (b"\0\0\0\x20ftypisom" + bytes(20), None),
        (b"\0\0\0\x20ftypavif" + bytes(20), "AVIF"),
        (b"8BPS", "PSD"),
        (b"", None),
    ],
)
def test_formats_by_content(head, name):
    assert image_format(head) == name
