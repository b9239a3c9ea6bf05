"""Regressions with labels as outcome or predictor, corrected by labels of people."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import patsy

from ..errors import ImagestrataError, plural, warn
from ..posts.covariates import variables_of
from ..regression.formula import FUNCTIONS, in_days, names_in, variables_in
from ..regression.matrix import ModelMatrix, prepare_covariates
from ..shown import Part, Shown
from ..tables import check_table, id_texts, known_texts
from ..validate import check_choice, check_conf_level, check_float, check_text
from ..verbs import public
from ..wording import arg, quote
from .corrected import Corrected, Estimates, Failed, Fit, regress, sandwich_of
from .estimate import plan_of
from .observed import Array, Observed, Target, observe, predictions_filled

FAMILIES = ("linear", "logit")


@dataclass(frozen=True, eq=False, repr=False)
class LabelModel(Shown):
    """A regression of, or on, labels, from :func:`label_model`.

    Attributes
    ----------
    coefficients : DataFrame
        Three rows per coefficient: ``term``, ``method`` ("machine", "sample", "corrected"),
        ``estimate`` (of "logit": log odds), ``std_error``, ``statistic``, ``df``, ``p_value``,
        ``conf_low``, ``conf_high``, ``lambda``, ``n_labelled`` and ``n_predicted`` (different
        images in the model).
    summary : DataFrame
        One row: n_rows, n_images, n_labelled, n_authors, n_left_out, family, code, answer,
        conf_level.
    formula : str
    """

    coefficients: pd.DataFrame
    summary: pd.DataFrame
    formula: str

    def _parts(self) -> list[Part]:
        line = self.summary.iloc[0]
        kind = "Logistic" if line["family"] == "logit" else "Linear"
        posts = pd.notna(line["n_authors"])
        rows = plural(int(line["n_rows"]), "posted image" if posts else "image")
        by = f" by {plural(int(line['n_authors']), 'author')}" if posts else ""
        return [
            f"{kind} model of labels, {self.formula}: {rows}{by}, {int(line['n_labelled']):,} "
            f"labelled; {100 * line['conf_level']:g}% intervals",
            (self.coefficients, "estimate"),
        ]


@public
def label_model(
    formula: str,
    labels: pd.DataFrame,
    predictions: pd.DataFrame,
    linked: pd.DataFrame | None = None,
    sample: pd.DataFrame | None = None,
    *,
    code: str | None = None,
    answer: str | None = None,
    family: str = "linear",
    clustering: Any = None,
    author: str = "author",
    time: str = "time",
    time_zone: str = "UTC",
    tuning: float | None = None,
    conf_level: float = 0.95,
) -> LabelModel:
    """Regress labels, or on labels, with machine labels corrected by labels of people.

    Least squares or logistic regression in which a label of images is the outcome ("violence ~
    party + month") or a predictor ("likes ~ violence + party"). A network or language model labels
    all images, people label a sample. Coefficients of machine labels alone are biased, also if the
    machine is accurate; those of the sample alone are imprecise. The corrected ones use both.

    Parameters
    ----------
    formula : str
        The regression, as in :func:`topic_model`. The name of a code in ``labels`` stands for its
        label: as the left side, or as a term of the right side, also in interactions.
    labels, predictions : DataFrame
        As in :func:`label_shares`. Labels must be yes or no ("1", "0"), a scale (a number), or,
        with ``answer``, one answer of a choice.
    linked : DataFrame, optional
        The result of :func:`link_posts`, or a table with ``image_id`` and the variables. Every
        row, an image in a post, counts once. Without it, every image of ``clustering`` does.
    sample : DataFrame
        The result of :func:`sample_images` from which people labelled.
    code : str, optional
        The code that ``label`` in the formula stands for, if its name is not that of a variable.
    answer : str, optional
        For a code with several answers: the one that is modelled.
    family : {"linear", "logit"}, default "linear"
        Least squares, or logistic regression.
    clustering : Clustering or DataFrame, optional
        The clustering from which the sample was drawn, or a table of all images with ``image_id``,
        ``cluster`` and, without ``linked``, the variables.
    author, time : str
        The columns of ``linked`` with authors and times.
    time_zone : str
        The time zone in which days begin.
    tuning : float, optional
        How much the predictions count, from 0 to 1 (lambda); by default it is estimated.
    conf_level : float, default 0.95
        Confidence level of intervals.

    Returns
    -------
    LabelModel
        With the tables ``coefficients`` and ``summary``.

    Raises
    ------
    ImagestrataError
        If the tables do not fit together, the formula has no code or several, the code has several
        answers and none is chosen, terms determine each other, covariates separate the outcomes,
        or too few images are labelled.

    Warns
    -----
    UserWarning
        If rows are left out, or coefficients or standard errors are missing.

    Notes
    -----
    *Coefficients.* The regression is fitted three times: to the labelled sample with the labels of
    people, b(sample, people), to the same sample with predictions, b(sample, machine), and to all
    images with predictions, b(all, machine). The corrected coefficient is b(sample, people) +
    lambda (b(all, machine) - b(sample, machine)). Whatever the errors of the machine, the
    difference in brackets has a mean of about zero. For least squares with equal weights and
    lambda = 1 this is the estimator of prediction-powered inference (Angelopoulos et al. 2023);
    with weights, and for labels as predictors, that of Kluger et al. (2025). It serves the same
    purpose as design-based supervised learning (Egami et al. 2023), and equals it where the sample
    has the covariates of the corpus. By default lambda is the value between 0 and 1 with the
    smallest estimated variance, for each coefficient: predictions that are useless cost nothing.
    Predictions are probabilities if there are any; "machine" uses decisions.

    *Standard errors.* An image is labelled once, but many posts can show it. The variance has two
    parts: how images were drawn for labelling (by cluster, without replacement; strata with one
    labelled image are collapsed), and how authors differ, whose posts resemble each other. The
    second is clustered on authors, less the part of the first that it contains. Both allow for
    leverage: the variance between authors by CR2 as in :func:`topic_model`, that of images by the
    jackknife, which also accounts for the choice of lambda. Intervals use the t distribution with
    Satterthwaite's degrees of freedom, the smaller ones of authors and images. Without ``linked``,
    each image is its own author.

    References
    ----------
    Angelopoulos, Bates, Fannjiang, Jordan and Zrnic (2023). Prediction-powered inference. Science
    382.

    Egami, Hinck, Stewart and Wei (2023). Using imperfect surrogates for downstream inference:
    design-based supervised learning for social science applications of large language models.
    NeurIPS 36.

    Kluger, Lu, Zrnic, Wang and Bates (2025). Prediction-powered inference with imputed covariates
    and nonuniform sampling. arXiv:2501.18577.
    """
    check_choice("family", family, FAMILIES)
    conf_level = check_conf_level(conf_level)
    if tuning is not None:
        tuning = check_float("tuning", tuning, minimum=0, maximum=1)
    code, answer = check_text("code", code), check_text("answer", answer)
    left, right, named = _read(formula)
    env = patsy.EvalEnvironment.capture(2)
    observed = observe(labels, predictions, sample, clustering)
    target, variable = _target(observed, named, code, answer)
    _check_terms(left, right, variable)
    rows = _rows(observed, target, variable, left, right, env, linked, author, time, time_zone)
    _check_outcome(rows, family)
    found = _estimates(observed, target, rows, family, tuning)
    table = _table(found, rows, conf_level)
    summary = pd.DataFrame(
        {
            "n_rows": [len(rows.author)], "n_images": [len(np.unique(rows.image))],
            "n_labelled": [rows.n_labelled],
            "n_authors": pd.array([len(np.unique(rows.author)) if rows.posts else None], "Int64"),
            "n_left_out": [rows.n_left_out], "family": [family], "code": [target.code],
            "answer": [target.label if target.kind == "choice" else None],
            "conf_level": [conf_level],
        }
    )  # fmt: skip
    return LabelModel(table, summary, formula)


# ---- The formula ---------------------------------------------------------------------------


def _read(formula: Any) -> tuple[str, str, list[str]]:
    """The two sides, and the variables of both in the order in which they occur."""
    if not isinstance(formula, str) or formula.count("~") != 1:
        raise ImagestrataError(
            f"{arg('formula')} must be a text such as {quote('violence ~ party + month')}, not "
            f"{quote(formula)}."
        )
    left, right = (side.strip() for side in formula.split("~"))
    if not left:
        raise ImagestrataError(
            f"{arg('formula')} must have an outcome on its left side.",
            "For example 'violence ~ party'.",
        )
    try:
        terms = patsy.ModelDesc.from_formula(right).rhs_termlist
        codes = [left, *(factor.code for term in terms for factor in term.factors)]
        names = [
            name
            for one in codes
            for name in sorted(names_in(one), key=lambda name, one=one: one.index(name))  # type: ignore[misc]
        ]
    except (patsy.PatsyError, SyntaxError) as error:
        raise ImagestrataError(f"{arg('formula')} cannot be read: {error}") from None
    return left, right, [*dict.fromkeys(names)]


def _target(
    observed: Observed, named: list[str], code: str | None, answer: str | None
) -> tuple[Target, str]:
    """The target that the formula has, and the name of its variable."""
    codes = observed.codes
    if code is None:
        found = [name for name in named if name in codes]
        hint = (
            f"Name one, as in '{codes[0]} ~ party', or give {arg('code')} and call it 'label': "
            "'label ~ party'."
        )
        if not found:
            raise ImagestrataError(
                f"{arg('formula')} has none of the codes of {arg('labels')}, "
                f"{', '.join(map(quote, codes))}.",
                hint,
            )
        if len(found) > 1:
            raise ImagestrataError(
                f"{arg('formula')} has the codes {', '.join(map(quote, found))}, but only one can "
                "be corrected.",
                hint,
            )
        code = variable = found[0]
    else:
        check_choice("code", code, codes)
        variables = [name for name in named if name in ("label", code)]
        if not variables:
            raise ImagestrataError(
                f"With {arg('code')}, {arg('formula')} must have the variable 'label'.",
                "For example 'label ~ party'.",
            )
        variable = variables[0]
    own = observed.targets_of(code)
    if own[0].kind != "choice" and answer is not None:
        raise ImagestrataError(
            f"{arg('answer')} is for codes with several answers, unlike {quote(code)}.",
            "Leave it out.",
        )
    if own[0].kind == "choice":
        answers = [str(target.label) for target in own]
        if answer is None:
            raise ImagestrataError(
                f"The code {quote(code)} has more than two answers: "
                f"{', '.join(map(quote, answers))}.",
                f"Choose one: {arg('answer', answers[0])} models whether it is given.",
            )
        check_choice("answer", answer, answers)
        own = [target for target in own if target.label == answer]
    if not own[0].predicted:
        raise ImagestrataError(f"{arg('predictions')} has nothing about {quote(code)}.")
    return own[0], variable


def _check_terms(left: str, right: str, variable: str) -> None:
    """The label must be a term as it is: a function of it has other values for predictions."""
    factors = {
        factor.code
        for term in patsy.ModelDesc.from_formula(right).rhs_termlist
        for factor in term.factors
    }
    hint = f"For example '{variable} ~ party' or 'likes ~ {variable} * party'."
    inside = [one for one in (left, *factors) if variable in names_in(one) and one != variable]
    if inside:
        raise ImagestrataError(
            f"{arg('formula')} must have {quote(variable)} as it is, not in a function.", hint
        )
    if left == variable and variable in factors:
        raise ImagestrataError(f"{quote(variable)} is on both sides of {arg('formula')}.", hint)


# ---- Rows ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Rows:
    """Model matrices and outcomes with the machine's decisions, predictions (``f``) and labels.

    Those of labels (``y``) are of the rows ``sampled``. ``author`` are positions; ``image`` is the
    place of the image of each row among the observed ones.
    """

    names: list[str]
    x: dict[str, Array]
    outcome: dict[str, Array]
    sampled: Array
    author: Array
    author_names: Array
    image: Array
    posts: bool
    n_left_out: int
    n_labelled: int
    n_predicted: int
    is_outcome: bool


def _rows(
    observed: Observed,
    target: Target,
    variable: str,
    left: str,
    right: str,
    env: Any,
    linked: Any,
    author: str,
    time: str,
    time_zone: str,
) -> _Rows:
    posts = linked is not None
    where = "linked" if posts else "clustering"
    needed = ("image_id", author) if posts else ("image_id",)
    data = linked if posts else observed.images
    data = check_table(where, data, needed, "link_posts").reset_index(drop=True)
    if variable in data:
        raise ImagestrataError(
            f"{arg(where)} has a column {quote(variable)}, which is also the label in "
            f"{arg('formula')}.",
            "Remove or rename the column.",
        )
    if "post_id" in data:
        # A post that shows an image twice shows it.
        data = data[~data.duplicated(["post_id", "image_id"])].reset_index(drop=True)
    places = pd.Index(observed.images["image_id"])
    image = places.get_indexer(id_texts(data["image_id"]))
    f = predictions_filled(target.f)
    data = data.assign(**{variable: f[image]})
    try:
        columns = variables_of(data, f"{right} + {_as_term(left)}", env, time, time_zone)
    except SyntaxError as error:
        raise ImagestrataError(f"{arg('formula')} cannot be read: {error}") from None
    lacks = {name: column.isna() for name, column in columns.items() if name != variable}
    if posts:
        lacks[author] = known_texts(data[author]).isna()
    none = np.zeros(len(data), dtype=bool)
    missing = np.logical_or.reduce([none, *(lack.to_numpy() for lack in lacks.values())])
    complete = (image >= 0) & ~missing
    unit = "row" if posts else "image"
    n_left_out = _tell_rows_out(image, lacks, complete, unit)
    image = image[complete]
    kept = {name: column[complete].reset_index(drop=True) for name, column in columns.items()}
    inside = variables_in(right)
    covariates = {name: column for name, column in kept.items() if name in inside}
    prepared = prepare_covariates(
        {name: column for name, column in covariates.items() if name != variable}, len(image), unit
    )
    if variable in covariates:
        prepared[variable] = f[image]
    matrix = ModelMatrix(prepared[[*covariates]], right, env, unit)
    decided = np.where(np.isnan(target.decided), f, target.decided)
    sampled = np.flatnonzero(np.isfinite(target.y[image]))
    values = {"machine": decided[image], "f": f[image], "y": target.y[image][sampled]}
    x, outcome = {}, {}
    for name, value in values.items():
        of = sampled if name == "y" else np.arange(len(image))
        own = prepared.iloc[of].reset_index(drop=True)
        if variable in covariates:
            x[name] = matrix.rows(own.assign(**{variable: value})[[*covariates]])
        else:
            x[name] = matrix.x[of]
        outcome[name] = value
    if left != variable:
        y = _evaluate(left, kept, env)
        outcome = {"machine": y, "f": y, "y": y[sampled]}
    by = data[author][complete].astype(str) if posts else pd.Series(np.arange(len(image)))
    codes, names = pd.factorize(by)
    return _Rows(
        matrix.names, x, outcome, sampled, codes, np.asarray(names), image, posts, n_left_out,
        len(np.unique(image[sampled])), len(np.unique(image[np.isfinite(target.f[image])])),
        left == variable,
    )  # fmt: skip


def _as_term(left: str) -> str:
    return left if left.isidentifier() else f"I({left})"


def _evaluate(left: str, columns: dict[str, Any], env: Any) -> Array:
    """The outcome as numbers."""
    inner = {name: in_days(column) for name, column in columns.items()}
    scope = patsy.EvalEnvironment([dict(FUNCTIONS), env.namespace])
    try:
        ast.parse(left, mode="eval")
        value = pd.Series(scope.eval(left, inner_namespace=inner))
    except Exception as error:
        raise ImagestrataError(f"{arg('formula')} cannot be evaluated: {error}") from None
    if not pd.api.types.is_numeric_dtype(value.dtype):
        raise ImagestrataError(
            f"The outcome must be numbers, not values such as {quote(value.iloc[0])}."
        )
    return value.to_numpy(dtype=float)


def _tell_rows_out(
    image: Array, lacks: dict[str, pd.Series[bool]], complete: Array, unit: str
) -> int:
    known = image >= 0
    unknown = int((~known).sum())
    parts = [f"{unknown:,} with images that the sample does not represent"] if unknown else []
    for name, lack in lacks.items():
        n = int((lack.to_numpy() & known).sum())
        if n:
            parts.append(f"{n:,} without {quote(name)}")
    whole = plural(len(image), unit)
    if not complete.any():
        raise ImagestrataError(f"None of {whole} is complete: {', '.join(parts)}.")
    n_out = int((~complete).sum())
    if parts:
        warn(f"{n_out:,} of {whole} are left out: {', '.join(parts)}.")
    return n_out


def _check_outcome(rows: _Rows, family: str) -> None:
    k, n = len(rows.names), rows.n_labelled
    if n < k + 2:
        raise ImagestrataError(
            f"Only {plural(n, 'labelled image is', 'labelled images are')} in the model, which has "
            f"{plural(k, 'coefficient')}.",
            "Label more images, or use fewer covariates.",
        )
    outcome = rows.outcome["y"]
    if not np.isfinite(outcome).all():
        raise ImagestrataError("The outcome is infinite for some rows: the logarithm of 0?")
    if family == "linear":
        return
    wrong = outcome[~np.isin(outcome, (0, 1))]
    if len(wrong):
        raise ImagestrataError(
            f"The outcome of {arg('family', 'logit')} must be 0 or 1, not "
            f"{quote(float(wrong[0]))}.",
            f"Use {arg('family', 'linear')}.",
        )
    of_image = rows.image[rows.sampled]
    counts = [len(np.unique(of_image[outcome == value])) for value in (0, 1)]
    if min(counts) < k:
        value = int(np.argmin(counts))
        said = plural(min(counts), "labelled image has", "labelled images have")
        raise ImagestrataError(
            f"Only {said} the outcome {value}, fewer than the {plural(k, 'coefficient')}.",
            f"Label more images, use fewer covariates, or {arg('family', 'linear')}.",
        )


# ---- Estimates -----------------------------------------------------------------------------


def _estimates(
    observed: Observed, target: Target, rows: _Rows, family: str, tuning: float | None
) -> dict[str, Estimates]:
    plan = plan_of(observed, [target])
    where = np.full(len(observed.images), -1)
    where[plan.at] = np.arange(len(plan.at))
    place = where[rows.image[rows.sampled]]
    a, s, one = plan.a[place], rows.sampled, np.ones(len(rows.image))
    people = regress(rows.x["y"], rows.outcome["y"], a, family)
    people = _check_people(people, rows)
    machine = regress(rows.x["machine"], rows.outcome["machine"], one, family)
    all_rows = regress(rows.x["f"], rows.outcome["f"], one, family)
    same = regress(rows.x["f"][s], rows.outcome["f"][s], a, family)
    if any(isinstance(fit, Failed) for fit in (machine, all_rows, same)):
        hint = "Coefficients of the machine are missing." if isinstance(machine, Failed) else ""
        warn(
            "The regression of the predictions has no finite estimates, because they are all alike "
            "or separate the groups: the corrected coefficients are those of the sample.",
            hint,
        )
    known = not isinstance(all_rows, Failed) and not isinstance(same, Failed)
    corrected = Corrected(
        people,
        same if known and isinstance(same, Fit) else None,
        all_rows if known and isinstance(all_rows, Fit) else None,
        rows.author, s, place, plan,
    )  # fmt: skip
    k = len(people.beta)
    chosen = np.full(k, tuning) if tuning is not None else corrected.best
    chosen = chosen if known else np.zeros(k)
    none = np.full(k, np.nan)
    of_machine = Estimates(none, none, none, none)
    if isinstance(machine, Fit):
        errors = sandwich_of(machine, rows.author).errors(machine.turn)
        of_machine = Estimates(machine.beta, errors.std_error, errors.df, none)
    of_sample = corrected.estimates(np.zeros(k), False)
    of_sample = Estimates(of_sample.estimate, of_sample.std_error, of_sample.df, none)
    return {
        "machine": of_machine,
        "sample": of_sample,
        "corrected": corrected.estimates(chosen, known and tuning is None),
    }


def _check_people(fit: Fit | Failed, rows: _Rows) -> Fit:
    if isinstance(fit, Failed) and fit.collinear:
        listed = ", ".join(quote(rows.names[i]) for i in fit.collinear)
        raise ImagestrataError(
            f"{arg('formula')} has terms that others determine among the labelled images: "
            f"{listed}.",
            "Leave them out, or put small groups together.",
        )
    if isinstance(fit, Failed):
        y = rows.outcome["y"]
        raise ImagestrataError(
            "The coefficients are infinite, because the covariates separate the labelled images "
            f"with the outcome from those without it: {int((y == 1).sum())} of {len(y)} rows have "
            "it.",
            f"Put small groups together, label more images, or use {arg('family', 'linear')}.",
        )
    authors = np.unique(rows.author[rows.sampled])
    if len(authors) < 2:
        raise ImagestrataError(
            f"All labelled images were posted by {quote(rows.author_names[authors[0]])}, and "
            "nothing is known of differences between authors."
        )
    return fit


def _table(found: dict[str, Estimates], rows: _Rows, conf_level: float) -> pd.DataFrame:
    from scipy import stats

    tables = []
    for method, of in found.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            statistic = np.where(of.std_error > 0, of.estimate / of.std_error, np.nan)
        half = stats.t.ppf((1 + conf_level) / 2, of.df) * of.std_error
        columns = {
            "term": rows.names, "method": method, "estimate": of.estimate,
            "std_error": of.std_error, "statistic": statistic, "df": of.df,
            "p_value": 2 * stats.t.sf(np.abs(statistic), of.df),
            "conf_low": of.estimate - half, "conf_high": of.estimate + half, "lambda": of.tuning,
            "n_labelled": 0 if method == "machine" else rows.n_labelled,
            "n_predicted": 0 if method == "sample" else rows.n_predicted,
        }  # fmt: skip
        tables.append(pd.DataFrame(columns))
    table = pd.concat(tables)
    order = pd.Index(rows.names).get_indexer(pd.Index(table["term"]))
    table = table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    lost = table["term"][table["std_error"].isna() & table["estimate"].notna()].unique()
    if len(lost):
        warn(
            f"Some standard errors of {', '.join(map(quote, lost))} are missing: without one "
            "author the coefficient cannot be estimated.",
            "Put small groups together.",
        )
    return table
