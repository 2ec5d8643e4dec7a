"""The slice browser as a user has it: a notebook in JupyterLab in Chromium, used by wheel, keys and mouse."""

import base64
import contextlib
import io

import numpy as np
import pytest
from matplotlib.image import imread

from lits_toolkit.viewer.blend import PREDICTION, REFERENCE, WINDOWS, blend, outline

pytestmark = pytest.mark.browser

READ_CASE = """
import numpy as np
from lits_toolkit.data.case import Case, Grid
from lits_toolkit.viewer import browse
arrays = np.load("case.npz")
case = Case("volume-7", arrays["volume"], Grid((75, 60, 40), arrays["affine"]), arrays["reference"])
"""
SHOW = "browser = browse(case, prediction=arrays['prediction'], slice=20)\nbrowser"


@pytest.fixture(scope="module")
def lab(jupyterlab, made_case):
    case, prediction = made_case
    np.savez(
        jupyterlab.folder / "case.npz",
        volume=case.volume,
        reference=case.reference,
        prediction=prediction,
        affine=case.grid.affine,
    )
    return jupyterlab


@pytest.fixture(scope="module")
def open_page(lab, chromium):
    """One notebook in one page for all tests that only look and click; `view` brings it back to its start."""
    lab.write_notebook("browse.ipynb", READ_CASE + SHOW)
    page = chromium.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(15_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    requests = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: requests.append(frame)))
    lab.open(page, "browse.ipynb")
    lab.run_all(page)
    page.wait_for_selector(".lits-image[data-slice='20']")
    yield page, requests
    assert errors == []
    page.close()


class View:
    """The slice browser on a page."""

    def __init__(self, page, frames, case, prediction):
        self.page = page
        self.frames = frames
        self.volume = case.volume
        self.masks = [case.reference, prediction]
        self.stage = page.locator(".lits-stage")
        self.panel = page.locator(".lits-panel")
        self.stage.scroll_into_view_if_needed()

    def wait_for_slice(self, index):
        self.page.wait_for_selector(f".lits-image[data-slice='{index}']")

    def type(self, label, text):
        field = self.page.get_by_label(label)
        field.fill(text)
        field.press("Enter")

    @contextlib.contextmanager
    def redraws(self):
        draws = "Number(document.querySelector('.lits-image').dataset.draws)"
        before = self.page.evaluate(draws)
        yield
        self.page.wait_for_function(f"{draws} > {before}")
        # that may have been a draw that was on its way before: until a frame has gone by without another
        self.page.evaluate(
            f"""async () => {{
                for (let drawn; drawn !== {draws}; await new Promise(requestAnimationFrame)) {{
                    drawn = {draws};
                    await new Promise(requestAnimationFrame);
                }}
            }}"""
        )

    def comm_messages(self):
        """How many requests the widget has sent to the kernel; what tells where one came to rest asks for nothing."""
        frames = [frame if isinstance(frame, bytes) else frame.encode() for frame in self.frames]
        return sum(b"comm_msg" in frame and b'"kind":' in frame for frame in frames)

    def read(self, canvas):
        """A canvas's own pixels: (rows, columns, 4) uint8."""
        encoded, rows, columns = self.page.evaluate(
            """name => {
                const canvas = document.querySelector(name);
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                let text = "";
                for (let i = 0; i < data.length; i += 4096) text += String.fromCharCode(...data.subarray(i, i + 4096));
                return [btoa(text), canvas.height, canvas.width];
            }""",
            canvas,
        )
        return np.frombuffer(base64.b64decode(encoded), np.uint8).reshape(rows, columns, 4)

    def check_pixels(self, index, window="abdomen", opacity=0.4, shown=(0, 1)):
        masks = [self.masks[layer][index] for layer in shown]
        colors = [(REFERENCE, PREDICTION)[layer].color for layer in shown]
        window = WINDOWS.get(window, window)
        check_pixels(self.read(".lits-image"), blend(self.volume[index], masks, colors, window, opacity))


def check_pixels(pixels, expected):
    assert pixels.shape[:2] == expected.shape[:2]
    assert (pixels[..., 3] == 255).all()
    difference = np.abs(pixels[..., :3].astype(int) - expected)
    assert difference.max() <= 1  # where the exact value is a half, two orders of adding may round apart
    assert difference.mean() < 0.01


@pytest.fixture
def view(open_page, made_case):
    page, frames = open_page
    view = View(page, frames, *made_case)
    view.stage.focus()
    page.keyboard.press("Home")
    view.wait_for_slice(0)
    view.type("Slice number", "20")
    view.wait_for_slice(20)
    page.mouse.move(0, 0)
    view.stage.focus()
    page.keyboard.press("2")  # the window of the abdomen
    return view


def test_the_pixels_are_numpys_blend(view):
    view.check_pixels(20)


def test_the_wheel_goes_slice_by_slice(view):
    view.stage.hover()
    view.page.mouse.wheel(0, -120)
    view.wait_for_slice(21)
    view.check_pixels(21)
    for index in (20, 19):
        view.page.mouse.wheel(0, 120)
        view.wait_for_slice(index)
    view.check_pixels(19)


def test_a_touch_pads_small_steps_add_up(view):
    view.panel.evaluate(
        "panel => { for (let i = 0; i < 20; i++) panel.dispatchEvent(new WheelEvent('wheel', { deltaY: -10 })); }"
    )
    view.wait_for_slice(24)


def test_a_burst_of_the_wheel_ends_at_the_last_slice_asked_for_and_shows_no_stale_one(view):
    drawn = view.panel.evaluate(
        """async panel => {
            const canvas = panel.querySelector(".lits-image");
            const drawn = [];
            const watch = new MutationObserver(() => drawn.push(Number(canvas.dataset.slice)));
            watch.observe(canvas, { attributes: true, attributeFilter: ["data-slice"] });
            for (let i = 0; i < 19; i++) {
                panel.dispatchEvent(new WheelEvent("wheel", { deltaY: -120 }));
                await new Promise(requestAnimationFrame);
            }
            while (drawn.at(-1) !== 39) await new Promise(requestAnimationFrame);
            watch.disconnect();
            return drawn;
        }"""
    )
    assert drawn == sorted(drawn)
    view.check_pixels(39)


@pytest.mark.parametrize(
    ("key", "index"),
    [
        ("ArrowRight", 21),
        ("ArrowLeft", 19),
        ("ArrowUp", 21),
        ("ArrowDown", 19),
        ("PageUp", 30),
        ("PageDown", 10),
        ("Home", 0),
        ("End", 39),
    ],
)
def test_keys_change_the_slice(view, key, index):
    view.stage.focus()
    view.page.keyboard.press(key)
    view.wait_for_slice(index)
    view.check_pixels(index)


def test_the_ends_are_kept(view):
    view.stage.focus()
    for key, index in (("End", 39), ("ArrowRight", 39), ("PageUp", 39), ("Home", 0), ("PageDown", 0)):
        view.page.keyboard.press(key)
        view.wait_for_slice(index)
        assert view.page.get_by_label("Slice number").input_value() == str(index)


def test_the_slider_and_the_typed_number(view):
    slider = view.page.get_by_label("Slice", exact=True).and_(view.page.locator("[type=range]"))
    slider.fill("33")
    view.wait_for_slice(33)
    number = view.page.get_by_label("Slice number")
    assert number.input_value() == "33"
    view.type("Slice number", "7")
    view.wait_for_slice(7)
    assert slider.input_value() == "7"
    view.type("Slice number", "400")
    view.wait_for_slice(39)
    assert number.input_value() == "39"


def test_presets_typed_values_and_opacity_need_no_kernel(view):
    page = view.page
    with view.redraws():
        page.get_by_role("button", name="Bone").click()
    sent = view.comm_messages()
    view.check_pixels(20, "bone")
    for preset in ("Liver", "Lung", "Network"):
        with view.redraws():
            page.get_by_role("button", name=preset).click()
        view.check_pixels(20, preset.lower())
    with view.redraws():
        view.type("Level in HU", "30")
    with view.redraws():
        view.type("Width in HU", "160")
    view.check_pixels(20, (-50, 110))
    with view.redraws():
        page.get_by_label("Opacity of the masks").fill("90")
    view.check_pixels(20, (-50, 110), opacity=0.9)
    with view.redraws():
        page.get_by_role("button", name="Outline").click()
    view.check_pixels(20, (-50, 110), opacity=0)
    with view.redraws():
        page.get_by_role("button", name="Filled").click()
    with view.redraws():
        page.get_by_label("Opacity of the masks").fill("40")
    assert view.comm_messages() == sent


def test_dragging_changes_the_window_and_a_double_click_brings_it_back(view):
    page = view.page
    box = view.stage.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    with view.redraws():
        page.mouse.move(x + 60, y + 20)
    page.mouse.up()
    assert page.get_by_label("Width in HU").input_value() == "460"
    assert page.get_by_label("Level in HU").input_value() == "70"
    view.check_pixels(20, (-160, 300))
    with view.redraws():
        page.mouse.dblclick(x, y)
    view.check_pixels(20)


def test_masks_are_shown_and_hidden_by_key_and_button(view):
    page = view.page
    view.stage.focus()
    for key, shown in (("r", (1,)), ("p", ()), ("r", (0,)), ("p", (0, 1))):
        with view.redraws():
            page.keyboard.press(key)
        view.check_pixels(20, shown=shown)
    # JupyterLab's own "r" would have made the cell raw.
    assert page.locator(".jp-CodeCell").count() == 1
    button = page.get_by_role("button", name="Reference")
    with view.redraws():
        button.click()
    assert button.get_attribute("aria-pressed") == "false"
    view.check_pixels(20, shown=(1,))
    with view.redraws():
        button.click()


def test_outlines_run_where_the_regions_end(view):
    view.stage.focus()
    with view.redraws():
        view.page.keyboard.press("p")
    lines = view.read(".lits-lines")
    slice_box, canvas_box = (view.page.locator(name).bounding_box() for name in (".lits-image", ".lits-lines"))
    with view.redraws():
        view.page.keyboard.press("p")
    rows, columns = view.volume.shape[1:]
    pixel = np.array([slice_box["width"] / columns, slice_box["height"] / rows])
    corner = np.array([slice_box[side] - canvas_box[side] for side in ("x", "y")])
    drawn = lines[..., 3] > 100
    middles = np.concatenate([outline(view.masks[0][20] >= label) for label in (1, 2)]).mean(1)
    x, y = (corner + middles * pixel).astype(int).T
    assert drawn[y, x].mean() > 0.95
    # Nothing far from an end: in the middle of a voxel there is no line.
    inner_x, inner_y = (
        (corner[axis] + (np.arange(size) + 0.5) * pixel[axis]).astype(int) for axis, size in enumerate((columns, rows))
    )
    assert not drawn[np.ix_(inner_y, inner_x)].any()


def test_the_voxel_under_the_pointer_is_read_out(view, made_case):
    case, prediction = made_case
    box = view.page.locator(".lits-image").bounding_box()
    z, y, x = 20, 30, 28
    view.page.mouse.move(box["x"] + (x + 0.5) * box["width"] / 75, box["y"] + (y + 0.5) * box["height"] / 60)
    readout = view.page.locator(".lits-readout").inner_text()
    assert f"z {z}  y {y}  x {x}" in readout
    assert f"{case.volume[z, y, x]} HU".replace("-", "−") in readout
    names = ["background", "liver", "tumour"]
    assert f"Reference: {names[case.reference[z, y, x]]}" in readout
    assert f"Prediction: {names[prediction[z, y, x]]}" in readout
    right, anterior, superior = (case.grid.axial_affine @ [x, y, z, 1])[:3]
    assert f"{'R' if right >= 0 else 'L'} {abs(right):.1f}" in readout
    assert f"{'A' if anterior >= 0 else 'P'} {abs(anterior):.1f}" in readout
    assert f"{'S' if superior >= 0 else 'I'} {abs(superior):.1f} mm" in readout


def test_the_body_keeps_its_proportions(view):
    box = view.page.locator(".lits-image").bounding_box()
    assert box["height"] / box["width"] == pytest.approx(60 * 1.6 / (75 * 0.8), rel=0.01)
    assert view.page.locator(".lits-panel").get_attribute("data-sides") == "APRL"


def test_the_focus_is_seen_on_all_four_sides_of_the_slice(view):
    view.page.mouse.move(0, 0)
    view.stage.focus()
    view.page.keyboard.press("Home")  # a mark is for those who use the keyboard
    view.wait_for_slice(0)
    picture = imread(io.BytesIO(view.stage.screenshot()), format="png")[..., :3]
    height, width, _ = picture.shape
    edges = picture[:3, width // 2], picture[-3:, width // 2], picture[height // 2, :3], picture[height // 2, -3:]
    for edge in edges:
        assert (edge[:, 2] - edge[:, 0]).max() > 0.4  # blue, not the black of the CT


def test_slice_and_readout_contrast_with_a_dark_theme(view):
    page = view.page
    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_selector("body[data-jp-theme-name='JupyterLab Dark']", state="attached")
    page.wait_for_function(
        "getComputedStyle(document.body).getPropertyValue('--jp-layout-color1').trim() === '#212121'"
    )
    view.stage.hover()
    page.wait_for_selector(".lits-lesions td")
    try:
        for part in (
            ".lits-voxel",
            ".lits-world",
            ".lits-hu",
            ".lits-label",
            ".lits-of",
            ".lits-lane-label",
            ".lits-legend",
            ".lits-lesions summary",
            ".lits-lesions td",
            ".lits-lesions th button",
            "input[aria-label='Slice number']",
        ):
            assert contrast(page, f".lits-browser {part}") >= 4.5  # what WCAG 2 asks of text (AA)
    finally:
        page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
        page.wait_for_selector("body[data-jp-theme-name='JupyterLab Light']", state="attached")


def contrast(page, selector):
    """The ratio of an element's text to the background it stands on, as WCAG 2 defines it."""
    text, paper = page.locator(selector).first.evaluate(
        """node => {
            const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
            const over = (color, ground) => {
                for (const fill of [ground, color]) {
                    context.fillStyle = fill;
                    context.fillRect(0, 0, 1, 1);
                }
                return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
            };
            const paper = getComputedStyle(document.querySelector(".lits-browser")).backgroundColor;
            return [over(getComputedStyle(node).color, paper), over(paper, "#000")];
        }"""
    )
    bright, dark = sorted((luminance(text), luminance(paper)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(rgb):
    share = np.array(rgb) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_python_and_the_page_follow_each_other(view, lab, chromium):
    lab.write_notebook(
        "follow.ipynb",
        READ_CASE + SHOW,
        "browser.slice, browser.window, browser.opacity = 11, (0, 100), 1.0",
        "print('at', browser.slice)",
    )
    page = chromium.new_page()
    lab.open(page, "follow.ipynb")
    run = "jupyterapp.commands.execute('notebook:run-cell-and-select-next')"
    page.evaluate(run)
    page.wait_for_selector(".lits-image[data-slice='20']")
    page.evaluate(run)
    page.wait_for_selector(".lits-image[data-slice='11']")
    assert page.get_by_label("Width in HU").input_value() == "100"
    page.locator(".lits-stage").focus()
    page.keyboard.press("End")
    page.wait_for_selector(".lits-image[data-slice='39']")
    page.get_by_role("button", name="Figure").click()
    code = page.locator(".lits-figure code").inner_text()
    assert "cursor=(39, " in code
    assert "window=(0.0, 100.0)" in code
    page.close()


def test_a_reopened_notebook_shows_the_picture(lab, chromium):
    lab.write_notebook("reopened.ipynb", READ_CASE + SHOW)
    page = chromium.new_page()
    lab.open(page, "reopened.ipynb")
    lab.run_all(page)
    page.wait_for_selector(".lits-image[data-slice]")
    picture = page.locator(".jp-RenderedImage img")
    picture.wait_for(state="hidden")
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.close()

    page = chromium.new_page()
    lab.open(page, "reopened.ipynb")
    picture = page.locator(".jp-RenderedImage img")
    picture.wait_for(state="visible")
    assert picture.evaluate("image => image.naturalWidth") > 400
    page.get_by_text("Error displaying widget").wait_for(state="hidden")
    page.close()
