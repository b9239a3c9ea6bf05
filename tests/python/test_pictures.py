"""Small copies of images hold their pixels, and nothing else that a file said."""

from __future__ import annotations

import base64
import re
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image, PngImagePlugin

import images
from imagestrata import (
    assign_annotators,
    cluster_images,
    coding_sheet,
    embed_images,
    export_packets,
    export_pairs,
    export_test,
    image_gallery,
    plot_montage,
    sample_images,
    sample_pairs,
)
from imagestrata.corpus.pictures import as_jpeg, plain_jpeg
from imagestrata.corpus.thumbnails import make_thumbnails

SECRET = b"Jane Doe, ward 7"


def with_notes(number: int) -> tuple[str, bytes]:
    """A picture with the secret wherever its format has room for it."""
    kind = ("JPEG", "PNG", "GIF", "WEBP", "TIFF")[number % 5]
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    note = PngImagePlugin.PngInfo()
    note.add_text("comment", SECRET.decode())
    note.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    options = {
        "JPEG": {"comment": SECRET, "exif": exif, "icc_profile": SECRET, "xmp": SECRET},
        "PNG": {"pnginfo": note, "exif": exif, "icc_profile": SECRET},
        "GIF": {"comment": SECRET},
        "WEBP": {"exif": exif, "icc_profile": SECRET, "xmp": SECRET},
        "TIFF": {"tiffinfo": {270: SECRET.decode(), 700: SECRET}, "icc_profile": SECRET},
    }[kind]
    data = images.encode(images.picture(number, (90, 60)), kind, **options)
    assert SECRET in data
    return f"{number:02d}.{kind.lower()}", data


def holds_secret(data: bytes) -> bool:
    within = re.findall(rb"base64,([A-Za-z0-9+/=]+)", data)
    return any(SECRET in part for part in (data, *map(base64.b64decode, within)))


@pytest.fixture(scope="module")
def clustering(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secret")
    images.write_files(folder, dict(with_notes(number) for number in range(20)))
    vectors = embed_images(folder, "hog", progress=False)
    return cluster_images(vectors, method="kmeans", n_clusters=4, progress=False), vectors


def test_no_page_export_or_figure_tells_what_a_file_said(clustering, tmp_path):
    found, vectors = clustering
    packets = assign_annotators(sample_images(found, 3), ["a", "b"], n_images=4)
    quiet = {"progress": False}
    image_gallery(found, tmp_path / "gallery", **quiet)
    export_packets(packets, tmp_path / "rate", **quiet)
    export_packets(
        packets, tmp_path / "q", to="qualtrics", base_url="https://example.org/a", **quiet
    )
    export_packets(packets, tmp_path / "l", to="labelstudio", **quiet)
    export_pairs(sample_pairs(vectors, 8, 4), tmp_path / "pairs.html", **quiet)
    described = pd.DataFrame({"cluster": [1, 2, 3, 4], "description": list("abcd")})
    export_test(found, tmp_path / "matching.html", descriptions=described, **quiet)
    export_test(found, tmp_path / "intruders.html", kind="intruders", **quiet)
    coding_sheet(found, tmp_path / "coding.html", {"who": ["x", "y"]}, **quiet)
    for kind in ("png", "pdf", "svg"):
        plot_montage(found, out=tmp_path / f"montage.{kind}")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sum(path.suffix == ".jpg" for path in files) > 10
    assert not [path for path in files if holds_secret(path.read_bytes())]


def test_one_function_writes_pixels_alone():
    image = Image.open(BytesIO(with_notes(0)[1]))
    assert image.info["comment"] == SECRET
    for data in (plain_jpeg(image, 90), as_jpeg(image, 40)):
        assert SECRET not in data
        assert [name for name, _ in Image.open(BytesIO(data)).applist] == ["APP0"]
    clear = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    assert (np.asarray(Image.open(BytesIO(plain_jpeg(clear, 95)))) == 255).all()


def test_a_thumbnail_with_a_comment_is_made_again(tmp_path):
    """Earlier releases copied comments, and a gallery takes thumbnails that are there."""
    (tmp_path / "photos").mkdir()
    path = tmp_path / "photos" / "a.png"
    path.write_bytes(images.encode(images.picture(1)))
    table = pd.DataFrame({"image_id": ["mine"], "path": [str(path)]})
    (made,) = make_thumbnails(table, tmp_path / "small", 20, progress=False)
    target = tmp_path / "small" / made.name[:2] / f"{made.name}.jpg"
    target.write_bytes(images.encode(Image.open(target), "JPEG", comment=SECRET))
    make_thumbnails(table, tmp_path / "small", 20, progress=False)
    assert SECRET not in target.read_bytes()


@pytest.mark.browser
def test_a_page_links_pictures_under_the_ending_of_one_only(tmp_path, browser):
    """A picture called .html is a page to a browser, and what is in it would run there."""
    script = b"<html><script>localStorage.setItem('pwned', '1')</script><!--"
    names = ["a.html", "b.svg", "c.xhtml", "d.jpg.htm", "e", "f.JPG", "g.jpeg", "h.png", "i.tiff"]
    for number, name in enumerate(names):
        data = images.encode(images.picture(number, (90, 60)), "JPEG", comment=script)
        images.write_files(tmp_path / "photos", {name: data})
    vectors = embed_images(tmp_path / "photos", "hog", progress=False)
    found = cluster_images(vectors, method="kmeans", n_clusters=2, progress=False)
    address = image_gallery(found, tmp_path / "run", progress=False)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(address.as_uri())
        linked, shown = [], []
        page.locator(".tile .open").first.click()
        for _ in range(len(names)):
            shown.append(page.locator("#name").inner_text())
            links = page.locator("#facts a[target=_blank]")
            linked += [links.nth(i).get_attribute("href") for i in range(links.count())]
            if page.locator("#next").is_enabled():
                page.locator("#next").click()
    assert shown and {name.rpartition("/")[2] for name in linked} <= set(names[5:])
    assert linked
