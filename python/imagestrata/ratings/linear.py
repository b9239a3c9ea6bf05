"""Linear regressions of one measure, with standard errors for respondents and images.

All is in coordinates in which the information is the identity matrix: z has the rows of the model
matrix, and the sum of w z z' over answers is I, with weights w that add up to 1. A contrast c of
the coefficients is a = turn' c there, and its variance a' V a. The score of an answer is
u = w e z, with its residual e.

The parts of V are those of :func:`rating_means`, for totals of scores that are vectors:

"respondent"
    n / (n - 1) times the sum over respondents of U U', with their total scores U.
"image"
    The sum, over strata with m rated images, of m / (m - 1) times the squared distances of images'
    total scores from the mean of their stratum. In a direction that has the share b of
    its squared weights in such strata, it is divided by b: images that are alone in their stratum
    have the average variance of the others. If b is less than a tenth, these images are compared
    across strata; where single images determine the model, it is the variance by respondents.
"two-way"
    The part of images, and the covariance of a respondent's answers to different images, which may
    not be negative for contrasts between respondents. Scores are corrected for the leverage of
    covariates.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray

from ..regression.matrix import turn_of
from .totals import LEAST_OF_OTHERS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: See :meth:`LinearFit._alike`.
_SAME = 0.5
#: The least share of squared weights that remains if the answers of a group to an image are added.
_TOGETHER = 0.1


class Answers(NamedTuple):
    """The answers to a measure, with units as numbers from 0.

    ``cell`` is the group of respondents in which weights add up to those of clusters.
    """

    rating: Floats
    weight: Floats
    respondent: Ints
    image: Ints
    stratum: Ints
    cell: Ints


class _Block(NamedTuple):
    """The units of an image that is alone in its strata, see :meth:`LinearFit._read_single`.

    ``by`` multiplies their residuals, which are in the space of ``basis`` (its columns).
    """

    units: Ints
    by: Floats
    basis: Floats


class ContrastErrors(NamedTuple):
    """``alone`` is the respondent without whom a contrast cannot be estimated, or -1."""

    std_error: Floats
    df: Floats
    alone: Ints


class LinearFit:
    """The weighted least squares of a measure.

    Parameters
    ----------
    x : array of shape (n, k)
        The model matrix, whose columns may be collinear.
    answers : Answers
        With positive weights.
    variance : {"two-way", "respondent", "image"}
    n_respondents : int
        Respondents in the whole survey.

    Attributes
    ----------
    turn : array of shape (k, rank)
        Coefficients from those in the coordinates of z; zero for collinear columns.
    estimate : array of shape (k,)
    known, empty : array of shape (k,)
        Whether a column has a coefficient; whether it has none since it is 0 in all answers.
    fitted, residual, weight : array of shape (n,)
    covariance : array of shape (rank, rank)
        V, in the coordinates of z.
    """

    def __init__(self, x: Floats, answers: Answers, variance: str, n_respondents: int) -> None:
        w = answers.weight / answers.weight.sum()
        self.variance, self.weight, self.n_respondents = variance, w, n_respondents
        self._drawn = n_respondents / max(n_respondents - 1, 1)
        self.turn = turn_of(x * np.sqrt(w)[:, None])
        z = x @ self.turn
        self.rank = z.shape[1]
        gamma = z.T @ (w * answers.rating)
        self.fitted = z @ gamma
        self.residual = answers.rating - self.fitted
        # Rounding errors would appear as a standard error.
        smallest = 1e-11 * max(np.abs(answers.rating).max(), 1)
        self.residual[np.abs(self.residual) < smallest] = 0
        self.estimate = self.turn @ gamma
        self.known = (self.turn != 0).any(axis=1)
        self.empty = ~x.any(axis=0) & ~self.known
        self._null = self._undetermined(x, z)
        people, respondent = np.unique(answers.respondent, return_inverse=True)
        self.people, self._respondent, self._z = people, respondent, z
        u, g = (w * self.residual)[:, None] * z, w[:, None] * z
        self._squares = g.T @ g
        self._find_alone()
        if variance == "two-way":
            u = self._spread_by_leverage(u, answers.cell)
        by_person = self._by_person(respondent, u)
        if variance == "respondent":
            self.covariance = by_person
            return
        self._read_images(answers, g)
        whole, alike = self._by_image(u), np.zeros_like(by_person)
        if variance == "two-way":
            alike = by_person - self._drawn * u.T @ u
            whole = whole + self._alike(respondent, alike, g)
        known = self._projection(whole, alike, by_person)
        self.covariance = _positive(known, by_person)

    # ---- Variances ----

    def _spread_by_leverage(self, u: Floats, cell: Ints) -> Floats:
        """Scores, corrected for leverage.

        Covariates fit respondents with extreme values too well, so that their residuals are too
        small. The correction is that of CR2 (Bell and McCaffrey 2002), without the leverage that
        respondents have in the mean of their group, since the other means have no such correction.
        """
        respondent, w = self._respondent, self.weight
        moved = np.empty_like(u)
        for rows in _rows_of(respondent):
            values, vectors = self._part_of(rows)
            rest = 1 - values
            by = np.where(rest < 1e-8, 0, 1 / np.sqrt(np.maximum(rest, 1e-8)))
            moved[rows] = u[rows] + ((u[rows] @ vectors) * (by - 1)) @ vectors.T
        own = np.bincount(respondent, w / np.bincount(cell, w)[cell])
        pairs = np.unique(np.stack([respondent, cell]), axis=1)
        level = own / np.bincount(pairs[0])
        return np.asarray(moved * np.sqrt(np.maximum(1 - level, 0))[respondent, None])

    def _part_of(self, rows: Ints) -> tuple[Floats, Floats]:
        """Eigenvalues and vectors of the part that answers have in the information.

        With fewer answers than coefficients, they are those of the smaller matrix of answers.
        """
        root = self._z[rows] * np.sqrt(self.weight[rows])[:, None]
        if len(rows) >= self.rank:
            values, vectors = np.linalg.eigh(root.T @ root)
            return values, vectors
        values, left = np.linalg.eigh(root @ root.T)
        some = values > 1e-12
        return values[some], root.T @ left[:, some] / np.sqrt(values[some])

    def _by_person(self, respondent: Ints, u: Floats) -> Floats:
        totals = _sums(respondent, u)
        return np.asarray(self._drawn * totals.T @ totals)

    def _alike(self, respondent: Ints, alike: Floats, g: Floats) -> Floats:
        """The covariance of a respondent's answers to different images.

        It is not negative in directions in which a respondent's answers count with the same sign,
        such as differences between groups: those in which the sum of products of their effects is
        at least ``_SAME`` of that of absolute effects.
        """
        spread, totals = g.T @ g, _sums(respondent, g)
        root = np.linalg.cholesky(spread)
        back = np.linalg.inv(root)
        values, vectors = np.linalg.eigh(back @ (totals.T @ totals - spread) @ back.T)
        effects = g @ back.T @ vectors
        most = (_sums(respondent, np.abs(effects)) ** 2).sum(axis=0) - (effects**2).sum(axis=0)
        same = vectors[:, (values > 1e-10) & (values >= _SAME * most)]
        sizes, axes = np.linalg.eigh(same.T @ back @ alike @ back.T @ same)
        to = root @ same @ axes
        return np.asarray(alike - (to * np.minimum(sizes, 0)) @ to.T)

    def _read_images(self, answers: Answers, g: Floats) -> None:
        """Strata of images in each cell, and their squared weights.

        ``_shown`` are images in cells, by answer; ``_image`` and ``_stratum`` are those of them.
        """
        n_cells = answers.cell.max() + 1
        key = answers.image * n_cells + answers.cell
        _, first, self._shown = np.unique(key, return_index=True, return_inverse=True)
        self._image = np.unique(answers.image[first], return_inverse=True)[1]
        stratum = answers.stratum * n_cells + answers.cell
        stratum = np.unique(stratum, return_inverse=True)[1]
        self._stratum = stratum[first]
        several = np.bincount(self._stratum) > 1
        # For degrees of freedom, squared weights of answers.
        self._in_several, self._unit = several[stratum], np.cumsum(several)[stratum] - 1
        self._total, self._g = self._squares, g
        within = g[self._in_several]
        self._overlap = _overlap(self._image, self._stratum)
        self._read_single(g, ~several[self._stratum])
        alone = g[~self._in_several]
        self._single = (self._image[self._shown[~self._in_several]], alone)
        self._set_directions(self._total, within.T @ within, alone.T @ alone - self._lost_answers)
        # The answers of a group to an image count together, unless they cancel.
        together = self._effects
        every = together.T @ together
        back = np.linalg.inv(np.linalg.cholesky(self._total))
        if np.linalg.eigvalsh(back @ every @ back.T).min() > _TOGETHER:
            one, many = together[self._is_alone], together[~self._is_alone]
            self._set_directions(every, many.T @ many, one.T @ one - self._lost)

    def _read_single(self, g: Floats, alone: NDArray[np.bool_]) -> None:
        """Images that are alone in their stratum, to be compared across strata.

        A unit is an image in a cell, with the weight w, the effect e = sum(w z) of its answers and
        their mean row x of z. If units vary independently with equal variances, and H = x e', the
        mean residuals r of units have the covariances (I - H)(I - H)'. Those of an image are
        multiplied by the inverse root of its block of this matrix (CR2 by image), so that the
        squared sums of e r have the variance of the estimates. For means this is
        1 / sqrt(1 - 2 s + q), see :func:`across_strata`. Directions in which an image determines
        the model have no residual and are lost.
        """
        shown, w = self._shown, self.weight
        weight = np.bincount(shown, w)
        self._is_alone, self._effects = alone, _sums(shown, g)
        self._place = self._effects / weight[:, None]
        self._spread = self._effects.T @ self._effects
        residual = np.bincount(shown, w * self.residual) / weight
        n_answers = np.bincount(shown)
        self._moved = np.zeros(len(weight))
        self._lost, self._lost_answers = np.zeros((2, self.rank, self.rank))
        self._blocks: list[_Block] = []
        units = np.flatnonzero(alone)
        units = units[np.argsort(self._image[units], kind="stable")]
        ends = np.flatnonzero(np.diff(self._image[units])) + 1
        for own in np.split(units, ends) if len(units) else []:
            effects, place = self._effects[own], self._place[own]
            cross = place @ effects.T
            left = np.eye(len(own)) - cross - cross.T + place @ self._spread @ place.T
            values, vectors = np.linalg.eigh((left + left.T) / 2)
            gone = values < 1e-8
            by = (vectors * np.where(gone, 0, 1 / np.sqrt(np.maximum(values, 1e-8)))) @ vectors.T
            self._blocks.append(_Block(own, by, vectors[:, ~gone]))
            self._moved[own] = by @ residual[own] - residual[own]
            lost = vectors[:, gone].T
            single = lost @ effects
            self._lost += single.T @ single
            single = lost @ (effects / np.sqrt(n_answers[own])[:, None])
            self._lost_answers += single.T @ single

    def _set_directions(self, total: Floats, several: Floats, single: Floats) -> None:
        """Directions in which squared weights are independent.

        Strata with several images have the shares ``_shares`` of the first of them, for which
        ``_is_within`` is true. The others are those of images that are compared across strata.
        Directions that are none of these are those that single images determine.
        """
        root = np.linalg.cholesky(total)
        back = np.linalg.inv(root)
        shares, turned = np.linalg.eigh(back @ several @ back.T)
        within = shares >= LEAST_OF_OTHERS
        rest = turned[:, ~within]
        others, vectors = np.linalg.eigh(rest.T @ back @ (several + single) @ back.T @ rest)
        across = others >= LEAST_OF_OTHERS
        basis = np.hstack([turned[:, within], rest @ vectors[:, across]])
        self._shares = np.concatenate([shares[within], others[across]])
        self._is_within = np.arange(len(self._shares)) < within.sum()
        self._axes, self._back = root @ basis, basis.T @ back

    def _by_image(self, u: Floats) -> Floats:
        """The part of images, in directions in which it is known."""
        totals = _sums(self._shown, u)
        size = np.bincount(self._stratum)[self._stratum]
        centre = _sums(self._stratum, totals)[self._stratum] / size[:, None]
        scale = np.sqrt(np.where(size > 1, size / np.maximum(size - 1, 1), 0))
        distances = (totals - centre) * scale[:, None]
        moved = totals + self._effects * self._moved[:, None]
        within = _sums(self._image, distances)
        across = _sums(self._image, np.where(self._is_alone[:, None], moved, distances))
        parts = np.where(self._is_within, within @ self._back.T, across @ self._back.T)
        parts = (parts / np.sqrt(self._shares)) @ self._axes.T
        return np.asarray(parts.T @ parts)

    def _projection(self, whole: Floats, alike: Floats, by_person: Floats) -> Floats:
        """The variance, with that by respondents in directions that single images determine.

        Between these and others it has the covariance of answers that is due to respondents.
        """
        known = self._axes @ self._back
        rest = np.eye(len(known)) - known
        between = known @ alike @ rest.T
        return np.asarray(known @ whole @ known.T + rest @ by_person @ rest.T + between + between.T)

    # ---- Contrasts ----

    def _undetermined(self, x: Floats, z: Floats) -> Floats:
        """Orthonormal directions of coefficients that make no difference to the answers."""
        lost = ~self.known
        null = -self.turn @ (z.T @ (self.weight[:, None] * x[:, lost]))
        null[lost] += np.eye(int(lost.sum()))
        return np.asarray(np.linalg.qr(null)[0])

    def estimable(self, contrasts: Floats) -> NDArray[np.bool_]:
        """Whether the answers determine contrasts, which they may not if columns are collinear."""
        size = np.linalg.norm(contrasts, axis=1)
        return np.asarray(np.linalg.norm(contrasts @ self._null, axis=1) <= 1e-8 * size)

    def _find_alone(self) -> None:
        """Directions that a single respondent determines."""
        trace = np.bincount(self._respondent, self.weight * (self._z**2).sum(axis=1))
        self._alone: list[tuple[int, Floats]] = []
        for place in np.flatnonzero(trace > 1 - 1e-8):
            values, vectors = self._part_of(np.flatnonzero(self._respondent == place))
            self._alone += [
                (int(self.people[place]), vectors[:, i]) for i in np.flatnonzero(values > 1 - 1e-8)
            ]

    def errors(self, contrasts: Floats) -> ContrastErrors:
        """Standard errors and degrees of freedom of contrasts, one per row."""
        at = contrasts @ self.turn
        size = (at**2).sum(axis=1)
        alone = np.full(len(at), -1, dtype=np.int64)
        for person, direction in self._alone[::-1]:
            alone[(at @ direction) ** 2 > 0.01 * size] = person
        variance = np.einsum("ij,jk,ik->i", at, self.covariance, at)
        found = (alone < 0) & (size > 0)
        df = np.full(len(at), np.nan)
        for i in np.flatnonzero(found):
            df[i] = self._degrees(at[i])
        return ContrastErrors(np.where(found, np.sqrt(np.maximum(variance, 0)), np.nan), df, alone)

    def _degrees(self, a: Floats) -> float:
        people = self._degrees_of_people(a)
        if self.variance == "respondent":
            return people
        within = self._in_several
        of_stratum = np.bincount(
            self._unit[within], (self._g[within] @ a) ** 2, self._overlap.shape[0]
        )
        if of_stratum.sum() >= LEAST_OF_OTHERS * (a @ self._total @ a):
            images = of_stratum.sum() ** 2 / (of_stratum @ (self._overlap @ of_stratum))
        else:
            images = self._degrees_across(a, float(a @ self._total @ a))
        if np.isnan(images):
            return people
        return float(images if self.variance == "image" else min(people, images))

    def _degrees_across(self, a: Floats, squares: float) -> float:
        """Satterthwaite's, of images that are compared across strata, if they vary equally.

        They are missing if single images determine the contrast. If the effects of answers (with
        the sum of ``squares``) cancel within images, answers vary instead.
        """
        own = self._effects @ a
        if own @ own < _TOGETHER * squares:
            image, g = self._single
            of_images = np.bincount(image, (g @ a) ** 2)
            if of_images.sum() - a @ self._lost_answers @ a < LEAST_OF_OTHERS * squares:
                return np.nan
            return float(of_images.sum() ** 2 / (of_images @ of_images))
        kept = sum(float(((own[each.units] @ each.basis) ** 2).sum()) for each in self._blocks)
        if not self._blocks or kept < LEAST_OF_OTHERS * (own @ own):
            return np.nan
        moved = [own[each.units] @ each.by for each in self._blocks]
        d = np.array([part @ part for part in moved])
        pairs = [*zip(moved, self._blocks, strict=True)]
        v = np.array([part @ self._place[each.units] for part, each in pairs])
        b = np.array([part @ self._effects[each.units] for part, each in pairs])
        return _degrees_of_form(d, v, b, self._spread)

    def joint_degrees(self, contrasts: Floats) -> float:
        """Degrees of freedom of the covariance matrix of several contrasts.

        They are those of a Wishart matrix: q (q + 1) over the sum of the variances of the elements,
        where the expected matrix is the identity (Pustejovsky and Tipton 2018, equation 18).
        """
        at = contrasts @ self.turn
        q = len(at)
        effects = self.weight[:, None] * (self._z @ at.T)
        root = scipy.linalg.cholesky(effects.T @ effects)
        scaled = scipy.linalg.solve_triangular(root, effects.T, trans="T").T
        n = len(self.people)
        ones = np.ones(len(scaled))
        own = _products(self._respondent, scaled, ones, n)
        of_people = _noise(own, scipy.sparse.eye_array(n))
        # The directions in which respondents are most and least unequal: unlike coefficients, they
        # do not depend on the reference levels of factors.
        turned = np.linalg.eigh((own @ own).sum(axis=0))[1]
        at = turned.T @ scipy.linalg.solve_triangular(root, at, trans="T")
        per_person = _sums(self._respondent, (scaled @ turned) ** 2)
        naive = per_person.sum(axis=0) ** 2 / (per_person**2).sum(axis=0)
        alone = np.array([self._degrees_of_people(one) for one in at])
        people = q * (q + 1) / of_people * (alone / naive).min()
        if self.variance == "respondent":
            return float(people)
        several = self._in_several
        share = (scaled[several] ** 2).sum() / q
        if share < LEAST_OF_OTHERS:
            return float(min(people, *(self._degrees(one) for one in at)))
        own = _products(self._unit[several], scaled[several], ones[several], self._overlap.shape[0])
        images = _noise(own, self._overlap) / share**2
        if self.variance == "image":
            return float(q * (q + 1) / images)
        # The covariance of a respondent's answers varies by chance, too: as the products of
        # different answers do. It is added to the part of images, so that both variances add up.
        pairs = of_people - 2 * ((scaled**2).sum(axis=1) ** 2).sum()
        return float(min(people, q * (q + 1) / (images + pairs)))

    def _degrees_of_people(self, a: Floats) -> float:
        """Satterthwaite's, if answers are independent and vary equally (Bell and McCaffrey)."""
        influence = self._z @ a
        acts = np.abs(influence) > 1e-10 * np.abs(influence).max()
        unit = np.unique(self._respondent[acts], return_inverse=True)[1]
        w, z = self.weight[acts], self._z[acts]
        moved = w * influence[acts]
        v, b = _sums(unit, moved[:, None] * z), _sums(unit, (w * moved)[:, None] * z)
        found = _degrees_of_form(_sums(unit, moved**2), v, b, self._squares)
        return float(np.minimum(found, self.n_respondents - 1))


def _degrees_of_form(d: Floats, v: Floats, b: Floats, s: Floats) -> float:
    """Degrees of freedom of scores with the covariances diag(d) - v b' - b v' + v s v'."""
    own = ((v @ s) * v).sum(axis=1) - 2 * (v * b).sum(axis=1)
    if len(d) <= 2 * len(s):
        cross = v @ b.T
        squared = ((np.diag(d) - cross - cross.T + v @ s @ v.T) ** 2).sum()
    else:  # the trace of its square, from the smaller of two equivalent matrices
        parts, none, one = np.hstack([v, b]), np.zeros_like(s), np.eye(len(s))
        inside = np.block([[s, -one], [-one, none]]) @ (parts.T @ parts)
        squared = (d**2).sum() + 2 * (d * own).sum() + np.trace(inside @ inside)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float((d.sum() + own.sum()) ** 2 / squared)


def _sums(unit: Ints, values: Floats) -> Floats:
    """Totals of the rows of units."""
    n = len(unit)
    pick = scipy.sparse.csr_array((np.ones(n), (unit, np.arange(n))))
    return np.asarray(pick @ values)


def _products(unit: Ints, z: Floats, weight: Floats, n: int) -> Floats:
    """For each unit the sum of weight z z'."""
    k = z.shape[1]
    found = np.zeros((n, k, k))
    # One by one: products of all rows at once would need a matrix for each of them.
    for rows in _rows_of(unit):
        found[unit[rows[0]]] = (weight[rows, None] * z[rows]).T @ z[rows]
    return found


def _rows_of(unit: Ints) -> list[Ints]:
    """The rows of each unit."""
    order = np.argsort(unit, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(unit[order])) + 1)


def _noise(squares: Floats, overlap: Any) -> float:
    """The sum of the variances of the elements of a sum of Wishart matrices, one of each unit."""
    flat = squares.reshape(len(squares), -1)
    traces = np.trace(squares, axis1=1, axis2=2)
    return float(traces @ (overlap @ traces) + (flat * (overlap @ flat)).sum())


def _overlap(image: Ints, stratum: Ints) -> scipy.sparse.csr_array:
    """Traces of products of the centring matrices of strata, which may be strata of two cells.

    With one cell this is diagonal, with 1 / (m - 1) for m images.
    """
    known = np.bincount(stratum)[stratum] > 1
    stratum = np.unique(stratum[known], return_inverse=True)[1]
    image = image[known]
    if not len(image):
        return scipy.sparse.csr_array((0, 0))
    shown = scipy.sparse.csr_array((np.ones(len(image)), (image, stratum)))
    both = scipy.sparse.coo_array(shown.T @ shown)
    size = np.bincount(stratum)
    first, second = size[both.row], size[both.col]
    traces = both.data * (1 - 1 / first - 1 / second + both.data / (first * second))
    traces = traces / ((first - 1) * (second - 1))
    return scipy.sparse.csr_array((traces, (both.row, both.col)), shape=both.shape)


def _positive(covariance: Floats, by_person: Floats) -> Floats:
    """The variance, with that by respondents in directions where it is zero or less."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    empty = values <= 1e-10 * np.trace(by_person) / len(values)
    lacks = vectors[:, empty]
    between = lacks @ (lacks.T @ by_person @ lacks) @ lacks.T
    return np.asarray((vectors * np.where(empty, 0, values)) @ vectors.T + between)
