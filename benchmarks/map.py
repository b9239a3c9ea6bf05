"""Frames of the gallery's map against the plain way to draw as many dots.

The map is opened from disk in headless Chromium, without a graphics card. A frame is
timed from its beginning to the end of the map's drawing in it, while the map is zoomed
a little; the plain way draws each dot as a filled circle on a canvas of the same size,
in turn with the map's frames.

    python benchmarks/map.py [--images 20000]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result

from imagestrata import Embeddings, cluster_images, image_gallery

FRAMES = """async (n) => {
  const map = document.querySelector("canvas");
  const box = map.getBoundingClientRect();
  const wheel = (deltaY) => map.dispatchEvent(new WheelEvent("wheel", {
    deltaY, clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, cancelable: true,
  }));
  const spots = Array.from({ length: n }, (_, i) => map.where(i));
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [map.width, map.height];
  const pen = sheet.getContext("2d");
  const drawn = (context) => context.getImageData(0, 0, 1, 1); // waits for the pixels
  const plain = () => {
    pen.clearRect(0, 0, map.width, map.height);
    for (const { x, y } of spots) {
      pen.beginPath();
      pen.arc(x - box.left, y - box.top, 2, 0, 2 * Math.PI);
      pen.fill();
    }
    drawn(pen);
  };
  const found = { map: [], plain: [], drawn: 0, visited: 0 };
  for (let k = 0; k < 60; k++) {
    await new Promise((done) => {
      let begun;
      requestAnimationFrame(() => (begun = performance.now()));
      wheel(k % 2 ? 4 : -4); // asks for a frame
      requestAnimationFrame(() => {
        drawn(map.getContext("2d"));
        done(found.map.push(performance.now() - begun));
      });
    });
    found.drawn = Math.max(found.drawn, map.stats.drawn);
    const begun = performance.now();
    plain();
    found.plain.push(performance.now() - begun);
  }
  for (const { x, y } of spots.filter((_, i) => i % 100 === 0)) {
    const at = { clientX: x, clientY: y, pointerType: "mouse" };
    map.dispatchEvent(new PointerEvent("pointermove", at));
    found.visited = Math.max(found.visited, map.stats.visited);
  }
  return found;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=sized(300, 20_000))
    n = parser.parse_args().images
    with tempfile.TemporaryDirectory() as folder:
        found = frames(gallery(n, Path(folder)), n)
    plain = statistics.median(found["plain"])
    rows = [
        {
            "way": way,
            "dots": n,
            "ms, median of 60 frames": round(statistics.median(times), 1),
            "ms, longest": round(max(times), 1),
            "of the plain way": round(statistics.median(times) / plain, 2),
        }
        for way, times in (("the map", found["map"]), ("circles one by one", found["plain"]))
    ]
    notes = [
        f"In view in a frame of the map: {found['drawn']:,} dots, and their labels.",
        f"Looked at to find the dot under the pointer: {found['visited']:,} at most.",
    ]
    write_result("map", rows, notes=notes, title="A frame of the gallery's map")


def gallery(n: int, folder: Path) -> Path:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, 2)) * 10
    places = centres[rng.integers(40, size=n)] + rng.normal(size=(n, 2))
    embeddings = Embeddings.from_arrays(places)
    clustering = cluster_images(embeddings, method="kmeans", n_clusters=40, progress=False)
    x, y = places.T
    points = pd.DataFrame({"image_id": embeddings.images["image_id"], "x": x, "y": y})
    return image_gallery(clustering, folder, points=points, progress=False)


def frames(page: Path, n: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(page.as_uri() + "#map")
        tab.locator("canvas").wait_for()
        tab.wait_for_timeout(500)
        found: dict[str, Any] = tab.evaluate(FRAMES, n)
        browser.close()
    return found


if __name__ == "__main__":
    main()
