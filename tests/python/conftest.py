"""Fixtures shared by all tests."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import hypothesis
import pytest

# scikit-learn's checks of estimators leave some out unless this is set before SciPy loads.
os.environ["SCIPY_ARRAY_API"] = "1"

# Tests that run side by side share the cores; this counts only before NumPy and torch load.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    cores = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores)))

# No test depends on the clock.
hypothesis.settings.register_profile("imagestrata", deadline=None)
hypothesis.settings.load_profile("imagestrata")

SHARED_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


#: Packages of the extras. A test that needs one that is not installed is skipped, and says so.
EXTRAS = {
    "av", "boto3", "botocore", "dask", "distributed", "dlib", "hdbscan", "krippendorff", "moto",
    "onnxruntime", "open_clip", "openai", "pytesseract", "rapidocr", "sentence_transformers",
    "starlette", "timm", "transformers", "umap", "uvicorn",
}  # fmt: skip
MISSING = {name for name in EXTRAS if importlib.util.find_spec(name) is None}

_WANTING = "needs the optional Python package {!r}, which is not installed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Any:
    return (yield from _skipped_where_a_package_is_missing())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    return (yield from _skipped_where_a_package_is_missing())


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    """A file of tests that imports such a package is skipped as a whole."""
    report = yield
    told = re.search(r"No module named '(\w+)", str(report.longrepr)) if report.failed else None
    if told and told[1] in MISSING:
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, f"Skipped: {_WANTING.format(told[1])}")
    return report


def _skipped_where_a_package_is_missing() -> Any:
    try:
        return (yield)
    except (Exception, pytest.fail.Exception) as error:
        missing = _missing_package(error)
        if missing is not None:
            pytest.skip(_WANTING.format(missing))
        raise


def _missing_package(error: BaseException | None) -> str | None:
    """The optional package for want of which a test failed, if there is one."""
    while error is not None:
        named = error.name if isinstance(error, ModuleNotFoundError) else None
        told = re.search(r"needs the Python package '(\w+)', which is not installed", str(error))
        name = (named or (told[1] if told else "")).partition(".")[0]
        if name in MISSING:
            return name
        error = error.__cause__ or error.__context__
    return None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real images and weights, which are never part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs real images and weights in {SHARED_DATA}, which is absent")
    return SHARED_DATA


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """A context in which permissions count, even where the tests run as root."""

    @contextmanager
    def as_nobody() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)

    return as_nobody


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium, started once; `make test` installs it."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("needs Chromium (Debian's package `chromium`), which is not installed")
    from playwright.sync_api import sync_playwright

    quiet = ["background-networking", "sync", "component-update", "gpu"]
    options = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=options)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """A tab for pages that must not complain or ask the network for anything."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    yield page
    context.close()
    assert complaints == []
    assert {url.split(":")[0] for url in requests} <= {"file", "data", "blob"}


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a network and without downloaded weights; its cache folder."""

    def no_network(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setattr("torch.hub.urlopen", no_network)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def invoke(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process; gives exit code, output and messages."""
    from imagestrata import cli

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["imagestrata", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        shown = capsys.readouterr()
        return int(stopped.value.code or 0), shown.out, shown.err

    return call
