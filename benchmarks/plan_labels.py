"""Whether samples that ``plan_labels()`` plans have intervals of the width that was asked for.

The corpora and machines are those of ``label_shares.py``: 50 clusters, errors that depend on the
party. A pilot of five images of each cluster is labelled; the plan asks for an interval of width
0.06; the images that it names are labelled as well.

    python benchmarks/plan_labels.py [--corpora 300]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from label_shares import MACHINES, MIXED, cells, corpus, draw, estimates
from machine import sized, write_result

from imagestrata import plan_labels

WIDTH, PILOT = 0.06, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=sized(3, 200, 300))
    n = parser.parse_args().corpora
    rows = []
    for machine in MACHINES:
        rng = np.random.default_rng(11)
        found = pd.DataFrame([one_corpus(rng, machine) for _ in range(n)])
        rows.append(
            {
                "machine": machine,
                "labels planned, sample": round(found["alone"].mean()),
                "labels planned, corrected": round(found["needed"].mean()),
                "mean width": f"{found['width'].mean():.4f}",
                "widths, 5% to 95%": "{:.3f} to {:.3f}".format(
                    *found["width"].quantile([0.05, 0.95])
                ),
                "as many labels, equal numbers": f"{found['equal'].mean():.4f}",
                "holds the truth": f"{100 * found['holds'].mean():.1f}",
            }
        )
    write_result(
        "plan_labels",
        rows,
        simulations=n,
        title=f"Plans for an interval of width {WIDTH}",
        notes=[
            f"{n} simulated corpora per row of about 3,300 images in 50 clusters; a pilot of "
            f"{PILOT} images of each cluster, and the images that plan_labels() adds to it.",
            "Labels planned: for the estimate from the sample alone, and for the corrected one, "
            "of which the width was then measured. Equal numbers: the width with as many labels "
            "spread over clusters in equal numbers.",
        ],
    )


def one_corpus(rng: np.random.Generator, machine: str) -> dict[str, Any]:
    images = corpus(rng, 0.3, 50, by_cluster=False, spread=MIXED)
    cluster = images["cluster"].to_numpy()
    size, rank = np.bincount(cluster), draw(rng, cluster)
    ids = np.arange(len(images)).astype(str)
    pilot = rank <= PILOT
    sample = pd.DataFrame(
        {"image_id": ids, "cluster": cluster, "N_h": size[cluster], "n_h": PILOT}
    )[pilot]
    labels = pd.DataFrame({"image_id": ids, "code": "x", "label": images["label"]})[pilot]
    predictions = pd.DataFrame(
        {"image_id": ids, "label": "x", "probability": images[machine], "split": "fold"}
    )
    places = pd.DataFrame({"image_id": ids, "cluster": cluster})
    plan = plan_labels(labels, predictions, sample, width=WIDTH, clustering=places)
    needed = pd.DataFrame(plan.attrs["needed"]).set_index("method")["n_needed"]
    n_h = (plan["n_h"] + plan["n_next"]).to_numpy()
    every = np.minimum(int(np.ceil(n_h.sum() / 50)), size - 1)
    truth, groups = {"all": images["label"].mean()}, cells(np.full(len(images), "all"))
    planned, equal = (
        list(estimates(images, rank, numbers, machine, groups, truth))[-1]
        for numbers in (n_h, every)
    )
    return {
        "alone": needed["sample"],
        "needed": needed["corrected"],
        "width": planned["width"],
        "equal": equal["width"],
        "holds": planned["holds"],
    }


if __name__ == "__main__":
    main()
