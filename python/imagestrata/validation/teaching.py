"""What judged pairs say about the joins of a tree, and the clusters that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .division import Piece
from .join_tree import JoinTree
from .judgements import PRIOR_PAIRS, judged_share, judgement_loss

Array: TypeAlias = NDArray[Any]

#: Inverse variance of the coefficients of the model.
_RIDGE = 2.0
#: Logit of the share that is expected without judged pairs, per unit of height above the median of
#: clusters, and how much higher than between clusters it is inside them.
_SLOPE, _INSIDE = 4.0, 2.0
#: Shares at which posteriors are computed: the middles of intervals of equal width.
_EDGES = np.linspace(0, 1, 51)
_GRID = (_EDGES[1:] + _EDGES[:-1]) / 2
#: Weights of B-cubed precision relative to recall that are tried to find the largest F.
_PRECISION = tuple(2.0 ** np.arange(-3, 3.01, 0.5))
#: The share at which both decisions are equally good for a pair.
_EVEN = 0.5


@dataclass(frozen=True, eq=False)
class Belief:
    """Shares of the pairs of each node that belong together, from judged pairs.

    Attributes
    ----------
    mean, std : ndarray of shape (n_nodes,)
        Of the posterior.
    regret : ndarray of shape (n_nodes,)
        Expected loss per pair of the decision that the mean implies.
    n_pairs, n_same : ndarray of shape (n_nodes,)
        Numbers of judged pairs, and of those judged as together.
    """

    mean: Array
    std: Array
    regret: Array
    n_pairs: Array
    n_same: Array


def believe(tree: JoinTree, nodes: Array, same: Array, error_rate: float) -> Belief:
    """Posteriors of all nodes.

    Parameters
    ----------
    tree : JoinTree
    nodes : ndarray of shape (n_pairs,)
        The node of each judged pair.
    same : ndarray of bool of shape (n_pairs,)
        Whether it was judged as together.
    error_rate : float
        Share of wrong judgements.
    """
    from scipy.special import betainc

    n_nodes = len(tree.size)
    offset, design = _design(tree)
    expected = _expected(offset, design, nodes, same, error_rate)
    n_pairs = np.bincount(nodes, minlength=n_nodes)
    n_same = np.bincount(nodes, same, minlength=n_nodes)
    share = np.clip(expected, 0.001, 0.999)[:, None]
    until = betainc(PRIOR_PAIRS * share, PRIOR_PAIRS * (1 - share), _EDGES)
    judged = judged_share(_GRID, error_rate)
    log_density = (
        np.log(np.maximum(np.diff(until, axis=1), 1e-300))
        + n_same[:, None] * np.log(judged)
        + (n_pairs - n_same)[:, None] * np.log1p(-judged)
    )
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    density /= density.sum(axis=1, keepdims=True)
    mean = density @ _GRID
    std = np.sqrt(np.maximum(density @ _GRID**2 - mean**2, 0))
    above = density @ np.maximum(_GRID - _EVEN, 0)
    below = density @ np.maximum(_EVEN - _GRID, 0)
    return Belief(mean, std, np.where(mean >= _EVEN, below, above), n_pairs, n_same)


def _design(tree: JoinTree) -> tuple[Array, Array]:
    """Offset and columns of the logistic model of all nodes.

    The columns are the height, how much higher a join is than those below it, the logarithm of the
    smaller side, whether the node is between clusters, and one for each cluster.
    """
    inside = tree.cluster > 0
    below = np.where(tree.is_leaf, tree.height, tree.height[tree.children].max(axis=1))
    smaller = np.where(tree.is_leaf, tree.size, tree.sides.min(axis=1))
    columns = np.stack(
        [tree.height, tree.height - below, np.log(np.maximum(smaller, 1)), ~inside], axis=1
    )
    spread = columns.std(axis=0)
    columns = (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1)
    own = (tree.cluster[:, None] == np.array([*tree.roots])).astype(float)
    offset = _SLOPE * (1 - tree.height) + np.where(inside, _INSIDE, -_INSIDE)
    return offset, np.hstack([np.ones((len(inside), 1)), columns, own])


def _expected(offset: Array, design: Array, nodes: Array, same: Array, error_rate: float) -> Array:
    """Share of each node by a logistic regression on all judged pairs, with a ridge penalty."""
    from scipy.optimize import minimize
    from scipy.special import expit

    def loss(coefficients: Array) -> tuple[float, Array]:
        share = expit(offset[nodes] + design[nodes] @ coefficients)
        value, slope = judgement_loss(share, same, error_rate)
        gradient = design[nodes].T @ (slope * share * (1 - share)) + _RIDGE * coefficients
        return float(value + _RIDGE / 2 * coefficients @ coefficients), gradient

    start = np.zeros(design.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B") if len(nodes) else None
    coefficients = start if found is None else found.x
    expected: Array = expit(offset + design @ coefficients)
    return expected


def best_joins(tree: JoinTree, belief: Belief, caution: float) -> Array:
    """Whether each node holds in the clusters with the largest expected B-cubed F.

    Parameters
    ----------
    caution : float
        Standard deviations of a share by which the evidence must exceed what a change needs.

    Notes
    -----
    B-cubed precision and recall are sums over parts, so that the cut of the tree with the largest
    weighted sum of both is found from below: a node holds if it gains more than the best parts of
    its sides. The weight with the largest F among some is kept.
    """
    toward = np.where(tree.cluster > 0, caution, -caution)
    share = np.clip(belief.mean + toward * belief.std, 0, 1)
    # Clusters are merged on evidence alone.
    share[(tree.cluster <= 0) & (belief.n_pairs == 0)] = 0
    precise, recalled = _gains(tree, share)
    n = max(tree.size[tree.is_leaf].sum(), 1)
    found: tuple[float, Array] | None = None
    for weight in (None, *_PRECISION):
        joined = _status_quo(tree) if weight is None else _cut(tree, weight * precise + recalled)
        tops = _tops(tree, joined)
        precision, recall = precise[tops].sum() / n, recalled[tops].sum() / n
        f = 2 * precision * recall / max(precision + recall, 1e-12)
        if found is None or f > found[0] + 1e-9:
            found = f, joined
    assert found is not None
    return found[1]


def _gains(tree: JoinTree, share: Array) -> tuple[Array, Array]:
    """What each node adds to the sums of B-cubed precision and recall if it is a part.

    Of n images with t expected pairs that belong together, precision gains (n + 2 t) / n, and
    recall the sum over images of the expected number of images that belong with them in the node,
    divided by that in all nodes.
    """
    leaf, (left, right), size = tree.is_leaf, tree.children.T, tree.size.astype(float)
    outside, pairs, recall, inverse = np.zeros((4, len(size)))
    for node in np.flatnonzero(~leaf)[::-1]:
        a, b = left[node], right[node]
        outside[a] = outside[node] + size[b] * share[node]
        outside[b] = outside[node] + size[a] * share[node]
    for node in range(len(size)):
        if leaf[node]:
            own = 1 + (size[node] - 1) * share[node]
            inverse[node] = size[node] / (own + outside[node])
            pairs[node] = size[node] * (own - 1) / 2
            recall[node] = own * inverse[node]
            continue
        a, b = left[node], right[node]
        pairs[node] = pairs[a] + pairs[b] + size[a] * size[b] * share[node]
        inverse[node] = inverse[a] + inverse[b]
        across = size[b] * inverse[a] + size[a] * inverse[b]
        recall[node] = recall[a] + recall[b] + share[node] * across
    return 1 + 2 * pairs / size, recall


def _cut(tree: JoinTree, gain: Array) -> Array:
    """Whether each node holds in the cut of the tree with the largest sum of gains."""
    best = gain.copy()
    joined = np.ones(len(gain), dtype=bool)
    for node in np.flatnonzero(~tree.is_leaf):
        a, b = tree.children[node]
        apart = best[a] + best[b]
        # Ties leave clusters as they are.
        slack = 1e-9 if tree.cluster[node] > 0 else -1e-9
        joined[node] = gain[node] + slack > apart
        best[node] = max(gain[node], apart)
    return joined


def _status_quo(tree: JoinTree) -> Array:
    """Whether each node holds in the clusters as they are."""
    inside: Array = tree.cluster > 0
    return inside


def _tops(tree: JoinTree, joined: Array) -> Array:
    """The nodes that are parts."""
    return np.unique(tree.parts(joined)[tree.group >= 0])


def stakes(tree: JoinTree) -> Array:
    """Number of images to which the decision about a node matters, 0 for leaves.

    The harmonic mean of both sides: half of what B-cubed precision changes in sum if no pair
    belongs together.
    """
    sides = tree.sides.astype(float)
    total = np.maximum(sides.sum(axis=1), 1)
    stake: Array = 2 * sides.prod(axis=1) / total
    return stake


def proposed(
    tree: JoinTree, belief: Belief, n: int, left: Array, asked: list[Piece]
) -> tuple[Array, Array]:
    """How many pairs of each node, and of each piece that pairs divide, to judge next.

    They go where a wrong decision would cost most.

    Parameters
    ----------
    n : int
        Number of pairs.
    left : ndarray of shape (n_nodes,)
        Pairs of each node that are not judged.
    asked : list of Piece
    """
    n_nodes = len(left)
    cost = np.append(stakes(tree) * belief.regret, [piece.loss() for piece in asked])
    power = np.repeat([1.5, 1.0], [n_nodes, len(asked)])
    # The regret of a node knows the pairs that were judged across it.
    known = np.append(np.zeros(n_nodes), [piece.n_pairs for piece in asked])
    limit = np.append(left, [len(piece.images) // 2 for piece in asked])
    wanted = np.zeros(len(cost), dtype=np.int64)
    for _ in range(n):
        gain = np.where(wanted < limit, cost / (1 + known + wanted) ** power, -1)
        place = int(np.argmax(gain))
        if gain[place] <= 0:
            break
        wanted[place] += 1
    return wanted[:n_nodes], wanted[n_nodes:]
