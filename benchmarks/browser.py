"""How fast the slice browser scrolls: JupyterLab on this machine, a headless Chromium, one notch of the wheel a frame.

Gives a line per case: slices drawn per second on the first way through the slices, and on the way back, when they are
in the browser's cache; and how long after the last notch the last slice is there. It takes NIfTI volumes; without any
it draws a phantom. A case without a mask gets a drawn one.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, sync_playwright
from smoke import parse_arguments

from lits_toolkit.data.case import Case
from lits_toolkit.data.phantom import Plan, draw_case
from lits_toolkit.data.reading import read_case

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from viewer.conftest import NO_CHROMIUM, find_chromium, run_jupyterlab

SHOW = """
import numpy as np
from lits_toolkit.data.case import Case, Grid
from lits_toolkit.viewer import browse
arrays = np.load("case.npz")
case = Case("case", arrays["volume"], Grid(arrays["volume"].shape[::-1], arrays["affine"]), arrays["mask"])
browse(case, slice=0)
"""

SCROLL = """async (notches) => {
    const panel = document.querySelector(".lits-panel");
    const image = panel.querySelector(".lits-image");
    const frame = () => new Promise(requestAnimationFrame);
    const target = Number(image.dataset.slice) + notches;
    const drawn = new Set();
    const watch = new MutationObserver(() => drawn.add(image.dataset.slice));
    watch.observe(image, { attributes: true, attributeFilter: ["data-slice"] });
    const started = performance.now();
    for (let i = 0; i < Math.abs(notches); i++) {
        panel.dispatchEvent(new WheelEvent("wheel", { deltaY: -120 * Math.sign(notches) }));
        await frame();
    }
    const asked = performance.now();
    while (Number(image.dataset.slice) !== target) await frame();
    const there = performance.now();
    watch.disconnect();
    return [(1000 * drawn.size) / (there - started), there - asked, drawn.size];
}"""


def main() -> None:
    """Print a line per case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("volumes", nargs="*", type=Path)
    parser.add_argument("--size", type=int, default=512, help="of the phantom")
    parser.add_argument("--slices", type=int, default=100, help="of the phantom")
    arguments = parse_arguments(parser, size=64, slices=16)
    path = find_chromium()
    if path is None:
        parser.error(NO_CHROMIUM)
    cases = [read_case(path) for path in arguments.volumes]
    cases = cases or [draw_case(Plan("phantom", (0, 0), arguments.size, arguments.slices))]
    with tempfile.TemporaryDirectory() as home, run_jupyterlab(Path(home)) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        for case in cases:
            print(f"{case.name}: {measure(case, lab, browser)}")
        browser.close()


def measure(case: Case, lab: Any, browser: Browser) -> str:
    """Scroll through all slices and back."""
    mask = case.reference
    if mask is None:
        mask = np.zeros_like(case.volume, np.uint8)
        mask[:, mask.shape[1] // 3 : mask.shape[1] // 2, mask.shape[2] // 4 : mask.shape[2] // 2] = 1
    np.savez(lab.folder / "case.npz", volume=case.volume, mask=mask, affine=case.grid.affine)
    lab.write_notebook("browse.ipynb", SHOW)
    page = browser.new_page(viewport={"width": 1300, "height": 1100})
    lab.open(page, "browse.ipynb")
    lab.run_all(page)
    page.wait_for_selector(".lits-image[data-slice='0']")
    page.wait_for_selector(".lits-lesions:not([hidden])", state="attached")
    last = len(case.volume) - 1
    (first, settled, drawn), (again, _, _) = (page.evaluate(SCROLL, notches) for notches in (last, -last))
    page.close()
    size = " × ".join(map(str, case.volume.shape[::-1]))
    return (
        f"{size}, one mask: {first:.0f} slices/s at first ({drawn:.0f} of {last} drawn, the last one "
        f"{settled:.0f} ms after the wheel), {again:.0f} slices/s from the cache"
    )


if __name__ == "__main__":
    main()
