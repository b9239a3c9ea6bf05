"""Pictures whose last lines are missing: rejected, or kept with a flag and grey below."""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

import images
from deep_files import SHAPE, png
from imagestrata import ImagestrataError, embed_images, scan_images
from imagestrata.corpus.decode import UnreadableImage, decode, open_image
from imagestrata.corpus.pictures import scanned_picture, shown_picture
from imagestrata.provenance import read_run

W, H = 160, 120


def noisy(mode: str = "RGB") -> Image.Image:
    """A picture in which every line takes about as many bytes."""
    smooth = np.asarray(images.picture(3, (W, H)), int)
    noise = np.random.default_rng(0).integers(-20, 20, (H, W, 3))
    return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8)).convert(mode)


def clear() -> Image.Image:
    picture = noisy("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def packed_tiff(tiles: bool) -> bytes:
    """A deflated TIFF whose header comes first, in strips of 8 lines or tiles of 16 x 16."""
    values = np.asarray(noisy())
    if tiles:
        parts = [values[y : y + 16, x : x + 16] for y in range(0, H, 16) for x in range(0, W, 16)]
        parts = [np.pad(part, ((0, 16 - len(part)), (0, 0), (0, 0))) for part in parts]
    else:
        parts = [values[y : y + 8] for y in range(0, H, 8)]
    stored = [zlib.compress(part.tobytes()) for part in parts]
    n = len(stored)
    tags = {256: [W], 257: [H], 258: [8, 8, 8], 259: [8], 262: [2], 277: [3]}
    places = (324, 325) if tiles else (273, 279)
    tags |= {322: [16], 323: [16]} if tiles else {278: [8]}
    more = 8 + 2 + 12 * (len(tags) + 2) + 4
    start = more + 12 + 8 * n
    tags[places[0]] = [start + sum(map(len, stored[:i])) for i in range(n)]
    tags[places[1]] = [len(one) for one in stored]
    fields = after = b""
    for tag, numbers in sorted(tags.items()):
        data = struct.pack(f"<{len(numbers)}I", *numbers)
        place = data if len(data) == 4 else struct.pack("<I", more + len(after))
        after += data if len(data) > 4 else b""
        fields += struct.pack("<HHI", tag, 4, len(numbers)) + place
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + fields + bytes(4)
    return head + after + b"".join(stored)


LATER = {"save_all": True, "append_images": [noisy().rotate(180)]}
DEEP = np.kron(np.rint(SHAPE * 4095).astype(np.uint16), np.ones((4, 4, 1), np.uint16))
DEEP = DEEP + np.random.default_rng(1).integers(0, 200, DEEP.shape).astype(np.uint16)

#: Files of all formats that are stored in lines.
FILES = {
    "jpeg": images.encode(noisy(), "JPEG"),
    "jpeg grey": images.encode(noisy("L"), "JPEG"),
    "jpeg inks": images.encode(noisy("CMYK"), "JPEG"),
    "jpeg exif": images.turned(noisy(), 1, comment=b"x" * 99),
    "png": images.encode(noisy()),
    "png alpha": images.encode(clear()),
    "png palette": images.encode(noisy("P"), transparency=3),
    "png two colours": images.encode(noisy("1")),
    "png animated": images.encode(noisy(), **LATER),
    "png 16": png(DEEP, 2),
    "png 16 grey": png(DEEP[:, :, 0], 0),
    "gif": images.encode(noisy(), "GIF", interlace=0),
    "gif interlaced": images.encode(noisy(), "GIF"),
    "gif animated": images.encode(noisy(), "GIF", interlace=0, **LATER),
    "webp": images.encode(noisy(), "WEBP"),
    "webp lossless": images.encode(noisy(), "WEBP", lossless=True),
    "webp alpha": images.encode(clear(), "WEBP"),
    "webp exif": images.turned(noisy(), 1, "WEBP"),
    "tiff": images.encode(noisy(), "TIFF"),
    "tiff strips": packed_tiff(tiles=False),
    "tiff tiles": packed_tiff(tiles=True),
    "bmp": images.encode(noisy(), "BMP"),
    "bmp palette": images.encode(noisy("P"), "BMP"),
}  # fmt: skip


def first_frame(name: str, data: bytes) -> int:
    """Bytes up to the end of the first frame."""
    if name == "png animated":
        return data.index(b"fdAT")
    if name == "gif animated":
        return len(data) // 2  # the second is as large
    return len(data)


def cut(name: str, share: float) -> bytes:
    data = FILES[name]
    return data[: int(first_frame(name, data) * share)]


@pytest.mark.parametrize("name", FILES)
def test_the_first_lines_are_the_picture_and_the_others_grey(name):
    whole = np.asarray(open_image(FILES[name]), int)
    for share in (0.65, 0.9):
        data = cut(name, share)
        with images.quiet(), pytest.raises(UnreadableImage, match="truncated or damaged"):
            open_image(data)
        with images.quiet():
            shown, exact, _, there = decode(data, truncated=True)
        values = np.asarray(shown, int)
        assert values.shape == whole.shape
        assert there == pytest.approx(share, abs=0.17), "as many lines as bytes"
        if name.startswith("bmp"):  # the lowest line is the first
            values, whole_lines = values[::-1], whole[::-1]
        else:
            whole_lines = whole
        right = (values == whole_lines).reshape(H if "16" not in name else 128, -1).all(axis=1)
        n = round(there * len(values))
        if name == "gif interlaced":
            assert right[::2].all() and right.sum() == n
            continue
        # Of JPEGs and WebPs, some lines above the cut are there in part.
        assert right[: n - (20 if name.startswith(("jpeg", "webp")) else 0)].all(), name
        assert not right[n:].any()
        below = values[n:]
        assert np.ptp(below) <= 1, "one grey"
        assert 50 < below.mean() < 200
        assert np.asarray(exact).shape[:2] == values.shape[:2]


def test_progressive_jpegs_have_all_lines_early():
    data = images.encode(noisy(), "JPEG", progressive=True)
    whole = np.asarray(open_image(data), int)
    errors = []
    for share in (0.4, 0.7, 0.95):
        shown, _, _, there = decode(data[: int(len(data) * share)], truncated=True)
        assert there == 1
        errors.append(np.abs(np.asarray(shown, int) - whole).mean())
    assert errors == sorted(errors, reverse=True) and errors[0] < 20
    with pytest.raises(UnreadableImage):  # the first scan has not begun
        decode(data[: data.index(b"\xff\xda") + 4], truncated=True)


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_missing_lines_are_missing_before_the_picture_is_turned(format, orientation):
    data = images.turned(noisy(), orientation, format)
    whole = np.asarray(open_image(data), int)
    shown = np.asarray(open_image(data[: int(len(data) * 0.9)], truncated=True), int)
    assert shown.shape == whole.shape
    same = (shown == whole).all(axis=2)
    assert (0.7 if format == "JPEG" else 0.88) < same.mean() < 0.91
    lines = same.all(axis=1 if orientation < 5 else 0)
    first_last = {1: 1, 2: 1, 3: -1, 4: -1, 5: 1, 6: -1, 7: -1, 8: 1}[orientation]
    assert lines[::first_last][:80].all()


def test_a_copy_that_failed_ends_in_zeros():
    """Its file has the size of the whole picture."""
    data = FILES["jpeg"]
    n = int(len(data) * 0.8)
    shown, _, _, there = decode(data[:n] + bytes(len(data) - n), truncated=True)
    assert there == pytest.approx(0.8, abs=0.15) and shown.size == (W, H)


def test_whole_files_are_read_as_ever():
    for name, data in FILES.items():
        strict, lenient = decode(data), decode(data, truncated=True)
        assert lenient.share is None
        assert np.array_equal(np.asarray(strict.shown), np.asarray(lenient.shown)), name


def test_damage_in_the_middle_is_no_truncation():
    wrong = bytearray(FILES["png"])
    wrong[len(wrong) // 2 :][:0] = b""
    wrong[len(wrong) // 2] ^= 0xFF
    with pytest.raises(UnreadableImage, match="truncated or damaged"):
        open_image(bytes(wrong), truncated=True)


def test_no_line_at_all_is_no_picture():
    for name, data in FILES.items():
        with images.quiet(), pytest.raises(UnreadableImage):
            open_image(data[:60] if name.startswith("tiff") else data[:120], truncated=True)


def test_a_cut_bomb_is_stopped():
    """The header of a cut file is made to state fewer lines; the limit is about all of them."""
    with pytest.raises(UnreadableImage, match="too many pixels"):
        open_image(images.bomb()[:-20], truncated=True)


def corpus(folder):
    files = {f"{name.replace(' ', '-')}.x": cut(name, 0.9) for name in FILES}
    files |= {f"{name.replace(' ', '-')}-little.x": cut(name, 0.3) for name in FILES}
    files |= {"cut.heic": images.encode(noisy(), "HEIF")[:-99], "whole.png": FILES["png"]}
    return images.write_files(folder, files)


def test_scans_keep_cut_pictures_with_a_flag(tmp_path):
    folder = corpus(tmp_path)
    strict = scan_images(folder, progress=False).set_index("file")
    assert strict.index[strict["status"] == "ok"].tolist() == ["whole.png"]
    assert not strict["truncated"].any() and strict["truncated"].dtype == bool
    lenient = scan_images(folder, truncated="keep", progress=False).set_index("file")
    kept = lenient.index[lenient["truncated"]]
    assert {*kept} == {f"{name.replace(' ', '-')}.x" for name in FILES}
    assert lenient.loc[kept, "status"].isin(["ok", "duplicate"]).all()  # the same lines of one
    assert (lenient.loc[kept, ["n_pages"]] >= 1).all(axis=None)
    rest = lenient.drop([*kept, "whole.png"])
    assert set(rest["reason"]) == {"truncated or damaged"} and "cut.heic" in rest.index
    assert not lenient.loc["whole.png", "truncated"]


def test_half_of_the_lines_are_enough(tmp_path):
    picture = images.encode(noisy(), "BMP")
    start, line = 54, W * 3
    files = {f"{n}.bmp": picture[: start + line * n] for n in (59, 60, 119)}
    table = scan_images(images.write_files(tmp_path, files), truncated="keep", progress=False)
    found = dict(zip(table["file"], table["status"], strict=True))
    assert found == {"59.bmp": "rejected", "60.bmp": "ok", "119.bmp": "ok"}


def test_later_steps_read_what_a_scan_kept(tmp_path):
    folder = corpus(tmp_path / "corpus")
    table = scan_images(folder, truncated="keep", progress=False)
    kept = table[table["truncated"]]
    for row in kept.itertuples():
        file = (row.image_id, row.path)
        assert scanned_picture(file).size == (row.width, row.height)
        assert shown_picture(file, 32, longer=True).mode == "RGB"
        with images.quiet(), pytest.raises(UnreadableImage):  # nobody scanned this id
            shown_picture(("mine", row.path), 32)
    vectors = embed_images(table, progress=False)
    assert len(vectors.images) == (table["status"] == "ok").sum()


def test_the_setting_is_recorded_when_it_is_not_the_default(tmp_path):
    folder = corpus(tmp_path / "corpus")
    scan_images(folder, out=tmp_path / "strict", progress=False)
    assert "truncated" not in read_run(tmp_path / "strict")["steps"]["scan"]["settings"]
    scan_images(folder, out=tmp_path / "run", truncated="keep", progress=False)
    assert read_run(tmp_path / "run")["steps"]["scan"]["settings"]["truncated"] == "keep"
    with pytest.raises(ImagestrataError):
        scan_images(folder, out=tmp_path / "run", progress=False)
    with pytest.raises(ImagestrataError, match="must be one of"):
        scan_images(folder, truncated="maybe", progress=False)


def test_threads_do_not_share_a_switch():
    """Strict and lenient reading at the same time."""
    data = [cut("jpeg", 0.8), cut("png", 0.8)] * 20

    def strict(one):
        try:
            return bool(open_image(one))
        except UnreadableImage:
            return False

    with ThreadPoolExecutor(8) as pool:
        refused, shown = (
            pool.map(strict, data), pool.map(lambda one: open_image(one, truncated=True), data)
        )  # fmt: skip
        assert not any(refused) and all(image.size == (W, H) for image in shown)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_reduced_reading_of_cut_pictures():
    data = images.encode(images.picture(1, (800, 600)), "JPEG")
    data = data[: int(len(data) * 0.9)]
    assert open_image(data, min_pixels_side=70, truncated=True).size == (100, 75)
