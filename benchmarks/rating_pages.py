"""Two hundred rating pages, each answered in a browser, and their files read back at once.

Each page is a packet of eight images. In Chromium a rater clicks a rating for every item of every
image, skips some images, and saves the file, all by the page's own buttons. ``read_ratings()`` then
reads the folder of all files, and every rating must be the one that was clicked.

    python benchmarks/rating_pages.py [--pages 200]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result
from PIL import Image

from imagestrata import (
    Clustering,
    Embeddings,
    assign_annotators,
    export_packets,
    rating_means,
    read_ratings,
    sample_images,
)

GROUPS = ("Democrat", "Republican")
N_PER_PACKET = 8

#: Rates all images of a page, and returns what was clicked: image, item, rating (none if skipped).
RATE = """([person, seed]) => {
  document.getElementById("annotator").value = person;
  document.getElementById("annotator").dispatchEvent(
    new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
  document.getElementById("annotator").form?.requestSubmit();
  let state = seed;
  const drawn = (n) => (state = (state * 48271) % 2147483647) % n;
  const clicked = [];
  for (const image of kit.data.images) {
    const items = [...document.querySelectorAll(".item")];
    if (drawn(20) === 0) {
      for (const item of items) clicked.push([image, item.getAttribute("aria-label"), null]);
      document.getElementById("skip").click();
      continue;
    }
    for (const item of items) {
      const buttons = item.querySelectorAll("button");
      const value = drawn(buttons.length);
      buttons[value].click();
      clicked.push([image, item.getAttribute("aria-label"), value]);
    }
    document.getElementById("on").click();
  }
  return clicked;
}"""


def packets_of(folder: Path, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A sample for so many packets, half of them for each group."""
    paths = []
    rng = np.random.default_rng(0)
    for number in range(60):
        paths.append(str(folder / f"{number:02d}.jpg"))
        Image.fromarray(rng.integers(256, size=(60, 80, 3), dtype="uint8")).save(paths[-1])
    n_images = N_PER_PACKET * n // len(GROUPS)
    images = pd.DataFrame(
        {
            "image_id": [f"i{row:04d}" for row in range(n_images)],
            "path": [paths[row % len(paths)] for row in range(n_images)],
            "n_copies": 1,
        }
    )
    k = 20  # no packet has two images of a cluster
    vectors = rng.normal(size=(n_images, 4)).astype("float32")
    embeddings = Embeddings(images, vectors, {"name": "hog"})
    clusters = Clustering.from_labels(embeddings, [f"{row % k:02d}" for row in range(n_images)])
    sample = sample_images(clusters, n_per_cluster=float("inf"))
    return sample, assign_annotators(sample, GROUPS, N_PER_PACKET, residual="alone")


def answered(pages: list[Path], out: Path) -> pd.DataFrame:
    """What was clicked; the pages' files are in ``out``."""
    from playwright.sync_api import sync_playwright

    out.mkdir()
    clicked: list[Any] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for number, page in enumerate(pages):
            tab = browser.new_page()
            tab.on("pageerror", lambda error: sys.stderr.write(f"{error}\n"))
            tab.goto(page.as_uri())
            person = f"rater {number:03d}"
            rows = tab.evaluate(RATE, [person, number + 1])
            with tab.expect_download() as download:
                tab.click("#save-all")
            download.value.save_as(out / f"{number:03d}-{download.value.suggested_filename}")
            clicked += [[person, *row] for row in rows]
            tab.close()
        browser.close()
    return pd.DataFrame(clicked, columns=["respondent_id", "image_id", "item", "rating"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=sized(10, 200))
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with TemporaryDirectory() as place:
        (Path(place) / "images").mkdir()
        sample, packets = packets_of(Path(place) / "images", asked.pages)
        start = time.perf_counter()
        folder = export_packets(packets, Path(place) / "forms", thumbnail=80, progress=False)
        written = time.perf_counter() - start
        pages = sorted(folder.glob("p*.html"))
        start = time.perf_counter()
        clicked = answered(pages, Path(place) / "answers")
        rated = time.perf_counter() - start
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that some images were skipped
            ratings = read_ratings(Path(place) / "answers", sample, packets=folder)
        read = time.perf_counter() - start
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            means = rating_means(ratings)
        estimated = time.perf_counter() - start
    keys = ["respondent_id", "image_id", "item"]
    expected = clicked.dropna(subset="rating").set_index(keys)["rating"].sort_index()
    found = ratings.astype({"item": "str"}).set_index(keys)["rating"].sort_index()
    pd.testing.assert_series_equal(found, expected, check_dtype=False, check_index_type=False)
    row = {
        "pages": len(pages),
        "ratings clicked": f"{len(expected):,}",
        "images skipped": int(clicked["rating"].isna().sum() // clicked["item"].nunique()),
        "ratings read": f"{len(found):,}",
        "different": 0,
        "write pages (s)": f"{written:.1f}",
        "answer a page (s)": f"{rated / len(pages):.2f}",
        "read all files (s)": f"{read:.2f}",
        "means of all (s)": f"{estimated:.2f}",
    }
    notes = [
        f"{N_PER_PACKET} images a page, {clicked['item'].nunique()} items, {len(means)} means.",
        f"Load average of the machine before and after: {load:.1f} and {os.getloadavg()[0]:.1f}.",
    ]
    write_result("rating_pages", [row], notes=notes, title="Rating pages, answered and read back")


if __name__ == "__main__":
    main()
