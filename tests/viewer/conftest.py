"""A case to browse, and a real JupyterLab in a real browser."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import lits_toolkit
from lits_toolkit.data.case import Case, Grid

START_SECONDS = 60


@pytest.fixture(scope="session")
def made_case() -> tuple[Case, np.ndarray]:
    """A case with a reference, no two slices alike and no two sizes equal, and a prediction that is a little off."""
    rng = np.random.default_rng(7)
    z, y, x = np.indices((40, 60, 75))
    volume = rng.integers(-300, 500, z.shape).astype(np.int16)
    liver = ((z - 20) / 15) ** 2 + ((y - 28) / 18) ** 2 + ((x - 30) / 22) ** 2 < 1
    tumor = ((z - 24) / 6) ** 2 + ((y - 30) / 7) ** 2 + ((x - 28) / 6) ** 2 < 1
    reference = liver.astype(np.uint8) + tumor
    prediction = np.roll(reference, (1, 2, -3), axis=(0, 1, 2))
    affine = np.array([[-0.8, 0, 0, 30], [0, -1.6, 0, 48], [0, 0, 2.5, -100], [0, 0, 0, 1]])  # axes x, y, z; LPS
    return Case("volume-7", volume, Grid((75, 60, 40), affine), reference), prediction


@dataclass(frozen=True)
class JupyterLab:
    """A running server and the folder that it shows."""

    url: str
    folder: Path

    def write_notebook(self, name: str, *cells: str) -> None:
        """Write a notebook without outputs."""
        notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / name)

    def open(self, page, name: str) -> None:
        """Open a notebook in a fresh JupyterLab and wait until its kernel is idle."""
        page.goto(f"{self.url}/lab/tree/{name}?reset")
        page.wait_for_function("window.jupyterapp && window.jupyterapp.restored.then(() => true)")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.wait_for_function(
            """() => {
                const context = jupyterapp.shell.currentWidget?.sessionContext;
                return context?.isReady && context.session?.kernel?.status === "idle";
            }"""
        )

    def run_all(self, page) -> None:
        """Run all cells of the open notebook."""
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory):
    """A JupyterLab with settings of its own, on this machine only."""
    with run_jupyterlab(tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


@contextlib.contextmanager
def run_jupyterlab(home: Path) -> Iterator[JupyterLab]:
    """Run a JupyterLab that keeps all it writes in the folder `home`."""
    folder = home / "notebooks"
    folder.mkdir()
    news = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text(json.dumps({"fetchNews": "false"}))
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": str(Path(lits_toolkit.__file__).parents[1]),
    }
    environment.pop("VSCODE_PID", None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    options = ["--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.ip=127.0.0.1"]
    options += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
    log = home / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command + options, env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for_server(server, f"{url}/api/status", log)
            yield JupyterLab(url, folder)
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for_server(server: subprocess.Popen, url: str, log: Path) -> None:
    # `server.wait` lets time go by between two attempts and yet learns at once of a server that ended.
    for _ in range(START_SECONDS * 5):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            pass
        try:
            server.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue
        break
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


NO_CHROMIUM = "no Chromium is installed (Debian: apt-get install chromium)"


def find_chromium() -> str | None:
    """Where a Chromium is installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium; the tests are skipped where none is installed."""
    path = find_chromium()
    if path is None:
        pytest.skip(NO_CHROMIUM)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()
