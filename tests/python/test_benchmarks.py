"""The benchmarks have one runner, sizes and one form of results."""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RESULTS = sorted((BENCHMARKS / "results").glob("*.json"))


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """machine.py and run.py, with results in a folder of their own."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("IMAGESTRATA_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("IMAGESTRATA_SIZE", "smoke")
    modules = [importlib.import_module(name) for name in ("machine", "run")]
    yield modules
    for name in ("machine", "run"):
        sys.modules.pop(name)


def test_no_benchmark_is_forgotten(bench):
    _, run = bench
    files = {file.name for file in BENCHMARKS.iterdir() if file.suffix in (".py", ".R")}
    assert set(run.scripts("full")) | set(run.OTHERS) == files
    assert set(run.scripts("full")) == set(run.scripts("standard")) | set(run.LONG)
    for name in run.scripts("full"):
        text = (BENCHMARKS / name).read_text(encoding="utf-8")
        assert "write_result(" in text or "campaign(" in text, name


def test_what_has_a_clock_runs_alone_before_all_others(bench, monkeypatch, capsys):
    _, run = bench
    assert run.alone("startup.py")
    assert run.alone("prevalence_seconds.R")
    assert run.alone("gallery.py")
    assert not run.alone("pairs.py")
    ends = {}

    def pretend(script, threads=None):
        begun = time.monotonic()
        time.sleep(0.02)
        ends[script] = (begun, time.monotonic(), threads)
        return {"script": script}

    monkeypatch.setattr(run, "run", pretend)
    found = list(run.run_all(["pairs.py", "startup.py", "quality.py", "prevalence_seconds.R"]))
    assert [row["script"] for row in found][:2] == ["startup.py", "prevalence_seconds.R"]
    assert "may do other work" in capsys.readouterr().out
    assert [ends[name][2] for name in ("pairs.py", "quality.py")] == [1, 1]
    assert ends["prevalence_seconds.R"][0] >= ends["startup.py"][1]
    last = ends["prevalence_seconds.R"][1]
    assert min(ends["pairs.py"][0], ends["quality.py"][0]) >= last


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_results_have_one_form(file):
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["machine"]
    assert len({tuple(row) for row in found["rows"]}) == 1
    cells = [cell for row in found["rows"] for cell in row.values()]
    assert all(cell is None or isinstance(cell, str | int | float) for cell in cells)


def test_texts_of_numbers_are_numbers(bench):
    machine, _ = bench
    texts = ["1,234", "+0.50", "-.5", "7", "", "94%", "0.5 (0.1)", "one", 3, None]
    numbers = [1234, 0.5, -0.5, 7, None, "94%", "0.5 (0.1)", "one", 3, None]
    assert [machine.number(text) for text in texts] == numbers


def test_a_result_has_the_machine_the_commit_and_its_error(bench, capsys):
    machine, _ = bench
    rows = [{"what": "one", "covers": "94.0"}, {"what": "two", "covers": None}]
    machine.write_result("tried", rows, notes=["A note."], title="Tried", simulations=100)
    found = json.loads((machine.RESULTS / "tried.json").read_text(encoding="utf-8"))
    assert found["rows"] == [{"what": "one", "covers": 94.0}, {"what": "two", "covers": None}]
    assert (found["size"], found["simulations"]) == ("smoke", 100)
    assert found["commit"] == machine.commit()
    page = (machine.RESULTS / "tried.md").read_text(encoding="utf-8")
    assert page == capsys.readouterr().out
    assert "| one | 94.0 |" in page
    assert "100 simulations, a true coverage of 95% gives 90.7 to 99.3%." in page


@pytest.mark.parametrize("made", ["0123abcd", "01234567"])
def test_each_row_of_a_campaign_has_its_commit(bench, monkeypatch, made):
    machine, _ = bench
    campaign = importlib.import_module("campaign")

    def report(test, outcome, *moments):
        return SimpleNamespace(
            nodeid=f"tests/test_it.py::{test}",
            when="call",
            outcome=outcome,
            passed=outcome == "passed",
            user_properties=[("moments", one) for one in moments],
            duration=2.4,
        )

    for commit, outcome in ((made, "failed"), ("89abcdef+", "passed")):
        monkeypatch.setattr(campaign, "commit", lambda commit=commit: commit)
        table = campaign.Table("struck", "Struck", ["A note."])
        monkeypatch.setattr(campaign, "commit", lambda: "a later one")
        if outcome == "failed":
            table.pytest_runtest_logreport(report("test_stopped_it_goes_on[scan-error]", "passed"))
            table.pytest_runtest_logreport(report("test_killed[scan]", "failed", "3 of 9"))
        else:
            table.pytest_runtest_logreport(report("test_killed[scan]", "passed", "9 of 9"))
        table.pytest_runtest_logreport(report("test_links", outcome))
    sys.modules.pop("campaign")
    rows = json.loads((machine.RESULTS / "struck.json").read_text(encoding="utf-8"))["rows"]
    assert [tuple(row.values()) for row in rows] == [
        ("killed", "scan", "9 of 9", "passed", 2, "89abcdef+"),
        ("links", None, None, "passed", 2, "89abcdef+"),
        ("stopped it goes on (error)", "scan", None, "passed", 2, made),
    ]
    page = (machine.RESULTS / "struck.md").read_text(encoding="utf-8")
    assert "- A note.\n- 6 s in all." in page and "each row on its commit." in page


def test_the_runner_goes_on_after_a_failure_and_does_not_repeat(
    bench, monkeypatch, tmp_path, capsys
):
    machine, run = bench
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    times = "with open('times', 'a') as file: file.write('x')"
    (folder / "bad.py").write_text("raise SystemExit('It fails.')")
    (folder / "good.py").write_text(times)
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setattr(machine, "commit", lambda: "0123abcd")
    monkeypatch.setattr(run, "HERE", folder)
    monkeypatch.setattr(run, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(sys, "argv", ["run.py"])
    for _ in range(2):
        assert run.main() == 1
        assert "bad.py failed:\nIt fails." in capsys.readouterr().out
    assert (tmp_path / "times").read_text() == "x"
    found = json.loads((machine.RESULTS / "bench.json").read_text(encoding="utf-8"))
    states = {row["script"]: row["state"] for row in found["rows"]}
    assert states == {"bad.py": "failed (1)", "good.py": "done"}
    monkeypatch.setattr(machine, "commit", lambda: "0123abcd+")
    run.main()
    assert (tmp_path / "times").read_text() == "xx"
