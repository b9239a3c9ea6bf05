"""Makes the pictures of the README from the demo's run: python tools/pictures.py"""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from imagestrata import Clustering, plot_montage

ROOT = Path(__file__).parents[1]
RUN = ROOT / "demo" / "run"
FIGURES = ROOT / "man" / "figures"


def main() -> None:
    FIGURES.mkdir(parents=True, exist_ok=True)
    plot_montage(Clustering.load(RUN), FIGURES / "montage.png", n_clusters=10, n_images=10)
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 860})
        page.goto((RUN / "gallery" / "index.html").as_uri())
        page.wait_for_load_state("networkidle")
        page.screenshot(path=FIGURES / "gallery.png")
        browser.close()
    for name in ("montage.png", "gallery.png"):
        shrink(FIGURES / name)


def shrink(path: Path) -> None:
    """The README needs 1,200 pixels and 128 colours."""
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((1200, 1200))
    small.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
