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
from label_shares import MACHINES, cells, corpus, estimates
from machine import write_result

from imagestrata import plan_labels

WIDTH, PILOT = 0.06, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=300)
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
    images = corpus(rng, 0.3, 50, machine, by_cluster=False)
    rank = images.assign(u=rng.random(len(images))).groupby("cluster")["u"].rank()
    size = images.groupby("cluster")["label"].transform("size")

    def drawn(n_h: Any) -> pd.DataFrame:
        of = images.assign(N_h=size, n_h=np.minimum(n_h, size))
        return of[rank <= of["n_h"]][["image_id", "cluster", "N_h", "n_h"]]

    pilot = drawn(PILOT)
    labels = images.loc[pilot.index, ["image_id", "label"]].assign(code="x")
    predictions = pd.DataFrame(
        {"image_id": images["image_id"], "label": "x", "probability": images["f"], "split": "fold"}
    )
    places = images[["image_id", "cluster"]]
    plan = plan_labels(labels, predictions, pilot, width=WIDTH, clustering=places)
    needed = pd.DataFrame(plan.attrs["needed"]).set_index("method")["n_needed"]
    total = (plan["n_h"] + plan["n_next"]).set_axis(plan["cluster"])
    everyone = cells(np.full(len(images), "all"))
    found = estimates(images, drawn(images["cluster"].map(total)), everyone)
    row = found.set_index("method").loc["corrected"]
    equal = estimates(images, drawn(int(np.ceil(total.sum() / 50))), everyone)
    other = equal.set_index("method").loc["corrected"]
    return {
        "alone": needed["sample"],
        "needed": needed["corrected"],
        "width": row["conf_high"] - row["conf_low"],
        "equal": other["conf_high"] - other["conf_low"],
        "holds": row["conf_low"] <= images["label"].mean() <= row["conf_high"],
    }


if __name__ == "__main__":
    main()
