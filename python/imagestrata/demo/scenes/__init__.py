"""The kinds of scene of the demo corpus, drawn in flat shapes: one function each.

They represent images that social scientists collect from the web: crowds, faces, charts,
memes, screenshots. To add a scene, write a function in one of the modules here, decorate it
with ``scene``, and add its name to :data:`KINDS`.
"""

from __future__ import annotations

from . import people, places, screens, things
from .kit import SCENES, Scene

#: The kinds, most frequent first.
KINDS = (
    "protest", "portrait", "meme", "city_night", "flag", "newspaper", "bar_chart",
    "district_map", "sunset", "podium", "vigil", "chat", "line_chart", "ship", "fence",
    "courthouse", "mountains", "poster", "road_sign", "bus", "car", "house", "megaphone",
    "clock", "calendar", "football", "ballot", "hands", "tree", "plate", "test_card", "hat",
)  # fmt: skip

__all__ = ["KINDS", "SCENES", "Scene", "people", "places", "screens", "things"]
