"""One scale for all who ask for ratings, read them, or make labels of them."""

from __future__ import annotations

import inspect

import pytest

import imagestrata
from imagestrata.cli import COMMANDS


@pytest.mark.parametrize(
    "verb",
    ["export_packets", "read_ratings", "label_ratings", "response_bounds"],
)
def test_the_default_is_the_same_everywhere(verb):
    parameters = inspect.signature(getattr(imagestrata, verb)).parameters
    assert parameters["scale"].default == (0, 10)
    if verb == "export_packets":
        assert COMMANDS["assign"].options[verb]["scale"].default == (0, 10)


def test_no_verb_has_another_scale_of_ratings():
    ours = {"label_ratings", "read_ratings", "export_packets", "response_bounds"}
    for name in imagestrata.__all__:
        thing = getattr(imagestrata, name)
        if callable(thing) and not inspect.isclass(thing) and name not in ours:
            assert "scale" not in inspect.signature(thing).parameters, name
