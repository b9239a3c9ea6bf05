"""The kinds of scene of the demo corpus, drawn in flat shapes: one function each.

They stand for what social scientists find in piles of images from the web: crowds,
faces, charts, memes, screenshots. A new one is a function in one of the modules here
with the decorator ``scene``, and its name in :data:`KINDS`.
"""

from __future__ import annotations

from . import people, places, screens, things
from .kit import SCENES, Scene

#: The kinds, most frequent first.
KINDS = (
    "protest",
    "portrait",
    "meme",
    "city_night",
    "flag",
    "newspaper",
    "bar_chart",
    "district_map",
    "sunset",
    "podium",
    "vigil",
    "chat",
    "line_chart",
    "ship",
    "fence",
    "courthouse",
    "mountains",
    "poster",
    "road_sign",
    "bus",
    "car",
    "house",
    "megaphone",
    "clock",
    "calendar",
    "football",
    "ballot",
    "hands",
    "tree",
    "plate",
    "test_card",
    "hat",
)

__all__ = ["KINDS", "SCENES", "Scene", "people", "places", "screens", "things"]
