"""Costs are told by what they are of; the amounts are tested with packets, descriptions, tags."""

from __future__ import annotations

import pandas as pd
import pytest

from images import write_pictures
from imagestrata import (
    ImagestrataError,
    ModelServer,
    Rekognition,
    assign_annotators,
    costs,
)

SAMPLE = pd.DataFrame({"image_id": list("abcd"), "cluster": [1, 2, 3, 4]})


def test_packets_are_told_by_their_columns():
    packets = assign_annotators(SAMPLE, ["A", "B"], 2)
    asked = costs(packets, n_items=3)
    assert asked["group"].tolist() == ["A", "B"]
    assert asked["n_respondents"].tolist() == [2, 2]
    assert asked["n_ratings"].tolist() == [12, 12]
    with pytest.raises(ImagestrataError, match="`provider` has no effect"):
        costs(packets, Rekognition())
    with pytest.raises(ImagestrataError, match="side=64 has no effect with packets"):
        costs(packets, side=64)


def test_the_provider_says_what_images_are_asked_for(tmp_path):
    write_pictures(tmp_path, 3)
    server = ModelServer("small", "http://localhost:9/v1", price=(1, 2), tokens_per_image=100)
    described = costs(tmp_path, server, max_tokens=50, progress=False).iloc[0]
    assert described["tokens_out"] == 150
    tagged = costs(tmp_path, Rekognition(price=0.5), progress=False).iloc[0]
    assert tagged[["n_images", "n_answered", "cost", "spent"]].tolist() == [3, 0, 1.5, 0]
    with pytest.raises(ImagestrataError, match="graded=True has no effect with images"):
        costs(tmp_path, server, graded=True)
    with pytest.raises(ImagestrataError, match="n_items=4 has no effect with images"):
        costs(tmp_path, server, n_items=4)
    with pytest.raises(ImagestrataError, match="max_tokens=5 has no effect with a service"):
        costs(tmp_path, Rekognition(), max_tokens=5)
    with pytest.raises(ImagestrataError, match="`provider` is missing, which images and"):
        costs(tmp_path)
    with pytest.raises(ImagestrataError, match="not 'resnet18'"):
        costs(tmp_path, "resnet18")
