"""The plot of the iterations shows what the trace says."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import imagestrata
from clusterings import TRACE, hand_made, notes_of
from imagestrata import ImagestrataError, plot_trace


@pytest.fixture
def clustering():
    return hand_made(["a.jpg", "b.jpg", "c.jpg"], [1, 1, -1])


def heights(bars) -> list[float]:
    return [bar.get_height() for bar in bars]


def test_bars_are_the_trace(clustering):
    figure = plot_trace(clustering)
    remaining, fitted, size = figure.axes
    assert heights(remaining.patches) == TRACE["n_remaining"].tolist()
    assert heights(fitted.containers[0]) == TRACE["k"].tolist()
    assert heights(fitted.containers[1]) == TRACE["n_cohesive"].tolist()
    np.testing.assert_array_equal(heights(size.patches), TRACE["mean_size"].astype(float))
    for axes in figure.axes:
        centres = [bar.get_x() + bar.get_width() / 2 for bar in axes.containers[0]]
        np.testing.assert_allclose(centres, TRACE["iteration"])
        assert axes.get_ylim()[0] == 0
    assert [text.get_text() for text in fitted.get_legend().get_texts()] == ["fitted", "cohesive"]
    assert notes_of(figure)[0].startswith("Cohesive clusters leave with their images")
    colours = [container.patches[0].get_facecolor() for container in fitted.containers]
    assert colours[0] != colours[1]


def test_one_iteration_is_enough(clustering):
    assert heights(plot_trace(replace(clustering, trace=TRACE.head(1))).axes[0].patches) == [40]


def test_file_is_the_same_every_time(clustering, tmp_path):
    for ending in ("png", "pdf", "svg"):
        files = [tmp_path / f"{name}.{ending}" for name in "ab"]
        for file in files:
            plot_trace(clustering, file)
        assert files[0].read_bytes() == files[1].read_bytes()
    assert Image.open(tmp_path / "a.png").size == (1300, 1200)


def test_mistakes(clustering, tmp_path):
    with pytest.raises(ImagestrataError, match=r"must end in \.png, \.pdf, \.svg"):
        plot_trace(clustering, tmp_path / "trace.docx")
    (tmp_path / "file").touch()
    with pytest.raises(ImagestrataError, match="`out` must be"):
        plot_trace(clustering, tmp_path / "file" / "trace.png")
    with pytest.raises(ImagestrataError, match="no iterations to draw"):
        plot_trace(replace(clustering, trace=TRACE.head(0)))


def searched(clustering, n, criterion="cohesion"):
    """Searches of n iterations, which tried 5, 10, 15, 20 and 25 and kept 10."""
    k = np.tile([5, 10, 15, 20, 25], n)
    iterations = np.repeat(np.arange(1, n + 1), 5)
    searches = pd.DataFrame({"iteration": iterations, "k": k, "fit": k / 100, "kept": k == 10})
    return replace(clustering, searches=searches.assign(criterion=criterion))


@pytest.mark.parametrize("n", [1, 2, 5, 36])
def test_a_search_has_a_panel(clustering, n, tmp_path):
    figure = plot_trace(
        searched(clustering, n, "davies_bouldin"),
        tmp_path / "searches.png",
        type="searches",
    )
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title("left") for axes in shown] == [f"Iteration {i + 1}" for i in range(n)]
    for axes in shown:
        np.testing.assert_allclose(axes.lines[0].get_xydata()[:, 0], [5, 10, 15, 20, 25])
        tried, kept = axes.collections
        assert len(tried.get_offsets()) == 5
        np.testing.assert_allclose(kept.get_offsets(), [[10, 0.1]])
    assert figure.get_supylabel() == "Davies-Bouldin index, negated"
    assert figure.get_supxlabel() == "Number of clusters"
    assert Image.open(tmp_path / "searches.png").width == 1300


def test_many_searches_share_a_panel(clustering):
    figure = plot_trace(searched(clustering, 37), type="searches")
    lines, scale = figure.axes
    assert len(lines.lines) == 37 and scale.get_ylabel() == "Iteration"
    shades = [sum(line.get_color()[:3]) for line in lines.lines]
    assert shades == sorted(shades, reverse=True) and shades[0] > shades[-1]
    assert figure.get_supylabel() == "Mean silhouette of the more cohesive half"


def test_mistakes_of_searches(clustering):
    with pytest.raises(ImagestrataError, match="no search for the number of clusters"):
        plot_trace(clustering, type="searches")
    with pytest.raises(ImagestrataError, match="`type` must be one of 'trace', 'searches'"):
        plot_trace(clustering, type="sizes")


def test_files_say_what_they_show(clustering, tmp_path):
    said = plot_trace(clustering, tmp_path / "a.png").get_label()
    assert said == (
        f"Bars in three panels over {len(TRACE)} iterations: the images remaining, the clusters "
        "fitted and those of them that are cohesive, and the mean size of the cohesive clusters. "
        f"At first there are {TRACE['n_remaining'].iloc[0]} images, in the last iteration "
        f"{TRACE['n_remaining'].iloc[-1]}; {TRACE['n_cohesive'].sum()} clusters leave."
    )
    assert Image.open(tmp_path / "a.png").info["Description"] == said
    for ending, start in (("svg", "<title>"), ("pdf", "/Subject (")):
        plot_trace(clustering, tmp_path / f"a.{ending}")
        text = (tmp_path / f"a.{ending}").read_bytes().decode("latin-1")
        assert start + said[:20] in text


def test_every_figure_says_what_it_shows():
    """Whatever draws a figure describes it, in the same function."""
    described = []
    for file in (Path(imagestrata.__file__).parent / "explore").glob("*.py"):
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                called = {getattr(node.func, "id", "") for node in ast.walk(function)
                          if isinstance(node, ast.Call)}  # fmt: skip
                if "figure" in called:
                    described.append(function.name)
                    assert "describe" in called, function.name
    assert len(described) >= 10
