"""Formulas with outcomes: what they count, and the columns that they name."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import patsy

from ..errors import ImagestrataError
from ..regression.formula import FUNCTIONS, names_in, term_names
from ..wording import arg, quote


@dataclass(frozen=True)
class Side:
    """One outcome with its predictors."""

    outcome: str
    rhs: str
    outcome_names: tuple[str, ...]
    names: tuple[str, ...]


def sides_of(formula: Any) -> list[Side]:
    """The outcomes of one formula, or of several."""
    formulas = [formula] if isinstance(formula, str) else formula
    right = isinstance(formulas, Sequence) and len(formulas) > 0
    if not right or not all(isinstance(one, str) and one.count("~") == 1 for one in formulas):
        raise ImagestrataError(
            f"{arg('formula')} must be a formula with an outcome, or a list of them, not "
            f"{quote(formula)}.",
            f"For example {quote('retweets ~ hopeful + angry + log1p(followers)')}.",
        )
    sides = [side for one in formulas for side in _one(one)]
    names = [side.outcome for side in sides]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ImagestrataError(
            f"{arg('formula')} has the outcome {quote(twice[0])} twice.",
            "Make one model for each set of predictors.",
        )
    return sides


def matrix_of(rhs: Any, data: pd.DataFrame, env: Any = None) -> Any:
    """The design matrix of patsy: of a formula's right side, or of earlier design information."""
    plain = data.copy()
    for name in plain:
        if isinstance(plain[name].dtype, pd.StringDtype):
            plain[name] = plain[name].astype(object)
        elif isinstance(plain[name].dtype, pd.CategoricalDtype):
            # Earlier design information knows its categories.
            used = isinstance(rhs, str)
            column = plain[name].cat.remove_unused_categories() if used else plain[name]
            plain[name] = column if used else column.astype(object)
    keep = patsy.NAAction(NA_types=[])
    with np.errstate(all="ignore"):
        if isinstance(rhs, str):
            env = patsy.EvalEnvironment([dict(FUNCTIONS), env.namespace])
            return patsy.dmatrix(rhs, plain, eval_env=env, NA_action=keep)
        return patsy.build_design_matrices([rhs], plain, NA_action=keep)[0]


def columns_of(info: Any) -> list[str]:
    """The names of the columns of a design matrix, as R has them."""
    return [name for term in info.terms for name in term_names(info, term)]


def values_of(expression: str, data: pd.DataFrame) -> Any:
    """The values of an outcome, which is a column or an expression of columns."""
    if expression in data:
        return data[expression]
    try:
        names = {str(name): data[name] for name in data}
        known = {**FUNCTIONS, "I": lambda x: x}
        return patsy.EvalEnvironment([names, known]).eval(expression)
    except Exception as error:
        raise ImagestrataError(
            f"The outcome {quote(expression)} cannot be computed: {error}."
        ) from None


def _one(formula: str) -> list[Side]:
    left, rhs = (part.strip() for part in formula.split("~"))
    try:
        tree = ast.parse(left, mode="eval").body
        model = patsy.ModelDesc.from_formula(rhs)
        several = isinstance(tree, ast.Call) and getattr(tree.func, "id", "") == "cbind"
        parts = tree.args if several and isinstance(tree, ast.Call) else [tree]
        outcomes = [ast.unparse(one) for one in parts]
        factors = {factor.code: factor for term in model.rhs_termlist for factor in term.factors}
        names = sorted({name for code in factors for name in names_in(code)}, key=rhs.find)
        of_outcome = [names_in(one) for one in outcomes]
    except (SyntaxError, patsy.PatsyError) as error:
        raise ImagestrataError(
            f"{arg('formula')} cannot be read: {quote(formula)} ({error})."
        ) from None
    for unfit, hint in (
        ("offset(", f"Name the column in {arg('exposure')}; its logarithm is the offset."),
        ("|", f"Dependence of posts is a matter of {arg('cluster')}."),
    ):
        if unfit in rhs:
            raise ImagestrataError(
                f"{arg('formula')} has {quote(unfit.rstrip('('))} among its predictors, which is "
                "not supported.",
                hint,
            )
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        raise ImagestrataError(
            f"The outcome {quote(left)} of {arg('formula')} may mean a sum or several outcomes.",
            f"Write {quote('I(a + b)')} for a sum, or {quote('cbind(a, b)')} for two outcomes.",
        )
    return [
        Side(one, rhs, tuple(sorted(used)), tuple(names))
        for one, used in zip(outcomes, of_outcome, strict=True)
    ]
