"""Labels, predictions and a sample joined into observations: what is known about which image.

An *image* is one of the corpus that the sample represents; a *target* is a code, or one answer of a
code with several. A stratum is a set of images from which a simple random sample was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ..clustering.copies import ids_of_kept, kept_images
from ..errors import ImagestrataError, plural, warn
from ..finetune.unseen import check_unseen, warn_unknown_split
from ..tables import check_table, id_texts, label_texts, tell_alike
from ..text.machines import by_machine, refuse_machine_labels
from ..validate import check_choice
from ..wording import Name, arg, quote, verb

Array: TypeAlias = np.ndarray[Any, Any]

KINDS = ("binary", "choice", "scale", "text")

#: Decisions as text, as in files.
_FLAGS = {"1": 1.0, "true": 1.0, "0": 0.0, "false": 0.0}


@dataclass(frozen=True, eq=False)
class Target:
    """A code, or one of its answers, and its values: arrays with a place per image.

    Attributes
    ----------
    code : str
    label : str or None
        The answer; None for a scale.
    kind : {"binary", "choice", "scale"}
    y : array of shape (images,)
        1 or 0, or the rating; missing for images without a label.
    f : array of shape (images,)
        The prediction: a probability if there is one; missing if there is none.
    decided : array of shape (images,)
        The machine's label as it would be counted: 1 or 0, or a rating.
    """

    code: str
    label: str | None
    kind: str
    y: Array
    f: Array
    decided: Array

    @property
    def predicted(self) -> bool:
        return bool(np.isfinite(self.f).any())


@dataclass(frozen=True, eq=False)
class Observed:
    """What is known about the images that a sample represents.

    Attributes
    ----------
    images : DataFrame
        ``image_id``, ``stratum`` (the row in ``strata``; -1 if it is not known) and the columns of
        the clustering, or of the sample.
    strata : DataFrame
        ``cluster``, ``wave``, ``N_h``, ``n_h``.
    targets : list of Target
    whole : bool
        Whether ``images`` are all images that the sample represents, or only the sampled ones.
    placed : bool
        Whether the strata of all images are known.
    n_sampled : int
    """

    images: pd.DataFrame
    strata: pd.DataFrame
    targets: list[Target]
    whole: bool
    placed: bool
    n_sampled: int

    @property
    def n_images(self) -> int:
        """The number of images that the sample represents."""
        return int(self.strata["N_h"].sum())

    @property
    def codes(self) -> list[str]:
        return [*dict.fromkeys(target.code for target in self.targets)]

    def targets_of(self, code: str) -> list[Target]:
        return [target for target in self.targets if target.code == code]


def observe(labels: Any, predictions: Any, sample: Any, clustering: Any = None) -> Observed:
    """Join labels, predictions and the sample.

    Parameters
    ----------
    labels : DataFrame
        ``image_id``, ``code``, ``label``; and ``kind`` and ``annotator``, if there are any.
    predictions : DataFrame or None
        Of :func:`imagestrata.predict_labels`, or a table like the labels.
    sample : DataFrame
        Of :func:`imagestrata.sample_images`.
    clustering : Clustering or DataFrame, optional
        From which the sample was drawn.

    Raises
    ------
    ImagestrataError
        If the tables do not fit together, images have several labels of a code, or a model has
        learnt from the labels.

    Warns
    -----
    UserWarning
        With numbers, if labels or images are left out or represented by others.
    """
    given, copies = kept_images(clustering)
    drawn = _check_sample(sample)
    table = _check_labels(labels, copies)
    guesses = None if predictions is None else _check_predictions(predictions, copies)
    images, strata, whole = _frame(drawn, given, guesses)
    table = _in_sample(table, drawn)
    kinds = _kinds(table)
    if guesses is not None:
        check_unseen(guesses, table["image_id"])
    targets = _targets(table, kinds, guesses, images)
    _tell_unlabelled(targets, len(drawn))
    if guesses is not None:
        _tell_unpredicted(targets)
    placed = bool((images["stratum"] >= 0).all())
    return Observed(images, strata, targets, whole, placed, len(drawn))


def observe_sampled(labels: Any, predictions: Any, sample: Any = None) -> Observed:
    """Join labels and predictions of the sampled, or else of the labelled, images alone.

    Parameters, errors and warnings are those of :func:`observe`.
    """
    drawn = None if sample is None else _check_sample(sample)
    table = _check_labels(labels, {})
    guesses = _check_predictions(predictions, {})
    if drawn is None:
        images = pd.DataFrame({"image_id": table["image_id"].unique()})
        strata = pd.DataFrame({"N_h": [len(images)]})
    else:
        images, strata, _ = _frame(drawn, None, None)
        table = _in_sample(table, drawn)
    check_unseen(guesses, table["image_id"])
    targets = _targets(table, _kinds(table), guesses, images)
    if drawn is not None:
        _tell_unlabelled(targets, len(drawn))
    return Observed(images, strata, targets, False, drawn is not None, len(images))


# ---- The corpus --------------------------------------------------------------------------


def _check_sample(sample: Any) -> pd.DataFrame:
    needed = ("image_id", "cluster", "N_h", "n_h")
    if sample is None:
        raise ImagestrataError(
            f"{arg('sample')} is needed: it says how the labelled images were drawn.",
            f"Give the result of {verb('sample_images')}.",
        )
    table = check_table("sample", sample, needed, "sample_images", whole=needed)
    table = table.reset_index(drop=True)
    table["wave"] = table.get("wave", 1)
    twice = table["image_id"].duplicated()
    if twice.any():
        raise ImagestrataError(
            f"{arg('sample')} has the image {quote(table['image_id'][twice].iloc[0])} twice.",
            f"Give the sample as {verb('sample_images')} returned it.",
        )
    rows = _stratum_ids(table)
    table["stratum"] = rows
    sizes = table.groupby("stratum").agg(
        N_h=("N_h", "nunique"), n_h=("n_h", "first"), n_sizes=("n_h", "nunique"),
        rows=("image_id", "size"), cluster=("cluster", "first"), big=("N_h", "first"),
    )  # fmt: skip
    wrong = sizes[(sizes["rows"] != sizes["n_h"]) | (sizes["n_sizes"] > 1) | (sizes["N_h"] > 1)]
    if len(wrong):
        one = wrong.iloc[0]
        raise ImagestrataError(
            f"{arg('sample')} has {plural(int(one['rows']), 'image')} of cluster {one['cluster']}, "
            f"but {quote('n_h')} says that {int(one['n_h']):,} were drawn.",
            f"Give the whole sample as {verb('sample_images')} returned it. Images that nobody "
            "labelled stay in it.",
        )
    if (sizes["big"] < sizes["n_h"]).any():
        one = sizes[sizes["big"] < sizes["n_h"]].iloc[0]
        raise ImagestrataError(
            f"{arg('sample')} has more images of cluster {one['cluster']} ({int(one['n_h']):,}) "
            f"than the cluster has ({int(one['big']):,})."
        )
    return table


def _stratum_ids(sample: pd.DataFrame) -> Array:
    """The stratum of each row as 0, 1, ...: those of a cluster by wave, the residual last."""
    key = sample.get("stratum")
    strata = sample[["cluster", "wave"]].assign(key=key).drop_duplicates()
    last = (strata["cluster"].astype("str") == "-1").to_numpy()
    cluster, wave = strata["cluster"].to_numpy(), strata["wave"].to_numpy()
    text = np.zeros(len(strata)) if key is None else strata["key"].astype("str").to_numpy()
    ordered = strata.iloc[np.lexsort([text, wave, cluster, last])].reset_index(drop=True)
    columns = ["cluster", "wave"] if key is None else ["cluster", "wave", "key"]
    found = (
        sample[["cluster", "wave"]]
        .assign(key=key)[columns]
        .merge(ordered[columns].assign(_id=np.arange(len(ordered))), how="left", on=columns)
    )
    return found["_id"].to_numpy()


def _frame(
    sample: pd.DataFrame, given: pd.DataFrame | None, guesses: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame, bool]:
    """All images that the sample represents, and its strata."""
    strata = (
        sample.groupby("stratum")
        .agg(
            cluster=("cluster", "first"), wave=("wave", "first"), N_h=("N_h", "first"),
            n_h=("n_h", "first"),
        )
        .reset_index(drop=True)
    )  # fmt: skip
    ids = sample["image_id"]
    if given is not None:
        return _placed(sample, given, strata), strata, True
    if guesses is None:
        own = sample.drop(columns=["N_h", "n_h"])
        return own, strata, False
    known = pd.Series(guesses["image_id"].unique(), dtype="str")
    lacks = ids[~ids.isin(known)]
    n = int(strata["N_h"].sum())
    images = pd.concat([known, lacks], ignore_index=True)
    if len(images) != n:
        raise ImagestrataError(
            f"{arg('predictions')} are of {plural(len(known), 'image')}, but {arg('sample')} "
            f"represents {n:,}.",
            f"Give the clustering as {arg('clustering')}: it says which images the sample "
            "represents.",
        )
    stratum = sample.set_index("image_id")["stratum"].reindex(images)
    frame = pd.DataFrame({"image_id": images.astype("str")})
    frame["stratum"] = stratum.fillna(-1).astype("int64").to_numpy()
    return frame, strata, True


def _placed(sample: pd.DataFrame, given: pd.DataFrame, strata: pd.DataFrame) -> pd.DataFrame:
    """The images of a clustering that the sample represents, with their strata."""
    lost = sample["image_id"][~sample["image_id"].isin(given["image_id"])]
    if len(lost):
        raise ImagestrataError(
            f"{len(lost):,} of {plural(len(sample), 'sampled image')} are not in "
            f"{arg('clustering')}, {quote(lost.iloc[0])} for one.",
            "Give the clustering from which the sample was drawn.",
        )
    # After edits, the strata are the clusters before them.
    for column in ("cluster", "cluster_found"):
        if column not in given:
            continue
        stratum = _strata_of(sample, given, column)
        n = np.bincount(stratum[stratum >= 0], minlength=len(strata))
        if (n == strata["N_h"].to_numpy()).all():
            break
        if column == "cluster":
            first = n
    else:
        wrong = int(np.flatnonzero(first != strata["N_h"].to_numpy())[0])
        raise ImagestrataError(
            f"{arg('sample')} says that cluster {strata['cluster'][wrong]} has "
            f"{plural(int(strata['N_h'][wrong]), 'image')}, but it has {first[wrong]:,} in "
            f"{arg('clustering')}.",
            "Give the clustering from which the sample was drawn. If images have joined it since, "
            f"draw some of them: {verb('sample_images', keep=Name('sample'))}.",
        )
    out = stratum < 0
    if out.any():
        n_clusters = given["cluster"][out].nunique()
        warn(
            f"{int(out.sum()):,} of {plural(len(given), 'image')} are in "
            f"{plural(n_clusters, 'cluster')} from which none was drawn: estimates are for the "
            f"other {int((~out).sum()):,}.",
            f"{verb('sample_images')} draws from clusters of one image with "
            f"{arg('singles', True)}, and from the residual with {arg('residual', 'together')}.",
        )
    images = given[~out].reset_index(drop=True)
    return images.assign(stratum=stratum[~out])


def _strata_of(sample: pd.DataFrame, given: pd.DataFrame, column: str) -> Array:
    """The stratum of each image: of its cluster, the first wave that could draw it; else -1."""
    of_image = given.set_index("image_id")[column]
    drawn = sample[["stratum", "wave"]].assign(
        cluster=of_image.reindex(sample["image_id"]).to_numpy()
    )
    drawn = drawn.drop_duplicates("stratum").sort_values("wave", ascending=False)
    wave = given["wave"].to_numpy() if "wave" in given else np.ones(len(given))
    found = np.full(len(given), -1)
    rows = given.groupby(column).indices
    for stratum, last, cluster in drawn.itertuples(index=False):
        members = rows[cluster]
        found[members[wave[members] <= last]] = stratum
    return found


# ---- Labels ------------------------------------------------------------------------------


def _check_labels(labels: Any, copies: dict[str, str]) -> pd.DataFrame:
    refuse_machine_labels(labels, "labels")
    table = check_table(
        "labels", labels, ("image_id", "code", "label"), "consensus", whole=("image_id", "code")
    ).reset_index(drop=True)
    table = table.assign(
        image_id=ids_of_kept(table["image_id"], copies),
        code=id_texts(table["code"], "code"),
        label=label_texts(table["label"]),
    )
    table = table[[name for name in ("image_id", "code", "label", "kind", "annotator")
                   if name in table]]  # fmt: skip
    same = ["image_id", "code", "label"]
    table = table[table["label"].notna()].drop_duplicates(same)
    if table.empty:
        raise ImagestrataError(f"All labels in {arg('labels')} are missing.")
    twice = table.duplicated(["image_id", "code"], keep=False)
    if twice.any():
        one = table[twice].iloc[0]
        both = table[(table["image_id"] == one["image_id"]) & (table["code"] == one["code"])]
        n = len(table.loc[twice, ["image_id", "code"]].drop_duplicates())
        raise ImagestrataError(
            f"{plural(n, 'image has', 'images have')} several labels of one code: "
            f"{quote(one['image_id'])} has {', '.join(map(quote, both['label']))} for "
            f"{quote(one['code'])}.",
            f"If they are by several annotators, use {verb('consensus')} first.",
        )
    words = table if "kind" not in table else table[table["kind"] != "text"]
    tell_alike(words["label"], words["code"])
    return table.reset_index(drop=True)


def _in_sample(table: pd.DataFrame, sample: pd.DataFrame) -> pd.DataFrame:
    known = table["image_id"].isin(sample["image_id"])
    n, lost = table["image_id"].nunique(), table["image_id"][~known].unique()
    if len(lost) == n:
        raise ImagestrataError(
            f"None of the {plural(n, 'labelled image')} is in {arg('sample')}, such as "
            f"{quote(lost[0])}.",
            "Labels of other images say nothing about the corpus, since nobody knows how they were "
            f"chosen. Give the sample that was labelled, of {verb('sample_images')}.",
        )
    if len(lost):
        warn(
            f"{len(lost):,} of {plural(n, 'labelled image')} are not in {arg('sample')}, "
            f"{quote(lost[0])} for one: they are left out, since nobody knows how they were chosen."
        )
    return table[known].reset_index(drop=True)


def _kinds(table: pd.DataFrame) -> dict[str, str]:
    """The kind of each code that has labels: given, or that of its labels."""
    kinds: dict[str, str] = {}
    for code, rows in table.groupby("code", sort=False):
        labels = rows["label"]
        numbers = pd.to_numeric(labels, errors="coerce")
        given: list[str] = [*rows["kind"].dropna().unique()] if "kind" in rows else []
        if len(given) > 1:
            raise ImagestrataError(
                f"The code {quote(code)} has several kinds: {', '.join(map(quote, given))}.",
                "Give each code one kind.",
            )
        if len(given):
            kind = check_choice("kind", given[0], KINDS)
        elif labels.isin(["0", "1"]).all():
            kind = "binary"
        else:
            kind = "scale" if numbers.notna().all() else "choice"
        wrong = labels[~labels.isin(["0", "1"])] if kind == "binary" else labels[:0]
        wrong = labels[numbers.isna()] if kind == "scale" else wrong
        if len(wrong):
            what = quote("1") + " or " + quote("0") if kind == "binary" else "numbers"
            raise ImagestrataError(
                f"Labels of the code {quote(code)} must be {what}, since it is {quote(kind)}, "
                f"not {quote(wrong.iloc[0])}."
            )
        kinds[str(code)] = kind
    texts = [code for code, kind in kinds.items() if kind == "text"]
    if texts:
        if len(texts) == len(kinds):
            raise ImagestrataError(
                f"{arg('labels')} holds free text only ({', '.join(map(quote, texts))}), of which "
                "there are no shares.",
                "Code the answers into categories first.",
            )
        warn(f"Codes of free text are left out: {', '.join(map(quote, texts))}.")
    return {code: kind for code, kind in kinds.items() if kind != "text"}


# ---- Predictions -------------------------------------------------------------------------


def _check_predictions(predictions: Any, copies: dict[str, str]) -> pd.DataFrame:
    table = check_table(
        "predictions", predictions, ("image_id", "label"), "predict_labels", whole=("image_id",)
    ).reset_index(drop=True)
    if {"confidence", "decision"} <= {*table} and "probability" not in table:
        table = table.rename(columns={"confidence": "probability"})  # as tag_images() returns it
    if not {"code", "probability", "decision"} & {*table}:
        raise ImagestrataError(
            f"{arg('predictions')} must have a column 'probability' or 'decision', or a column "
            f"'code'; it has {', '.join(map(str, table))}.",
            f"Give the result of {verb('predict_labels')}, or labels by a machine with the columns "
            "image_id, code and label.",
        )
    table = table.assign(
        image_id=ids_of_kept(table["image_id"], copies), label=label_texts(table["label"])
    )
    probability = ["probability"] if "probability" in table else []
    if "code" in table:
        table["code"] = id_texts(table["code"], "code")
        values, keys = ["label", *probability], ["image_id", "code"]
    else:
        values = [*probability, *(["decision"] if "decision" in table else [])]
        keys = ["image_id", "label"]
    kept = [*keys, *values, *[name for name in ("split",) if name in table]]
    source = table
    table = table[kept].drop_duplicates()
    twice = table.duplicated(keys)
    if twice.any():
        one = table[twice].iloc[0]
        raise ImagestrataError(
            f"{arg('predictions')} has several predictions of {quote(one[keys[1]])} for the image "
            f"{quote(one['image_id'])}.",
            "Give the predictions of one model, one row per image and label.",
        )
    if "split" not in table and not ("code" in source and by_machine(source).all()):
        warn_unknown_split()
    return table.reset_index(drop=True)


def _targets(
    table: pd.DataFrame,
    kinds: dict[str, str],
    guesses: pd.DataFrame | None,
    images: pd.DataFrame,
) -> list[Target]:
    places = pd.Index(images["image_id"])
    targets = []
    lacks = []
    for code, kind in kinds.items():
        rows = table[table["code"] == code]
        own = None if guesses is None else _of_code(guesses, code, kind, rows["label"])
        if guesses is not None and own is None:
            lacks.append(code)
        answers: list[str | None] = [None]
        if kind == "binary":
            answers = ["1"]
        elif kind == "choice":
            found = {*rows["label"]}
            if own is not None and ("code" in own or len(kinds) == 1):
                found |= {*own["label"].dropna()}
            answers = [*sorted(found)]
        at = places.get_indexer(rows["image_id"])
        for answer in answers:
            y = np.full(len(places), np.nan)
            y[at] = (
                pd.to_numeric(rows["label"]) if kind == "scale" else rows["label"] == answer
            ).to_numpy(float)
            f, decided = _predicted(own, answer, code, kind, places)
            targets.append(Target(code, answer, kind, y, f, decided))
    if guesses is not None and len(lacks) == len(kinds):
        seen = guesses["code" if "code" in guesses else "label"].dropna().unique()
        raise ImagestrataError(
            f"{arg('predictions')} are of none of the codes {', '.join(map(quote, lacks))}; they "
            f"are of {', '.join(map(quote, seen[:12]))}.",
            "Rename one or the other: for a binary code, the label of the predictions is the code; "
            "for a choice, the labels are its answers.",
        )
    if lacks:
        warn(
            f"{arg('predictions')} has nothing about {', '.join(map(quote, lacks))}: there are "
            "only estimates from the sample."
        )
    return targets


def _of_code(
    guesses: pd.DataFrame, code: str, kind: str, labels: pd.Series[Any]
) -> pd.DataFrame | None:
    """The predictions of a code; None if there are none."""
    if "code" in guesses:
        own = guesses[guesses["code"] == code]
        numbers = pd.to_numeric(own["label"], errors="coerce")
        wrong = pd.Series(False, own.index)
        if kind == "binary":
            wrong = own["label"].notna() & ~own["label"].isin(["0", "1"])
        elif kind == "scale":
            wrong = own["label"].notna() & numbers.isna()
        if wrong.any():
            raise ImagestrataError(
                f"{arg('predictions')} of the code {quote(code)} must be as its labels are "
                f"({quote(kind)}), not {quote(own['label'][wrong].iloc[0])}."
            )
    elif kind == "binary":
        own = guesses[guesses["label"] == code]
    elif kind == "choice":
        own = guesses if guesses["label"].isin(labels).any() else guesses[:0]
    else:
        own = guesses[:0]
    return own if len(own) else None


def _predicted(
    own: pd.DataFrame | None, answer: str | None, code: str, kind: str, places: pd.Index[Any]
) -> tuple[Array, Array]:
    """Predictions of a target for each image, and the labels that the machine decides on."""
    f = np.full(len(places), np.nan)
    if own is None:
        return f, f.copy()
    if "code" in own:
        value = (
            pd.to_numeric(own["label"])
            if kind == "scale"
            else (own["label"] == answer).astype(float).where(own["label"].notna())
        ).to_numpy(float)
        decision = value
        if kind == "binary" and "probability" in own:
            value = _of_yes(own["probability"].to_numpy(float), value)
    else:
        if kind == "choice":
            # A class that is never predicted has the probability 0.
            of = "probability" if "probability" in own else "decision"
            known = places.get_indexer(pd.Index(own["image_id"][own[of].notna()].unique()))
            f[known[known >= 0]] = 0.0
        own = own[own["label"] == (code if kind == "binary" else answer)]
        decision = (
            label_texts(own["decision"]).str.lower().map(_FLAGS).to_numpy(float)
            if "decision" in own
            else np.full(len(own), np.nan)
        )
        value = own["probability"].to_numpy(float) if "probability" in own else decision
        if "decision" not in own:
            # Without decisions, a binary label is given from a half on; classes compete.
            decision = (
                np.where(np.isnan(value), np.nan, value >= 0.5) if kind == "binary" else value
            )
    wrong = value[(value < 0) | (value > 1)]
    if kind != "scale" and len(wrong):
        raise ImagestrataError(
            f"Probabilities in {arg('predictions')} must be between 0 and 1, not "
            f"{quote(float(wrong[0]))}."
        )
    at = places.get_indexer(pd.Index(own["image_id"]))
    decided = f.copy()
    f[at[at >= 0]], decided[at[at >= 0]] = value[at >= 0], decision[at >= 0]
    decided[np.isnan(f)] = np.nan
    return f, decided


def _of_yes(probability: Array, label: Array) -> Array:
    """Probabilities of "1"; those of the answer that was given are at least a half also for "0"."""
    no = (label == 0) & np.isfinite(probability)
    if no.any() and (probability[no] >= 0.5).all():
        probability = np.where(label == 0, 1 - probability, probability)
    return np.where(np.isnan(probability), label, probability)


# ---- What is reported --------------------------------------------------------------------


def _tell_unlabelled(targets: Sequence[Target], n_sampled: int) -> None:
    lacks = {
        target.code: n_sampled - n
        for target in targets
        if (n := int(np.isfinite(target.y).sum())) < n_sampled
    }
    if lacks:
        listed = ", ".join(f"{n:,} of {quote(code)}" for code, n in [*lacks.items()][:12])
        warn(
            f"Not every one of the {plural(n_sampled, 'sampled image')} has a label: missing are "
            f"{listed}. The labelled images of the same cluster represent the others.",
            "If images were skipped because of what they show, estimates are biased.",
        )


def _tell_unpredicted(targets: Sequence[Target]) -> None:
    lacks = {
        target.code: n
        for target in targets
        if target.predicted and (n := int(np.isnan(target.f).sum()))
    }
    if lacks:
        listed = ", ".join(f"{n:,} of {quote(code)}" for code, n in [*lacks.items()][:12])
        warn(
            f"Not every one of the {plural(len(targets[0].f), 'image')} has a prediction: missing "
            f"are {listed}. The machine's estimates leave them out, the corrected ones do not."
        )


def predictions_filled(f: Array) -> Array:
    """Predictions, where a missing one is the mean of the others.

    Corrected estimates are unbiased for any predictions that do not depend on the labels.
    """
    return np.where(np.isnan(f), np.nanmean(f), f) if np.isnan(f).any() else f
