"""Types reach users: their type checker and editor know every public name."""

from __future__ import annotations

import inspect
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import imagestrata
from imagestrata import cluster_images, fine_tune, suggest_threshold, tune_model
from imagestrata.clustering.cluster import METHODS

REPOSITORY = Path(__file__).parents[2]

USER = """
from imagestrata import Clustering, Embeddings, cluster_images, image_gallery, sample_images

found = cluster_images("photos", k=10)
reveal_type(found)
reveal_type(found.images)
reveal_type(sample_images(found, 5))
reveal_type(Clustering.load("run"))
reveal_type(Embeddings.from_arrays([[1.0]]))
cluster_images(1, 2, 3, 4, nonsense=5)
cluster_images("photos", similarity_treshold=0.1)
cluster_images("photos", k="ten")
import imagestrata
imagestrata.clusterimages
"""


def test_the_stub_names_every_public_name():
    made = runpy.run_path(str(REPOSITORY / "tools" / "stubs.py"))
    assert made["STUB"].read_text(encoding="utf-8") == made["stub"](), "run: python tools/stubs.py"


def test_what_a_users_type_checker_says(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=", "--cache-dir", tmp_path / "cache",
         "--follow-imports=silent", "user.py"],
        cwd=tmp_path, env={**os.environ, "MYPYPATH": str(REPOSITORY / "python")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = run.stdout
    assert 'Revealed type is "imagestrata.clustering.clustering.Clustering"' in said
    assert 'Revealed type is "pandas' in said
    assert said.count('clustering.clustering.Clustering"') == 2
    assert 'Revealed type is "imagestrata.embeddings.embeddings.Embeddings"' in said
    for line in (
        'user.py:10: error: Unexpected keyword argument "nonsense"',
        "user.py:10: error: Too many positional arguments",
        'user.py:11: error: Unexpected keyword argument "similarity_treshold"',
        'user.py:12: error: Argument "k" to "cluster_images" has incompatible type "str"',
        'user.py:14: error: Module has no attribute "clusterimages"',
    ):
        assert line in said


@pytest.mark.parametrize("method", METHODS)
def test_settings_of_every_method_are_in_the_signature(method):
    parameters = inspect.signature(cluster_images).parameters
    own = {name for name in METHODS[method]().get_params() if name != "random_state"}
    assert own <= set(parameters)
    # For `neighbors`, None is a value: "auto" is the default of the method or preset.
    assert {name: parameters[name].default for name in own - {"neighbors"}} == dict.fromkeys(
        own - {"neighbors"}
    )
    assert parameters["neighbors"].default == "auto"
    every = {name for kind in METHODS.values() for name in kind().get_params()}
    known = {
        name
        for name in every
        if f"\n    {name} : " in str(inspect.getdoc(cluster_images)).replace("\n", "\n    ")
    }
    assert known == every - {"random_state"}


def test_a_threshold_takes_settings_of_the_iterative_method():
    parameters = set(inspect.signature(suggest_threshold).parameters)
    assert parameters - {"embeddings", "quantile", "n_draws", "preset", "seed", "progress"} <= set(
        METHODS["iterative"]().get_params()
    )


def test_a_tuned_model_has_the_arguments_of_fine_tune_with_their_defaults():
    tried, taught = (inspect.signature(verb).parameters for verb in (tune_model, fine_tune))
    # A grid is compared on validation images; folds would look at the test of each.
    assert set(taught) - set(tried) == {"folds"}
    both = set(tried) & set(taught) - {"out"}
    assert {n: tried[n].default for n in both} == {n: taught[n].default for n in both}


def test_no_public_verb_hides_its_arguments():
    for name in imagestrata.__all__:
        verb = getattr(imagestrata, name)
        if inspect.isfunction(verb) and name != "compare_clusterings":  # clusterings by name
            kinds = {one.kind for one in inspect.signature(verb).parameters.values()}
            assert inspect.Parameter.VAR_KEYWORD not in kinds, name
