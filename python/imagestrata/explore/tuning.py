"""Figures of tuning: of its candidates, its settings, its differences; and of a sweep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ImagestrataError, plural
from ..validate import check_choice, check_int
from ..validation.tuning import Tuning
from ..verbs import public
from ..wording import arg, kind_of, quote, verb
from .figure import BRIGHT, INK, MAIN, PALE, SOFT, describe, distinct, figure, listed, write_note
from .sweep import draw_sweep, is_sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Encoders differ in shape and in colour.
_COLOURS = (MAIN, BRIGHT, INK, "#7a9a54", "#a0527a", "#4f9aa8", "#a3a7ad", "#8a6a2f")
_MARKERS = "osD^vP*X"
_DRAWN = ("settings", "differences")
#: Boxes are drawn of at least this many candidates.
_FEWEST_IN_BOX = 4
#: The largest number of differences that are drawn.
_MOST_DIFFERENCES = 25
_NAMES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "mean_pr": "Mean of precision and recall",
    "quality": "Quality",
}


@public
def plot_tuning(
    tuned: Tuning | pd.DataFrame,
    out: str | os.PathLike[str] | None = None,
    type: str = "candidates",
    *,
    by: str | Sequence[str] | None = None,
    mark: int | Sequence[int] | None = None,
) -> Figure:
    """Draw the agreement of the clusterings of a grid with judged pairs, or a sweep.

    For a tuning, ``type`` decides what is drawn, always by the measure of the choice:

    - ``"candidates"``: precision against recall of every candidate, with a circle around the best
      one (the paper's Figure 5); and the measure against the number of clusters, with hollow
      baselines (its Figure 7). Whiskers are 95% intervals.
    - ``"settings"``: the measure by the values of each setting that varies, over all other
      settings: a point per candidate, and a box between their quartiles with their median. With
      several encoders, the values of the other settings have a box per encoder.
    - ``"differences"``: the difference of each candidate, and of the best baselines, from the best
      candidate, on the same pairs, with 95% intervals.

    For a sweep, three panels show explained variance, inertia and the mean silhouette against the
    number of clusters, with a circle around the knee and around the highest silhouette; or the
    number of clusters, the share of noise and the mean silhouette of the images in clusters against
    the smallest size.

    Parameters
    ----------
    tuned : Tuning, or DataFrame
        The result of :func:`tune_clusters` or :func:`sweep_clusters`.
    out : path, optional
        File for the figure, with a name that ends in .png, .pdf or .svg.
    type : {"candidates", "settings", "differences"}, default "candidates"
        For a tuning: what is drawn, see above.
    by : str or sequence of str, optional
        For ``type="settings"``: the settings to draw, such as "encoder", "reduction" and
        "min_cluster_size". By default all that vary.
    mark : int or sequence of int, optional
        For a sweep: values to mark with a dashed line, such as the number that you chose (80 in
        the paper).

    Returns
    -------
    matplotlib.figure.Figure
        8.5 x 4.4 inches with two axes for candidates; 6.5 inches wide for settings, with an axis
        each, and for differences; for a sweep 6.5 x 6 inches with three axes.

    Raises
    ------
    ImagestrataError
        If ``tuned`` is neither; if ``mark`` is not a whole number, or given for a tuning; if a
        setting of ``by`` does not vary; or if the file cannot be written.
    """
    given: Any = [] if mark is None else np.atleast_1d(np.asarray(mark, dtype=object))
    marked = [check_int("mark", value, minimum=1) for value in given]
    if is_sweep(tuned):
        return draw_sweep(tuned, marked, out)
    if not isinstance(tuned, Tuning):
        raise ImagestrataError(
            f"{arg('tuned')} must be the result of {verb('tune_clusters')} or "
            f"{verb('sweep_clusters')}, not {kind_of(tuned)}."
        )
    if marked:
        raise ImagestrataError(f"{arg('mark')} is only for the result of {verb('sweep_clusters')}.")
    check_choice("type", type, ("candidates", *_DRAWN))
    if by is not None and type != "settings":
        raise ImagestrataError(f"{arg('by')} is only for {arg('type', 'settings')}.")
    if type == "settings":
        return _draw_settings(tuned, by, out)
    if type == "differences":
        return _draw_differences(tuned, out)
    return _draw_candidates(tuned, out)


def _draw_candidates(tuned: Tuning, out: str | os.PathLike[str] | None) -> Figure:
    """Precision against recall, and the measure against the number of clusters."""
    measure = tuned.settings["measure"]
    rows = {name: table.set_index("candidate") for name, table in tuned.results.groupby("measure")}
    decides = rows[measure]
    best = tuned.summary["candidate"].item()
    colours = distinct(decides["encoder"].nunique(), _COLOURS)
    with figure(8.5, 4.4, out) as drawn:
        left, right = drawn.subplots(1, 2)
        for number, (encoder, of_one) in enumerate(decides.groupby("encoder", sort=False)):
            colour, marker = colours[number], _MARKERS[number % len(_MARKERS)]
            own, other = of_one[~of_one["baseline"]], of_one[of_one["baseline"]]
            recall, precision = (rows[name].loc[own.index] for name in ("recall", "precision"))
            _points(left, recall["estimate"], precision, colour, marker, across=recall)
            _points(right, other["n_clusters"], other, colour, marker, hollow=True)
            _points(right, own["n_clusters"], own, colour, marker)
            left.plot([], [], linestyle="", color=colour, marker=marker, label=encoder)
        for axes, x, y in (
            (left, rows["recall"]["estimate"], rows["precision"]["estimate"]),
            (right, decides["n_clusters"], decides["estimate"]),
        ):
            circle = {"s": 150, "facecolor": "none", "edgecolor": INK, "linewidth": 1.2}
            axes.scatter(x.loc[[best]], y.loc[[best]], zorder=4, **circle)
            axes.grid(visible=True, axis="both")
            axes.margins(0.06)
        left.set(xlabel="Recall", ylabel="Precision", title="Precision and recall")
        right.set(xlabel="Clusters", ylabel=_NAMES[measure], title="Against baselines")
        note = write_note(
            drawn,
            "Points: the candidates",
            "Lines: 95% intervals",
            "Circle: the best candidate",
            "Hollow points: baselines" if decides["baseline"].any() else None,
        )
        drawn.legend(loc="lower center", ncols=4, bbox_to_anchor=(0.5, note))
        n_rows = -(-len(colours) // 4)
        drawn.tight_layout(w_pad=2.5, rect=(0, note + 0.06 * n_rows, 1, 1))
        describe(
            drawn,
            "Points with intervals: precision against recall, and "
            f"{_NAMES[measure]} against the number of clusters, of "
            f"{plural(int((~decides['baseline']).sum()), 'candidate')}"
            + (
                f" and {plural(int(decides['baseline'].sum()), 'baseline')}"
                if decides["baseline"].any()
                else ""
            ),
            _best_in_words(decides.loc[best], measure),
        )
    return drawn


def _best_in_words(row: Any, measure: str) -> str:
    return (
        f"The best candidate has a {_NAMES[measure]} of {row['estimate']:.2f}, "
        f"95% interval {row['conf_low']:.2f} to {row['conf_high']:.2f}"
    )


def _points(
    axes: Axes,
    x: pd.Series[Any],
    table: pd.DataFrame,
    colour: str,
    marker: str,
    *,
    across: pd.DataFrame | None = None,
    hollow: bool = False,
) -> None:
    """Estimates over ``x``, with vertical and optionally horizontal (``across``) whiskers."""
    axes.errorbar(
        x, table["estimate"], yerr=_whiskers(table),
        xerr=None if across is None else _whiskers(across),
        fmt="none", ecolor=colour, alpha=0.3, elinewidth=0.9, zorder=1,
    )  # fmt: skip
    axes.scatter(
        x, table["estimate"], s=26, marker=marker, zorder=3,
        facecolor="white" if hollow else colour, edgecolor=colour, linewidth=0.9,
    )  # fmt: skip


def _whiskers(table: pd.DataFrame) -> list[pd.Series[float]]:
    return [table["estimate"] - table["conf_low"], table["conf_high"] - table["estimate"]]


def varying(results: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """The settings that vary among candidates, with their values as texts in order.

    Parameters
    ----------
    results : DataFrame
        Rows of candidates without baselines, of one measure.
    """
    columns = [*results]
    between = columns[columns.index("baseline") + 1 : columns.index("n_clusters")]
    found = {}
    for name in ("encoder", "method", *between):
        values = results[name]
        # Other settings say nothing about candidates of a grid that does not have them.
        if name not in ("encoder", "method", "reduction"):
            values = values[results["settings"].str.contains(f'"{name}":', regex=False)]
        known = [*values.dropna().unique()]
        known = known if name == "encoder" else sorted(known, key=_order)
        levels = ["none"] * bool(values.isna().any()) + [*map(_value_text, known)]
        if len(levels) > 1:
            texts = values.map(_value_text)
            found[name] = pd.Series(pd.Categorical(texts, levels), values.index)
    return found


def _order(value: Any) -> tuple[bool, Any]:
    return (True, str(value)) if isinstance(value, str | bool) else (False, value)


def _value_text(value: Any) -> str:
    if value is None or value != value:
        return "none"
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def _of_measure(tuned: Tuning) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Rows of the measure of the choice that have an estimate: own, baselines; and the best."""
    rows = tuned.results[tuned.results["measure"] == tuned.settings["measure"]]
    rows = rows.dropna(subset="estimate")
    best = int(tuned.summary["candidate"].item())
    return rows[~rows["baseline"]], rows[rows["baseline"]], best


def _draw_settings(
    tuned: Tuning, by: str | Sequence[str] | None, out: str | os.PathLike[str] | None
) -> Figure:
    own, baselines, best = _of_measure(tuned)
    settings = varying(own)
    asked = [*settings] if by is None else [by] if isinstance(by, str) else [*by]
    unknown = [name for name in asked if name not in settings]
    if unknown or not asked:
        what = f"{quote(unknown[0])} does not vary" if unknown else "No setting varies"
        vary = f"Those that vary are {', '.join(settings)}." if settings else ""
        raise ImagestrataError(f"{what} among the candidates of this tuning.", vary)
    encoders = [*own["encoder"].unique()]
    marks = dict(
        zip(encoders, zip(distinct(len(encoders), _COLOURS), cycle(_MARKERS)), strict=True)
    )
    panels = [(name, _boxes(own, settings, name)) for name in asked]
    n_rows = [boxes[-1][0] for _, boxes in panels]
    height = 0.9 + sum(0.24 * n + 0.5 for n in n_rows) + 0.2 * (len(encoders) > 1)
    with figure(6.5, height, out) as drawn:
        axes = drawn.subplots(
            len(panels), 1, sharex=True, squeeze=False, height_ratios=[n + 1 for n in n_rows]
        )[:, 0]
        for one, (name, boxes) in zip(axes, panels, strict=True):
            labels: dict[str, list[float]] = {}
            for place, value, encoder, those in boxes:
                labels.setdefault(value, []).append(place)
                colour, marker = marks[encoder]
                _box(one, own.loc[those], place, colour, marker, best)
            one.set_yticks([float(np.mean(places)) for places in labels.values()], [*labels])
            one.set_ylim(boxes[-1][0] + 0.6, -0.6)
            one.set_title(name)
            one.grid(visible=True, axis="x")
            one.grid(visible=False, axis="y")
            one.margins(x=0.03)
            if len(baselines):
                top = baselines["estimate"].max()
                one.axvline(top, color=SOFT, linestyle="--", linewidth=0.9, zorder=1)
        axes[-1].set_xlabel(_NAMES[tuned.settings["measure"]])
        small = any(len(box[-1]) < _FEWEST_IN_BOX for _, boxes in panels for box in boxes)
        note = write_note(
            drawn,
            "Points: the candidates, filled if they may be the best (95% confidence)",
            "Large point: the best candidate",
            "Boxes: quartiles and median over all other settings"
            + (f", of at least {_FEWEST_IN_BOX} candidates" if small else ""),
            "Dashed line: the best baseline" if len(baselines) else None,
        )
        if len(encoders) > 1:
            for encoder, (colour, marker) in marks.items():
                kind = {"linestyle": "", "color": colour, "marker": marker, "markersize": 5}
                axes[-1].plot([], [], **kind, label=encoder)
            handles = axes[-1].get_legend_handles_labels()
            drawn.legend(*handles, loc="lower center", ncols=4, bbox_to_anchor=(0.5, note))
            note += 0.25 / height
        drawn.tight_layout(rect=(0, note, 1, 1), h_pad=0.6)
        measure = tuned.settings["measure"]
        describe(
            drawn,
            f"Points and boxes: {_NAMES[measure]} of {plural(len(own), 'candidate')}, by the "
            f"values of {listed(asked)}",
            _best_in_words(own.set_index("candidate").loc[best], measure),
        )
    return drawn


def _boxes(
    own: pd.DataFrame, settings: dict[str, pd.Series[Any]], name: str
) -> list[tuple[float, str, str, pd.Index[Any]]]:
    """The boxes of a setting from the top: place, value, encoder, rows of the candidates."""
    boxes: list[tuple[float, str, str, pd.Index[Any]]] = []
    place = 0.0
    for value in settings[name].cat.categories:
        those = own.loc[settings[name].index[settings[name] == value]]
        for encoder, part in those.groupby("encoder", sort=False):
            boxes.append((place, str(value), str(encoder), part.index))
            place += 1
        # Boxes of one value are closer together than those of two.
        place += 0.5 if name != "encoder" and own["encoder"].nunique() > 1 else 0
    return boxes


def _box(axes: Axes, rows: pd.DataFrame, place: float, colour: str, marker: str, best: int) -> None:
    """A box over the points of candidates, the best of them larger than the others."""
    values = rows["estimate"].to_numpy()
    if len(values) >= _FEWEST_IN_BOX:
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
        axes.barh(
            place, high - low, 0.7, low, facecolor="#f1f2f4", edgecolor=SOFT, linewidth=0.7,
            zorder=2,
        )  # fmt: skip
        axes.vlines(median, place - 0.35, place + 0.35, color=INK, linewidth=1.8, zorder=2)
    # The same places every time; neighbours in the table are far from each other.
    shift = (np.arange(len(rows)) * 0.618) % 1 - 0.5 if len(rows) > 1 else np.zeros(1)
    others = rows["candidate"].to_numpy() != best
    fill = [colour if may else "white" for may in rows.loc[others, "may_be_best"]]
    axes.scatter(
        values[others], place + 0.45 * shift[others], s=15, marker=marker, zorder=3,
        facecolor=fill, edgecolor=colour, linewidth=0.8,
    )  # fmt: skip
    axes.scatter(
        values[~others], np.full((~others).sum(), place), s=70, marker=marker, zorder=4,
        facecolor=colour, edgecolor=INK, linewidth=1.3,
    )  # fmt: skip


def _draw_differences(tuned: Tuning, out: str | os.PathLike[str] | None) -> Figure:
    shown, n_all, header, best = _differences_from_best(tuned)
    with figure(6.5, 1.5 + 0.22 * max(len(shown), 1), out) as drawn:
        axes = drawn.subplots()
        place = np.arange(len(shown))
        axes.axvline(0, color=SOFT, linewidth=0.9, zorder=1)
        axes.hlines(place, shown["conf_low"], shown["conf_high"], color=MAIN, linewidth=1.1)
        for base, marker in ((False, "o"), (True, "s")):
            those = (shown["baseline"] == base).to_numpy()
            may = shown.loc[those, "may_be_best"]
            fill = ["white" if base else MAIN if one else PALE for one in may]
            axes.scatter(
                shown["estimate"][those], place[those], s=26, marker=marker, zorder=3,
                facecolor=fill, edgecolor=MAIN, linewidth=0.9,
            )  # fmt: skip
        axes.set_yticks(place, shown["label"])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        wanted = f"{_NAMES[tuned.settings['measure']]} less that of the best candidate"
        axes.set_xlabel(wanted, loc="right")
        axes.text(-0.03, 1.01, header, transform=axes.transAxes, ha="right", va="bottom", color=INK)
        note = write_note(
            drawn,
            f"The best candidate: {best}",
            "Lines: 95% intervals of each difference, on the same pairs",
            "Dark points: candidates that may be the best (95% confidence)",
            "White squares: baselines" if shown["baseline"].any() else None,
            f"The {len(shown)} of {n_all} with the highest estimates" if n_all > len(shown) else "",
        )
        drawn.tight_layout(rect=(0, note, 1, 1))
        below = int((shown["conf_high"] < 0).sum())
        describe(
            drawn,
            f"Points with intervals: {wanted}, in {plural(len(shown), 'row')}",
            f"{plural(below, 'interval excludes', 'intervals exclude')} zero",
            f"The best candidate: {best}",
        )
    return drawn


def _differences_from_best(tuned: Tuning) -> tuple[pd.DataFrame, int, str, str]:
    """Differences from the best candidate, the highest first.

    Returns
    -------
    shown : DataFrame
        candidate, baseline, may_be_best, label, estimate, conf_low and conf_high.
    n_all : int
        The number of differences; fewer may be shown.
    header, best : str
        The names of the settings in labels, and the label of the best.
    """
    own, baselines, best = _of_measure(tuned)
    rows = pd.concat([own, baselines])
    number = rows.set_index("candidate").loc[best, "same_as"]
    table = tuned.differences[tuned.differences["measure"] == tuned.settings["measure"]]
    first, second = table["candidate_a"] == number, table["candidate_b"] == number
    turned = table[first].rename(columns={"conf_low": "conf_high", "conf_high": "conf_low"})
    numbers = ["estimate", "conf_low", "conf_high"]
    turned[numbers] = -turned[numbers]
    against = pd.concat(
        [
            table[second].rename(columns={"candidate_a": "candidate"}),
            turned.rename(columns={"candidate_b": "candidate"}),
        ]
    )[["candidate", *numbers]]
    header, labels = _labels(own, baselines)
    about = rows[["candidate", "baseline", "may_be_best"]].assign(label=labels)
    shown = about.merge(against, on="candidate").dropna(subset="estimate")
    shown = shown.sort_values("estimate", ascending=False, kind="stable")
    words = str(about.set_index("candidate").loc[best, "label"])
    return shown.head(_MOST_DIFFERENCES).reset_index(drop=True), len(shown), header, words


def _labels(own: pd.DataFrame, baselines: pd.DataFrame) -> tuple[str, pd.Series[str]]:
    """What tells clusterings apart: names of the settings that vary, and their values."""
    names = [*varying(own)] or ["method"]
    rows = pd.concat([own, baselines])
    numbered = rows["settings"].str.contains('"n_clusters":', regex=False)
    if "method" not in names and numbered.any():
        names.insert(int("encoder" in names), "method")
    parts = []
    for name in names:
        values = rows[name].map(_value_text)
        if name not in ("encoder", "method", "reduction"):
            given = rows["settings"].str.contains(f'"{name}":', regex=False)
            values = values.where(given, "-")
        if name == "method":
            clusters = values + " (" + rows["n_clusters"].astype(str) + " clusters)"
            values = values.where(~numbered, clusters)
        parts.append(values)
    labels = parts[0]
    for part in parts[1:]:
        labels = labels + " | " + part
    return " | ".join(names), labels
