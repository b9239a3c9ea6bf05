"""Calibrate the scores of a network on labels given by hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..errors import ImagestrataError, plural, warn
from ..tables import check_table, label_texts, read_texts
from ..wording import arg, quote, verb
from .machines import refuse_machine_labels
from .tag_table import softmax

Floats = NDArray[np.float64]

#: Folds of the labelled images.
N_FOLDS = 5

#: The fewest labelled images: two for each fold.
FEWEST = 2 * N_FOLDS

_YES, _NO = "1", "0"


class Truth(NamedTuple):
    """Labels given by hand for images of the corpus.

    Attributes
    ----------
    answers : ndarray of shape (n, k)
        1 where an image has a label, 0 where it does not, NaN where nobody said.
    weights : ndarray of shape (n,)
        How many images of the corpus an image stands for.
    """

    answers: Floats
    weights: Floats


class Fit(NamedTuple):
    """How scores become probabilities: a slope for all labels and a constant for each."""

    slope: float
    constants: Floats

    def __call__(self, scores: NDArray[Any]) -> Floats:
        """Probabilities of shape (n, k) that sum to 1."""
        return softmax(self.slope * scores.astype(np.float64) + self.constants)


class Calibrated(NamedTuple):
    """Probabilities of all images, and which of them are out of fold.

    Attributes
    ----------
    probabilities, out_of_fold : ndarrays of shape (n, k)
    fits : list of Fit
        Those of all labelled images: one, or one for each label.
    """

    probabilities: Floats
    out_of_fold: NDArray[np.bool_]
    fits: list[Fit]


def read_truth(
    calibrate: Any, image_ids: Sequence[str], names: Sequence[str], exclusive: bool
) -> Truth:
    """Read labels given by hand.

    Parameters
    ----------
    calibrate : DataFrame or path
        ``image_id`` and ``label``, and ``code`` unless there is only one; columns of a sample.
    image_ids : sequence of str
        The images of the corpus.
    names : sequence of str
        The labels of the network.
    exclusive : bool
        Whether each image has one of the labels.
    """
    if isinstance(calibrate, str | os.PathLike):
        calibrate = read_texts(calibrate, ("image_id", "code", "label"))
    refuse_machine_labels(
        calibrate,
        "calibrate",
        "Give labels by people: only they show how often a confidence is right.",
    )
    table = check_table("calibrate", calibrate, ("image_id", "label"), "consensus")
    table = table.assign(label=label_texts(table["label"])).dropna(subset=["image_id", "label"])
    if "code" not in table:
        table = table.assign(code="label")
    table = table.assign(code=table["code"].astype(str))
    again = table.duplicated(["image_id", "code"])
    if again.any():
        one = table[again].iloc[0]
        raise ImagestrataError(
            f"{arg('calibrate')} has several labels of the image {quote(one['image_id'])} for the "
            f"code {quote(one['code'])}.",
            f"Combine those of several annotators with {verb('consensus')} first.",
        )
    codes = {str(code): rows for code, rows in table.groupby("code", sort=False)}
    places = pd.Index([*image_ids])
    answers = np.full((len(places), len(names)), np.nan)
    binary = {
        code: rows
        for code, rows in codes.items()
        if code in names and rows["label"].isin([_YES, _NO]).all()
    }
    choices = {
        code: rows
        for code, rows in codes.items()
        if code not in binary and rows["label"].isin(names).any()
    }
    if len(choices) + bool(binary) > 1:
        raise ImagestrataError(
            f"{arg('calibrate')} has several codes for these labels: "
            f"{', '.join([*choices, *binary])}.",
            "Keep the rows of the one code that the labels belong to.",
        )
    if not choices and not binary:
        raise ImagestrataError(
            f"No code or label in {arg('calibrate')} is one of the labels "
            f"({', '.join(names)}); the codes are {', '.join(codes)}.",
            "The labels given by hand must have the names of the labels here: give "
            f"{arg('labels')} as a mapping of these names to captions.",
        )
    for rows in choices.values():
        _fill_choice(answers, places, rows, names)
    for code, rows in binary.items():
        _fill_binary(answers, places, rows, names.index(code))
    if exclusive and binary:
        _complete(answers, names, [*binary])
    known = ~np.isnan(answers).all(axis=1)
    used = table["code"].isin([*choices, *binary])
    unknown = ~table["image_id"].isin(places) & used
    if unknown.any():
        warn(
            f"{int(unknown.sum())} of {plural(int(used.sum()), 'label')} in {arg('calibrate')} "
            "belong to images that are not among those tagged, and are left out."
        )
    if known.sum() < FEWEST:
        raise ImagestrataError(
            f"{arg('calibrate')} has labels for {plural(int(known.sum()), 'image')} of these; "
            f"calibration needs at least {FEWEST}.",
            f"Label more images, or leave {arg('calibrate')} out.",
        )
    weights = np.ones(len(places))
    weights[known] = _design_weights(table[used], places[known])
    return Truth(answers, weights)


def calibrate_choice(scores: NDArray[Any], truth: Truth, names: Sequence[str]) -> Calibrated:
    """Probabilities of labels of which each image has one.

    Parameters
    ----------
    scores : ndarray of shape (n, k)
    truth : Truth
    names : sequence of str
    """
    known = np.asarray(np.isfinite(truth.answers).all(axis=1))
    given = truth.answers[known]
    _check_answers(int((given.sum(axis=0) > 0).sum()), "label", None)
    absent = [name for name, n in zip(names, given.sum(axis=0), strict=True) if n == 0]
    if absent:
        warn(
            f"No image in {arg('calibrate')} has the label {quote(absent[0])}"
            + (f" (and {len(absent) - 1} others)" if len(absent) > 1 else "")
            + ": its probabilities are calibrated as those of a rare label."
        )
    inside, whole = _cross_fitted(scores[known], given, truth.weights[known])
    _check_slope(whole, None)
    probabilities = whole(scores)
    probabilities[known] = inside
    return Calibrated(probabilities, np.repeat(known[:, None], len(names), axis=1), [whole])


def calibrate_each(scores: NDArray[Any], truth: Truth, names: Sequence[str]) -> Calibrated:
    """Probabilities of labels that do not exclude each other: Platt scaling of each."""
    probabilities = np.empty(scores.shape)
    out_of_fold = ~np.isnan(truth.answers)
    fits = []
    for column, name in enumerate(names):
        known = out_of_fold[:, column]
        yes = truth.answers[known, column]
        if not known.any():
            raise ImagestrataError(
                f"{arg('calibrate')} has no label of the code {quote(name)}.",
                f"Add them, or leave the label {quote(name)} out.",
            )
        _check_answers(len(np.unique(yes)), "answer", name)
        both = np.column_stack([scores[:, column], np.zeros(len(scores))])
        given = np.column_stack([yes, 1 - yes])
        inside, whole = _cross_fitted(both[known], given, truth.weights[known])
        _check_slope(whole, name)
        probabilities[:, column] = whole(both)[:, 0]
        probabilities[known, column] = inside[:, 0]
        fits.append(whole)
    return Calibrated(probabilities, out_of_fold, fits)


def fit(scores: NDArray[Any], given: NDArray[Any], weights: NDArray[Any]) -> Fit:
    """Fit the slope and the constants by weighted maximum likelihood.

    Parameters
    ----------
    scores : ndarray of shape (n, k)
    given : ndarray of shape (n, k)
        1 for the label of each image, 0 for the others.
    weights : ndarray of shape (n,)

    Notes
    -----
    Multinomial logistic regression on the scores, with one slope that is not negative: the
    inverse of a temperature (Guo et al. 2017), with a constant per label. With two labels, this is
    Platt scaling. Its targets are Platt's (1999), for ``k`` labels: of ``N`` images with a label,
    the target for it is ``(N + 1) / (N + k)`` and for each other label ``1 / (N + k)``, so that
    labels which never or always occur have finite constants.
    """
    n_labels = scores.shape[1]
    weights = weights / weights.mean()
    counts = weights @ given
    of_own = (given @ counts)[:, None]
    targets = (1 + given * of_own) / (of_own + n_labels)
    centred = scores - scores.mean(axis=1, keepdims=True)
    spread = float(centred.std()) or 1.0
    scaled = centred / spread

    def loss(parameters: Floats) -> tuple[float, Floats]:
        # The last constant is 0, since only differences count.
        logits = parameters[0] * scaled + np.append(parameters[1:], 0.0)
        top = logits.max(axis=1, keepdims=True)
        logs = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        wrong = (np.exp(logs) - targets) * weights[:, None]
        gradient = np.append((wrong * scaled).sum(), wrong.sum(axis=0)[:-1])
        return -float((weights[:, None] * targets * logs).sum()) / len(scores), gradient / len(
            scores
        )

    found = minimize(
        loss,
        np.append(spread, np.zeros(n_labels - 1)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None), *[(None, None)] * (n_labels - 1)],
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 2000, "maxfun": 10000},
    )
    constants = np.append(found.x[1:], 0.0)
    return Fit(float(found.x[0] / spread), constants - constants.mean())


def folds_of(given: NDArray[Any]) -> NDArray[np.intp]:
    """The fold of each labelled image, from 0: the images of each label are dealt out in turn.

    Images come in the order of their ids, which are hashes of their content, hence in no order.
    """
    order = np.argsort(given.argmax(axis=1), kind="stable")
    folds = np.empty(len(given), dtype=np.intp)
    folds[order] = np.arange(len(given)) % N_FOLDS
    return folds


def _cross_fitted(
    scores: NDArray[Any], given: NDArray[Any], weights: NDArray[Any]
) -> tuple[Floats, Fit]:
    """Probabilities of labelled images by the fits without their fold, and the fit of all."""
    folds = folds_of(given)
    probabilities = np.empty(scores.shape)
    for fold in range(N_FOLDS):
        here = folds == fold
        probabilities[here] = fit(scores[~here], given[~here], weights[~here])(scores[here])
    return probabilities, fit(scores, given, weights)


def _fill_choice(
    answers: Floats, places: pd.Index[Any], rows: pd.DataFrame, names: Sequence[str]
) -> None:
    """Enter the labels of a code with one answer per image."""
    other = rows[~rows["label"].isin(names)]
    if len(other):
        raise ImagestrataError(
            f"{arg('calibrate')} has the label {quote(other['label'].iloc[0])} for "
            f"{plural(other['image_id'].nunique(), 'image')}, which is not among the labels "
            f"({', '.join(names)}).",
            "Add it to the labels, or leave these images out.",
        )
    where = places.get_indexer(pd.Index(rows["image_id"]))
    inside = where >= 0
    answers[where[inside]] = 0.0
    answers[where[inside], [names.index(one) for one in rows["label"][inside]]] = 1.0


def _fill_binary(answers: Floats, places: pd.Index[Any], rows: pd.DataFrame, column: int) -> None:
    """Enter the labels of a code with the answers 1 and 0."""
    where = places.get_indexer(pd.Index(rows["image_id"]))
    inside = where >= 0
    answers[where[inside], column] = (rows["label"][inside] == _YES).astype(float)


def _complete(answers: Floats, names: Sequence[str], codes: Sequence[str]) -> None:
    """Check that labels from several codes exclude each other, and fill in the other of two."""
    if len(names) == 2 and len(codes) == 1:
        column = names.index(codes[0])
        answers[:, 1 - column] = 1 - answers[:, column]
        return
    known = ~np.isnan(answers).any(axis=1)
    sums = answers[known].sum(axis=1)
    if len(codes) < len(names) or (sums != 1).any():
        what = (
            f"has codes for {len(codes)} of {plural(len(names), 'label')}"
            if len(codes) < len(names)
            else f"has none or several of the labels for {plural(int((sums != 1).sum()), 'image')}"
        )
        raise ImagestrataError(
            f"These labels exclude each other, but {arg('calibrate')} {what}.",
            f"If an image can have several of the labels or none, use {arg('exclusive', False)}.",
        )
    answers[~known] = np.nan


def _design_weights(table: pd.DataFrame, ids: pd.Index[Any]) -> Floats:
    """How many images each labelled image stands for, by the columns of a sample."""
    if "inclusion_probability" in table:
        shares = pd.to_numeric(table["inclusion_probability"], errors="coerce")
        weights = 1 / shares.where(shares.between(0, 1) & (shares > 0))
    elif {"N_h", "n_h"} <= {*table}:
        weights = pd.to_numeric(table["N_h"]) / pd.to_numeric(table["n_h"])
    elif "weight_corpus" in table:
        weights = pd.to_numeric(table["weight_corpus"], errors="coerce")
    else:
        return np.ones(len(ids))
    by_image = weights.groupby(table["image_id"].to_numpy()).first().reindex(ids)
    found: Floats = by_image.to_numpy(dtype=np.float64)
    if not (np.isfinite(found) & (found > 0)).all():
        raise ImagestrataError(
            f"The sampling probability of a labelled image in {arg('calibrate')} is missing or "
            "not between 0 and 1.",
            f"Give the columns as {verb('sample_images')} wrote them, or leave them out.",
        )
    return found


def _check_answers(n_different: int, what: str, code: str | None) -> None:
    if n_different < 2:
        of = "" if code is None else f" for the code {quote(code)}"
        raise ImagestrataError(
            f"All images in {arg('calibrate')} have the same {what}{of}, so that nothing can be "
            "learnt from them.",
            f"Label images with other answers too, or leave {arg('calibrate')} out.",
        )


def _check_slope(found: Fit, code: str | None) -> None:
    if found.slope == 0:
        of = "the labels" if code is None else quote(code)
        warn(
            f"The scores of the network say nothing about {of}: the labels in {arg('calibrate')} "
            "do not agree with them, and every image has the same probability.",
            "Try other captions.",
        )
