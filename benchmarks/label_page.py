"""Labelling on a page of 2,000 images, in one cluster and in 100.

The page is opened from disk in headless Chromium, without a graphics card. It is open when the
first cluster is drawn. An answer, a selection or the next cluster takes from the key or click to
the end of the next frame.

    python benchmarks/label_page.py [--images 2000]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import sized, write_result
from PIL import Image
from playwright.sync_api import sync_playwright

from imagestrata import export_labels

CODES = {"protest": "binary", "scene": ["march", "vigil", "other"], "crowd": [1, 7]}
ACTIONS = """async (repeats) => {
  const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const timed = async (action) => {
    const begun = performance.now();
    action();
    await drawn();
    return performance.now() - begun;
  };
  const key = (name) =>
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  const found = { "label a cluster": [], "select an image": [], "label it": [], next: [] };
  for (let at = 0; at < repeats; at++) {
    for (const name of ["1", "2", "7"]) found["label a cluster"].push(await timed(() => key(name)));
    const pick = document.querySelectorAll(".pick")[at % document.querySelectorAll(".pick").length];
    found["select an image"].push(await timed(() => pick.click()));
    found["label it"].push(await timed(() => key("0")));
    key("Escape");
    found.next.push(await timed(() => key("Enter")));
    if (!document.getElementById("end").hidden) document.getElementById("review").click();
  }
  return found;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=sized(200, 2_000))
    n = parser.parse_args().images
    rows, notes = [], []
    for clusters in (1, 100):
        with tempfile.TemporaryDirectory() as folder:
            page = exported(n, clusters, Path(folder))
            notes.append(
                f"{n:,} images of 400 pixels, clusters: {clusters}. The page has "
                f"{page.stat().st_size / 1e6:.0f} MB."
            )
            rows += [
                {
                    "clusters": clusters,
                    "what": what,
                    "ms, median": round(statistics.median(times)),
                    "ms, longest": round(max(times)),
                    "times": len(times),
                }
                for what, times in measured(page).items()
            ]
    write_result("label_page", rows, notes=notes, title=f"Labelling on a page of {n:,} images")


def exported(n: int, clusters: int, folder: Path) -> Path:
    """A page of images of 400 pixels."""
    rng = np.random.default_rng(0)
    files = []
    for i in range(100):
        files.append(folder / f"{i}.jpg")
        small = Image.fromarray(rng.integers(256, size=(40, 60, 3), dtype="uint8"))
        small.resize((600, 400)).save(files[-1])
    images = {
        "image_id": [f"image {i}" for i in range(n)],
        "path": [str(files[i % 100]) for i in range(n)],
        "cluster": np.arange(n) % clusters,
    }
    made = export_labels(pd.DataFrame(images), folder / "label", CODES, progress=False)
    return made / "coder-1.html"


def measured(page: Path) -> dict[str, list[float]]:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        opened = []
        for _ in range(3):
            view: Any = started.new_page(viewport={"width": 1280, "height": 800})
            begun = time.perf_counter()
            view.goto(page.as_uri())
            view.get_by_label("Your name or code").fill("a")
            view.keyboard.press("Enter")
            view.locator(".pick").first.wait_for()
            opened.append(1000 * (time.perf_counter() - begun))
        times = view.evaluate(ACTIONS, 20)
        started.close()
    return {"open": opened, **times}


if __name__ == "__main__":
    main()
