"""The montage has the right picture at the right place."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageColor

from clusterings import colour, draw_images, hand_made
from imagestrata import ImagestrataError, find_images, plot_montage
from imagestrata.bridge.pictures import rows_of_montage
from imagestrata.explore.tiles import GAP, LABELS, MARGIN, NOTE, TILE

CLUSTERS = [1] * 6 + [2] * 4 + [3] * 2 + [-1]


@pytest.fixture(scope="module")
def clustering(tmp_path_factory):
    return hand_made(draw_images(tmp_path_factory.mktemp("images"), CLUSTERS), CLUSTERS)


def saved(clustering, path, **arguments) -> Image.Image:
    plot_montage(clustering, path, **arguments)
    return Image.open(path).convert("RGB")


def below(n_lines: int) -> int:
    """Pixels below the tiles, where a note has so many lines."""
    return MARGIN + 12 + NOTE * n_lines


def pixel(image: Image.Image, row: int, column: int) -> tuple[int, int, int]:
    """The middle of a tile."""
    left = MARGIN + LABELS + column * (TILE + GAP)
    top = MARGIN + row * (TILE + GAP)
    return image.getpixel((left + TILE // 2, top + TILE // 2))


def test_size_and_colours(clustering, tmp_path):
    image = saved(clustering, tmp_path / "montage.png", n_clusters=20, n_images=5)
    assert image.size == (
        MARGIN + LABELS + 5 * TILE + 4 * GAP + MARGIN,
        MARGIN + 3 * TILE + 2 * GAP + below(2),
    )
    white = (255, 255, 255)
    for row, (cluster, size) in enumerate([(1, 5), (2, 4), (3, 2)]):
        wanted = ImageColor.getrgb(colour(cluster))
        assert [pixel(image, row, c) for c in range(5)] == [wanted] * size + [white] * (5 - size)


def test_tiles_are_sharp_to_the_pixel(clustering, tmp_path):
    image = saved(clustering, tmp_path / "montage.png", n_clusters=1)
    assert image.height == MARGIN + TILE + below(1)
    left, middle = MARGIN + LABELS, MARGIN + TILE // 2
    assert image.getpixel((left - 1, middle)) == (255, 255, 255)
    assert image.getpixel((left, middle)) == ImageColor.getrgb(colour(1))
    assert image.getpixel((left + TILE - 1, middle)) == ImageColor.getrgb(colour(1))
    assert image.getpixel((left + TILE, middle)) == (255, 255, 255)


def test_labels_say_number_size_and_share(clustering):
    figure = plot_montage(clustering, clusters=[1, 2, -1])
    *texts, note = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["1", "6 images\n46.2%", "2", "4 images\n30.8%", "Residual", "1 image\n7.7%"]
    assert note.replace("\n", " ") == (
        "Rows: clusters, with their number of images and their share of all images. Images: those "
        "with the highest silhouettes, cropped to squares."
    )


def test_chosen_clusters_in_the_order_given(clustering, tmp_path):
    image = saved(clustering, tmp_path / "montage.png", clusters=[3, -1], n_images=2)
    assert pixel(image, 0, 0) == ImageColor.getrgb(colour(3))
    assert pixel(image, 1, 0) == ImageColor.getrgb(colour(-1))
    with pytest.raises(ImagestrataError, match="no cluster 7"):
        plot_montage(clustering, clusters=[7])
    with pytest.raises(ImagestrataError, match="must name between 1 and 200 clusters"):
        plot_montage(clustering, clusters=[])


def test_without_clusters_the_residual_is_shown(tmp_path):
    clustering = hand_made(draw_images(tmp_path / "images", [-1, -1]), [-1, -1])
    *texts, _ = [text.get_text() for text in plot_montage(clustering).axes[0].texts]
    assert texts == ["Residual", "2 images\n100.0%"]


def test_a_vanished_file_is_a_grey_tile(tmp_path):
    paths = draw_images(tmp_path / "images", [1, 1])
    clustering = hand_made([*paths, str(tmp_path / "gone.png")], [1, 1, 1])
    image = saved(clustering, tmp_path / "montage.png")
    left = MARGIN + LABELS + 2 * (TILE + GAP)
    assert image.getpixel((left + 4, MARGIN + 4)) == (243, 244, 245)
    tile = image.crop((left, MARGIN, left + TILE, MARGIN + TILE))
    assert len(tile.getcolors(maxcolors=TILE * TILE)) > 1  # the reason is written on it


def test_the_same_file_every_time(clustering, tmp_path):
    for name in "ab":
        plot_montage(clustering, tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def noise(folder, n) -> list[str]:
    """Pictures that no format can make small."""
    rng = np.random.default_rng(0)
    paths = [str(folder / f"{i}.png") for i in range(n)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (160, 160, 3), dtype=np.uint8)).save(path)
    return paths


def test_a_notebook_keeps_less_than_a_megabyte(tmp_path):
    clusters = [i // 10 + 1 for i in range(200)]
    drawn = plot_montage(hand_made(noise(tmp_path, 200), clusters), tmp_path / "full.png")
    # As IPython's print_figure() asks for it.
    kept = io.BytesIO()
    drawn.canvas.print_figure(
        kept, format="png", dpi=drawn.dpi, bbox_inches="tight", facecolor="white"
    )
    small, full = Image.open(kept), Image.open(tmp_path / "full.png")
    assert len(base64.b64encode(kept.getvalue())) < 1_000_000
    assert 600 < small.width <= 1000
    assert abs(small.width / small.height - full.width / full.height) < 0.02
    # What is saved stays sharp.
    assert full.width == MARGIN + LABELS + 10 * TILE + 9 * GAP + MARGIN
    drawn.savefig(tmp_path / "again.png")
    assert Image.open(tmp_path / "again.png").size == full.size
    drawn.savefig(tmp_path / "again.pdf")


def test_colours_in_a_notebook_are_those_of_the_images(clustering):
    kept = io.BytesIO()
    plot_montage(clustering).canvas.print_figure(kept, format="png")
    small = Image.open(kept).convert("RGB")
    scale = small.width / (2 * MARGIN + LABELS + 10 * TILE + 9 * GAP)
    at = [round(scale * (MARGIN + LABELS + TILE / 2)), round(scale * (MARGIN + TILE / 2))]
    assert np.abs(np.subtract(small.getpixel(tuple(at)), ImageColor.getrgb(colour(1)))).max() < 6


def test_random_and_doubtful_images_in_their_order(tmp_path):
    colours = ["#ff0000", "#00ff00", "#0000ff", "#ffff00", "#00ffff", "#ff00ff"]
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for path, one in zip(paths, colours, strict=True):
        Image.new("RGB", (60, 60), one).save(path)
    margins = [0.3, 0.1, -0.2, 0.5, 0.4, 0.2]
    clustering = hand_made(list(map(str, paths)), [1] * 6, margin=margins)

    def shown(**arguments):
        image = saved(clustering, tmp_path / "montage.png", n_images=6, **arguments)
        return [colours.index("#{:02x}{:02x}{:02x}".format(*pixel(image, 0, i))) for i in range(6)]

    assert shown(order="doubtful") == [2, 1, 5, 0, 4, 3]
    assert shown(order="random", seed=1) == shown(order="random", seed=1)
    assert len({tuple(shown(order="random", seed=seed)) for seed in range(6)}) > 3
    for seed in (0, 1):
        found = find_images(clustering, order="random", seed=seed)["path"]
        assert [str(paths[i]) for i in shown(order="random", seed=seed)] == found.tolist()
    with pytest.raises(ImagestrataError, match="must be one of"):
        plot_montage(clustering, order="best")


def test_r_gets_the_rows_and_the_pictures(clustering, tmp_path):
    file = tmp_path / "pictures.png"
    sent = rows_of_montage(
        clustering, str(file), 20.0, n_clusters=2, n_images=3, clusters=None, keywords=None,
        order="typical", seed=0, labels=None,
    )  # fmt: skip
    assert sent["rows"]["label"].tolist() == ["1", "2"]
    assert sent["rows"]["about"].tolist() == ["6 images\n46.2%", "4 images\n30.8%"]
    assert sent["rows"]["heading"].isna().all()
    found = find_images(clustering, clusters=[1, 2], n=3)
    assert sent["images"]["image_id"].tolist() == found["image_id"].tolist()
    assert sent["images"]["row"].tolist() == [1, 1, 1, 2, 2, 2]
    assert sent["images"]["column"].tolist() == [1, 2, 3] * 2
    with Image.open(file) as pictures:
        assert pictures.size == (20, 6 * 20)
        shown = pictures.convert("RGB")
        middles = [shown.getpixel((10, 20 * i + 10)) for i in range(6)]
    assert middles == [ImageColor.getrgb(colour(1))] * 3 + [ImageColor.getrgb(colour(2))] * 3
    assert sent["note"].startswith("Rows: clusters, the largest first, with")


def test_the_note_names_the_order_of_rows_and_images(clustering):
    drawn = plot_montage(clustering, order="random").axes[0].texts[-1].get_text()
    assert "Images: drawn at random" in drawn.replace("\n", " ")


def test_the_largest_clusters_come_first_whatever_their_numbers(tmp_path):
    clusters = [1] * 2 + [2] * 4 + [3] * 3  # as after a merge
    edited = hand_made(draw_images(tmp_path, clusters), clusters)
    for n_clusters, numbers in ((20, ["2", "3", "1"]), (1, ["2"])):
        texts = plot_montage(edited, n_clusters=n_clusters).axes[0].texts
        assert [text.get_text() for text in texts][:-1:2] == numbers
