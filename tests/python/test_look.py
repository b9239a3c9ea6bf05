"""Scanning, embedding and small copies open each file once, and find what they find alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from PIL import Image

import images
from commands import call
from imagestrata import Embeddings, cluster_images, embed_images, scan_images
from imagestrata.corpus import decode as decoding
from imagestrata.corpus import look, pictures, same
from imagestrata.corpus.decode import decode


def photograph(seed: int, size: tuple[int, int] = (1000, 800)) -> Image.Image:
    """A picture that is large enough to be decoded at half its scale."""
    return images.picture(seed, size)


@pytest.fixture
def corpus(tmp_path) -> Path:
    files = {f"{n:02d}.jpg": images.encode(photograph(n), "JPEG") for n in range(12)}
    files["copy.jpg"] = files["03.jpg"]
    files["page.jpg"] = images.HTML
    files["icon.png"] = images.encode(images.picture(99, (8, 8)))
    return images.write_files(tmp_path / "corpus", files)


@pytest.fixture
def opened(monkeypatch) -> Counter[str]:
    """How often each file was read."""
    seen: Counter[str] = Counter()
    real = decoding._read

    def counting(path, n_bytes):
        if n_bytes is None:
            seen[Path(path).name] += 1
        return real(path, n_bytes)

    monkeypatch.setattr(decoding, "_read", counting)
    return seen


class TestOneLook:
    def test_run_opens_each_file_once(self, corpus, tmp_path, opened):
        call("run", corpus, "--out", tmp_path / "run", "--encoder", "hog", "--stop-size", 3, "-q")
        montage = 12  # which shows originals
        assert set(opened.values()) <= {1, 2} and opened.total() <= 15 + montage
        assert opened["page.jpg"] == opened["icon.png"] == opened["copy.jpg"] == 1
        assert len(list((tmp_path / "run" / "gallery").rglob("*.jpg"))) == 12

    def test_clustering_a_folder_opens_each_file_once(self, corpus, tmp_path, opened):
        cluster_images(corpus, encoder="hog", stop_size=3, out=tmp_path / "run", progress=False)
        assert set(opened.values()) == {1}
        assert len(list((tmp_path / "run" / "gallery").rglob("*.jpg"))) == 12
        embed_images(corpus, "hog", progress=False)
        assert set(opened.values()) == {2}

    @pytest.mark.parametrize("encoder", ["hog", "efficientnet_lite0", "bovw"])
    def test_the_vectors_are_the_same(self, corpus, tmp_path, encoder):
        scanned = scan_images(corpus, out=tmp_path / "apart", progress=False)
        apart = embed_images(scanned, encoder, out=tmp_path / "apart", progress=False)
        once = embed_images(corpus, encoder, out=tmp_path / "once", progress=False)
        in_memory = embed_images(corpus, encoder, progress=False)
        for one in (once, in_memory, Embeddings.load(tmp_path / "once")):
            assert np.array_equal(one.matrix, apart.matrix)
            assert_frame_equal(one.images, apart.images)
        assert_frame_equal(scan_images(corpus, out=tmp_path / "once", progress=False), scanned)

    def test_an_interrupted_look_goes_on(self, corpus, tmp_path, monkeypatch, opened):
        monkeypatch.setattr("imagestrata.corpus.known.PART_SIZE", 4)

        class Killed(BaseException):
            pass

        def stop(step, done, total):
            if done >= 8:
                raise Killed

        with pytest.raises(Killed):
            embed_images(corpus, "hog", batch_size=2, out=tmp_path / "run", progress=stop)
        opened.clear()
        embedded = embed_images(corpus, "hog", batch_size=2, out=tmp_path / "run", progress=False)
        assert set(opened.values()) == {1} and opened.total() <= 15 - 4
        assert np.array_equal(embedded.matrix, embed_images(corpus, "hog", progress=False).matrix)

    def test_files_that_are_too_small_are_not_encoded(self, corpus, monkeypatch):
        from imagestrata.encoders.hog import HogEncoder

        shapes: list[tuple[int, int]] = []
        prepare = HogEncoder.prepare
        monkeypatch.setattr(
            HogEncoder,
            "prepare",
            lambda self, image: (shapes.append(image.size), prepare(self, image))[1],
        )
        embed_images(corpus, "hog", progress=False)
        assert (8, 8) not in shapes and len(shapes) in (12, 13)


class TestSamePixels:
    """Files of which a part is the same are decoded in full and compared."""

    @pytest.fixture
    def compared(self, monkeypatch) -> list[str]:
        seen: list[str] = []
        real = same.read_scanned

        def counting(image_id, path):
            seen.append(Path(path).name)
            return real(image_id, path)

        monkeypatch.setattr(same, "read_scanned", counting)
        return seen

    @pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP", "JPEG2000"])
    def test_a_jpeg_and_its_lossless_copy(self, tmp_path, compared, form):
        jpeg = images.encode(photograph(1), "JPEG")
        shown = decode(jpeg).shown
        options = {"WEBP": {"lossless": True}, "JPEG2000": {"irreversible": False}}
        files = {"a.jpg": jpeg, "b.jpg": images.encode(photograph(2), "JPEG")}
        files["c.bin"] = images.encode(shown, form, **options.get(form, {}))
        found = scan_images(images.write_files(tmp_path / "c", files), progress=False)
        assert found["status"].tolist() == ["ok", "ok", "duplicate"]
        assert sorted(compared) == ["a.jpg", "c.bin"]

    def test_other_metadata(self, tmp_path, compared):
        picture = photograph(1)
        exif = Image.Exif()
        exif[0x010E] = "a description"
        files = {
            "a.jpg": images.encode(picture, "JPEG"),
            "b.jpg": images.encode(picture, "JPEG", exif=exif),
            "c.jpg": images.encode(photograph(2), "JPEG"),
        }
        found = scan_images(images.write_files(tmp_path / "c", files), progress=False)
        assert found["reason"].fillna("").tolist() == ["", "same pixels", ""]
        assert sorted(compared) == ["a.jpg", "b.jpg"]

    def test_one_pixel_differs(self, tmp_path, compared):
        """The rows that are hashed first are the same."""
        one = photograph(1, (300, 200))
        other = one.copy()
        other.putpixel((5, 7), (255, 0, 0))
        files = {"a.png": images.encode(one), "b.png": images.encode(other)}
        found = scan_images(images.write_files(tmp_path / "c", files), progress=False)
        assert found["status"].tolist() == ["ok", "ok"]
        assert sorted(compared) == ["a.png", "b.png"]

    def test_unlike_pictures_are_decoded_once(self, tmp_path, compared):
        files = {f"{n}.jpg": images.encode(photograph(n), "JPEG") for n in range(4)}
        files |= {f"{n}.png": images.encode(photograph(n + 4)) for n in range(4)}
        found = scan_images(images.write_files(tmp_path / "c", files), progress=False)
        assert found["status"].eq("ok").all() and compared == []

    def test_compared_files_are_not_compared_again(self, tmp_path, compared):
        jpeg = images.encode(photograph(1), "JPEG")
        files = {"a.jpg": jpeg, "b.png": images.encode(decode(jpeg).shown)}
        folder = images.write_files(tmp_path / "c", files)
        scan_images(folder, out=tmp_path / "run", progress=False)
        del compared[:]
        images.write_files(folder, {"z.jpg": images.encode(photograph(9), "JPEG")})
        found = scan_images(folder, out=tmp_path / "run", progress=False)
        assert found["status"].tolist() == ["ok", "duplicate", "ok"] and compared == []

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("side", [384, 200, 60])
    def test_mean_colours_do_not_depend_on_the_scale(self, seed, side):
        rng = np.random.default_rng(seed)
        noise = Image.fromarray(rng.integers(0, 256, (777, 901, 3), dtype=np.uint8))
        for picture in (photograph(seed), noise):
            data = images.encode(picture, "JPEG", quality=int(rng.integers(5, 95)))
            full, small = decode(data), decode(data, min_pixels_side=side)
            assert small.size == full.size == full.shown.size
            colours = [
                np.frombuffer(look.tints(one.shown), np.uint8).astype(int) for one in (full, small)
            ]
            assert abs(colours[0] - colours[1]).max() <= same._TOLERANCE

    def test_the_size_is_that_of_the_upright_picture(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        data = images.encode(photograph(1, (1001, 1000)), "JPEG", exif=exif)
        assert decode(data, min_pixels_side=384).size == (1000, 1001) == decode(data).shown.size


def test_thumbnails_along_are_those_of_the_gallery(corpus, tmp_path):
    """They differ from thumbnails that the gallery makes by the scale of decoding only."""
    from imagestrata.corpus.thumbnails import make_thumbnails

    cluster_images(corpus, encoder="hog", stop_size=3, out=tmp_path / "run", progress=False)
    scanned = scan_images(corpus, progress=False)
    usable = scanned[scanned["status"] == "ok"]
    folder = tmp_path / "run" / "gallery" / "thumbnails-160"
    before = {path: path.read_bytes() for path in folder.rglob("*.jpg")}
    made = make_thumbnails(usable, folder, 320, False)
    assert {path: path.read_bytes() for path in folder.rglob("*.jpg")} == before
    assert {one.name for one in made} == set(usable["image_id"])
    alone = make_thumbnails(usable, tmp_path / "alone", 320, False)
    assert [one.ratio for one in alone] == [one.ratio for one in made]
    for one in made:
        pair = [
            np.asarray(Image.open(place / one.name[:2] / f"{one.name}.jpg"), dtype=float)
            for place in (folder, tmp_path / "alone")
        ]
        assert abs(pair[0] - pair[1]).mean() < 2
    assert pictures.as_jpeg(photograph(0), 320)[:2] == b"\xff\xd8"
