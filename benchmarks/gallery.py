"""Opening and editing a gallery of 300 clusters, and the neighbours that it holds.

The page is opened from disk in headless Chromium, without a graphics card. It is open when all
clusters have their place and the first frame is drawn. An edit takes from the click or key to the
end of the next frame.

    python benchmarks/gallery.py [--images 20000] [--clusters 300] [--most 100000]
        [--neighbors 50000] [--posts 100000]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from machine import sized, write_result
from PIL import Image

from imagestrata import Clustering, Embeddings, image_gallery
from imagestrata.explore.similar import N_NEIGHBORS, nearest_images
from imagestrata.rows import Rows

#: How many clusters are edited: each third of them.
EDITED = sized(2, 25)

#: Waits for the next frame, or until a card that comes into sight has its buttons.
WAITS = """
  const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const near = async (card) => {
    for (let frame = 0; frame < 1000; frame++) {
      await drawn();
      const button = card().querySelector(".near button");
      if (button) return button;
    }
    throw new Error("no button to merge with the nearest cluster");
  };
"""

EDITS = """
  const timed = async (action) => {
    const begun = performance.now();
    action();
    await drawn();
    return performance.now() - begun;
  };
  const key = (target, key) =>
    target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const cards = () => [...document.querySelectorAll(".card")];
  const found = { name: [], merge: [], "move 12 images": [], drop: [], undo: [], order: [] };
  for (let at = 0; at < repeats; at++) {
    const heading = () => cards()[3 * at + 1].querySelector("h2 a");
    cards()[3 * at + 1].scrollIntoView();
    await near(() => cards()[3 * at + 1]);
    heading().focus();
    key(heading(), "n");
    const field = cards()[3 * at + 1].querySelector("input[type=text]");
    field.value = "Topic " + at;
    found.name.push(await timed(() => key(field, "Enter")));
    for (const box of cards()[3 * at + 1].querySelectorAll(".tile input")) box.click();
    document.getElementById("move").click();
    const wanted = document.getElementById("wanted");
    found["move 12 images"].push(await timed(() => key(wanted, "Enter")));
    const button = await near(() => cards()[3 * at + 1]);
    found.merge.push(await timed(() => button.click()));
    heading().focus();
    found.drop.push(await timed(() => key(document.activeElement, "d")));
    found.undo.push(await timed(() => key(document.activeElement, "u")));
    found.order.push(await timed(() => document.getElementById("order").click()));
  }
  return found;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=sized(300, 20_000))
    parser.add_argument("--clusters", type=int, default=sized(10, 300))
    parser.add_argument("--most", type=int, default=sized(500, 100_000))
    parser.add_argument("--neighbors", type=int, default=sized(500, 50_000))
    parser.add_argument("--posts", type=int, default=sized(300, 100_000))
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        page = gallery(asked.images, asked.clusters, Path(folder))
        megabytes = page.stat().st_size / 1e6
        times = {"open": opened(page), **edited(page, EDITED)}
        posts = f"{asked.posts:,} posts"
        page = gallery(asked.images, asked.clusters, Path(folder) / "posts", asked.posts)
        more = page.stat().st_size / 1e6 - megabytes
        times |= {f"open, with {posts}": opened(page)}
        times |= {f"{what}, with {posts}": found for what, found in chosen(page, EDITED).items()}
        page = gallery(asked.most, asked.clusters, Path(folder) / "most")
        most = page.stat().st_size / 1e6
        times |= {f"open, {asked.most:,} images": opened(page)}
        found = edited(page, min(EDITED, 5))
        times |= {f"{what}, {asked.most:,} images": some for what, some in found.items()}
    rows = [
        {
            "what": what,
            "ms, median": round(statistics.median(found)),
            "ms, longest": round(max(found)),
            "times": len(found),
        }
        for what, found in times.items()
    ]
    vectors = np.random.default_rng(0).normal(size=(asked.neighbors, 512)).astype("float32")
    begun = time.perf_counter()
    nearest_images(Rows(vectors), N_NEIGHBORS)
    seconds = time.perf_counter() - begun
    notes = [
        f"{asked.images:,} images in {asked.clusters} clusters; the page has {megabytes:.1f} MB, "
        f"and {more:.1f} MB more with {posts} over four years. With {asked.most:,} images, all of "
        f"which it shows, it has {most:.1f} MB.",
        f"The {N_NEIGHBORS} neighbours of each of {asked.neighbors:,} images, 512 numbers each, "
        f"are found in {seconds:.0f} s when the page is written.",
        f"Load average of the machine before and after: {load:.1f} and {os.getloadavg()[0]:.1f}.",
    ]
    write_result("gallery", rows, notes=notes, title="Opening and editing a gallery")


def gallery(n: int, k: int, folder: Path, n_posts: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    cluster = np.concatenate([np.arange(k), rng.integers(k, size=n - k)])
    places = rng.normal(size=(k, 64))[cluster] + 0.3 * rng.normal(size=(n, 64))
    files = []
    for i in range(200):
        files.append(folder / f"{i}.jpg")
        Image.fromarray(rng.integers(256, size=(6, 9, 3), dtype="uint8")).resize(
            (300, 200 + i % 100)
        ).save(files[-1])
    paths = [str(files[(7 * c + i) % 200]) for i, c in enumerate(cluster)]
    ids = [f"image {i}" for i in range(n)]
    images = pd.DataFrame({"image_id": ids, "path": paths, "n_copies": 1})
    embeddings = Embeddings(images, places.astype("float32"), {"name": "hog"})
    clustering = Clustering.from_labels(embeddings, [f"{c:03d}" for c in cluster])
    shown = np.concatenate([np.arange(n_posts), rng.integers(max(n_posts, 1), size=n_posts // 2)])
    days = pd.to_timedelta(rng.integers(1461, size=n_posts), unit="D")
    posts = pd.DataFrame(
        {
            "post_id": shown.astype(str),
            "image_id": np.array(ids)[rng.integers(n, size=len(shown))],
            "time": (pd.Timestamp("2020-01-01", tz="UTC") + days)[shown],
        }
    )
    given = {"posts": posts} if n_posts else {}
    return image_gallery(clustering, folder / "run", progress=False, **given)


def opened(page: Path, repeats: int = 5) -> list[float]:
    from playwright.sync_api import sync_playwright

    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for _ in range(repeats):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(page.as_uri())
            times.append(
                tab.evaluate(
                    "() => new Promise((done) => requestAnimationFrame(() => "
                    "setTimeout(() => done(performance.now()))))"
                )
            )
            tab.close()
        browser.close()
    return times


CHOICES = """
  const plot = document.getElementById("plot");
  const found = { "choose a month": [], merge: [] };
  for (let at = 0; at < repeats; at++) {
    const timed = async (action) => {
      const begun = performance.now();
      action();
      await drawn();
      return performance.now() - begun;
    };
    const key = (key) => plot.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    found["choose a month"].push(await timed(() => key("ArrowRight")));
    key("Escape");
    await drawn();
    const card = document.querySelectorAll(".card")[3 * at + 1];
    card.scrollIntoView();
    const button = await near(() => card);
    found.merge.push(await timed(() => button.click()));
  }
  return found;
"""


def chosen(page: Path, repeats: int) -> dict[str, list[float]]:
    return edited(page, repeats, CHOICES)


def edited(page: Path, repeats: int, script: str = EDITS) -> dict[str, list[float]]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.on("pageerror", lambda error: sys.stderr.write(f"{error}\n"))
        tab.goto(page.as_uri())
        found: dict[str, list[float]] = tab.evaluate(
            f"async (repeats) => {{{WAITS}{script}}}", repeats
        )
        browser.close()
    return found


if __name__ == "__main__":
    main()
