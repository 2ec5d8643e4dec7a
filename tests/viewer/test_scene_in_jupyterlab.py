"""A scene of hand-placed lesions in the slice browser, as a user goes about in it: in JupyterLab in Chromium."""

import base64
import io
import re

import numpy as np
import pytest
from matplotlib.image import imread

from lits_toolkit.figures import style
from lits_toolkit.viewer.blend import REFERENCE, blend, blend_errors, blend_heat
from lits_toolkit.viewer.facts import error_mask

pytestmark = pytest.mark.browser

SHAPE = (24, 32, 40)
SPACING_MM = (3.0, 2.0, 1.5)
WINDOW = (-150, 250)
OPACITY = 0.4

LOW_HIT, HIGH_HIT, MISS, ALARM = (5, 12, 12), (13, 18, 22), (9, 20, 9), (17, 23, 29)
"""(z, y, x) in the middle of each lesion. "top" finds two of three and has a false alarm; "bottom" finds all three."""

SHOW = """
import numpy as np
from lits_toolkit.data.case import Case, Grid
from lits_toolkit.viewer import browse
a = np.load("scene.npz")
case = Case("scene", a["volume"], Grid((40, 32, 24), a["affine"]), a["reference"])
browse(case, prediction={"top": a["top"], "bottom": a["bottom"]}, probability={"top": a["heat"]}, slice=12)
"""


def put(mask, middle, half):
    """A block of tumour, in whose middle slice there is a line more on either side."""
    for more in ((0, 0, 0), (-half[0], 1, 0)):
        reach = np.add(half, more)
        mask[tuple(slice(at - by, at + by + 1) for at, by in zip(middle, reach, strict=True))] = 2


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(11)
    arrays = {"volume": rng.integers(-300, 500, SHAPE).astype(np.int16)}
    reference = np.zeros(SHAPE, np.uint8)
    reference[2:22, 6:28, 4:34] = 1
    bottom = np.roll(reference, 1, 2)
    top = reference.copy()
    for middle, half in ((LOW_HIT, (1, 2, 2)), (HIGH_HIT, (2, 3, 3)), (MISS, (1, 1, 2))):
        put(reference, middle, half)
        put(bottom, middle, half)
    put(top, LOW_HIT, (1, 2, 2))
    put(top, (13, 18, 24), (2, 3, 3))  # two voxels to the left
    put(top, ALARM, (1, 1, 1))
    arrays |= {"reference": reference, "top": top, "bottom": bottom}
    arrays["heat"] = np.where(rng.random(SHAPE) < 0.5, rng.integers(0, 256, SHAPE), 0).astype(np.uint8)
    arrays["affine"] = np.diag([-1.5, -2.0, 3.0, 1.0])
    return arrays


@pytest.fixture(scope="module")
def opened(jupyterlab, chromium, scene):
    np.savez(jupyterlab.folder / "scene.npz", **scene)
    jupyterlab.write_notebook("scene.ipynb", SHOW)
    page = chromium.new_page(viewport={"width": 1300, "height": 1200})
    page.set_default_timeout(15_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    jupyterlab.open(page, "scene.ipynb")
    jupyterlab.run_all(page)
    page.wait_for_selector(".lits-image[data-slice='12']")
    page.wait_for_selector(".lits-lesions tbody tr")
    yield page
    assert errors == []
    page.close()


class Screen:
    """The browser on the page, by its panels."""

    def __init__(self, page, scene):
        self.page = page
        self.scene = scene
        self.root = page.locator(".lits-browser")
        self.stage = page.locator(".lits-stage")

    def keys(self, *keys):
        self.stage.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def press(self, name, on=True, within=".lits-toolbar"):
        button = self.root.locator(within).get_by_role("button", name=name, exact=True)
        if button.get_attribute("aria-pressed") != str(on).lower():
            button.click()
            self.frame()
        assert button.get_attribute("aria-pressed") == str(on).lower()

    def panel(self, plane="axial", model=None):
        return f".lits-panel[data-plane={plane}]" + (f"[data-model='{model}']" if model else "")

    def wait_for(self, index, plane="axial", model=None):
        self.page.wait_for_selector(f"{self.panel(plane, model)} .lits-image[data-slice='{index}']")

    def frame(self):
        """Wait until what was changed is drawn."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def pixels(self, plane="axial", model=None):
        self.frame()
        encoded, rows, columns = self.page.evaluate(
            """name => {
                const canvas = document.querySelector(name);
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                return [btoa(String.fromCharCode(...data)), canvas.height, canvas.width];
            }""",
            f"{self.panel(plane, model)} .lits-image",
        )
        return np.frombuffer(base64.b64decode(encoded), np.uint8).reshape(rows, columns, 4)[..., :3].astype(int)

    def screen_place(self, row, column, plane="axial", model=None):
        """Where the middle of a slice's pixel is on the page."""
        image = self.page.locator(f"{self.panel(plane, model)} .lits-image")
        box = image.bounding_box()
        columns, rows = (int(image.get_attribute(side)) for side in ("width", "height"))
        x, y = box["x"] + (column + 0.5) * box["width"] / columns, box["y"] + (row + 0.5) * box["height"] / rows
        return x, y

    def readout(self):
        self.frame()
        return self.page.locator(".lits-readout").inner_text()

    def cursor(self):
        """(z, y, x) in the readout, where the crosshair is: the mouse is elsewhere."""
        self.page.mouse.move(0, 0)
        return tuple(int(at) for at in re.search(r"z (\d+)\s+y (\d+)\s+x (\d+)", self.readout()).groups())

    def close_to(self, pixels, expected):
        np.testing.assert_allclose(pixels, expected, atol=1)


@pytest.fixture
def screen(opened, scene):
    """The scene as it was opened, but for the place of the crosshair."""
    screen = Screen(opened, scene)
    opened.mouse.move(0, 0)
    screen.keys("Escape", "0", "a", "2")
    for name in ("Three planes", "Models", "Numbers", "Crosshair"):
        screen.press(name, on=False)
    screen.press("Filled")
    screen.press("top", within=".lits-lesions")
    number = opened.get_by_label("Slice number")
    number.fill("12")
    number.press("Enter")
    screen.wait_for(12)
    screen.stage.scroll_into_view_if_needed()
    return screen


def painted(scene, shown, names=("reference", "top", "bottom")):
    colors = {"reference": REFERENCE.color, "top": style.PREDICTIONS[0], "bottom": style.PREDICTIONS[1]}
    return blend(shown(scene["volume"]), [shown(scene[n]) for n in names], [colors[n] for n in names], WINDOW, OPACITY)


def test_coronal_and_sagittal_slices_have_the_head_on_top(screen, scene):
    screen.keys("c", "Home")
    screen.wait_for(0, "coronal")
    screen.keys("PageUp", "ArrowUp")
    screen.wait_for(11, "coronal")
    expected = painted(scene, lambda array: np.stack([array[z, 11, :] for z in range(23, -1, -1)]))
    screen.close_to(screen.pixels("coronal"), expected)
    assert screen.page.locator(".lits-panel").get_attribute("data-sides") == "SIRL"
    screen.keys("s", "End")
    screen.wait_for(39, "sagittal")
    screen.keys("PageDown")
    screen.wait_for(29, "sagittal")
    expected = painted(scene, lambda array: np.stack([array[z, :, 29] for z in range(23, -1, -1)]))
    screen.close_to(screen.pixels("sagittal"), expected)
    assert screen.page.locator(".lits-panel").get_attribute("data-sides") == "SIAP"
    box = screen.page.locator(".lits-image").bounding_box()
    assert box["height"] / box["width"] == pytest.approx(24 * 3 / (32 * 2), rel=0.01)


def test_a_click_in_one_plane_moves_the_other_two(screen):
    screen.keys("t")
    screen.wait_for(12)
    screen.page.mouse.click(*screen.screen_place(9, 31))
    screen.wait_for(9, "coronal")
    screen.wait_for(31, "sagittal")
    screen.page.mouse.click(*screen.screen_place(24 - 1 - 7, 14, "coronal"))  # the head is on top
    screen.wait_for(7, "axial")
    screen.wait_for(14, "sagittal")
    screen.page.mouse.click(*screen.screen_place(24 - 1 - 20, 25, "sagittal"))
    screen.wait_for(20, "axial")
    screen.wait_for(25, "coronal")
    assert screen.cursor() == (20, 25, 14)
    screen.page.mouse.move(*screen.screen_place(10, 10, "coronal"))
    screen.page.mouse.wheel(0, -120)
    screen.wait_for(26, "coronal")
    assert screen.cursor() == (20, 26, 14)


def test_the_crosshair_goes_voxel_by_voxel(screen):
    screen.page.mouse.click(*screen.screen_place(10, 20))
    screen.keys("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowLeft")
    assert screen.cursor() == (12, 11, 21)
    screen.keys("c", "Shift+ArrowUp")  # towards the head
    screen.wait_for(11, "coronal")
    assert screen.cursor() == (13, 11, 21)


def test_models_beside_each_other_scroll_and_zoom_together(screen, scene):
    screen.keys("b")
    for model in ("top", "bottom"):
        screen.wait_for(12, model=model)
    screen.page.mouse.move(*screen.screen_place(5, 5, model="bottom"))
    screen.page.mouse.wheel(0, -120)
    for model in ("top", "bottom"):
        screen.wait_for(13, model=model)
        expected = painted(scene, lambda array: array[13], ("reference", model))
        screen.close_to(screen.pixels(model=model), expected)
    screen.keys("+", "+", "1")
    screen.frame()
    boxes = [
        screen.page.locator(f"{screen.panel(model=model)} .lits-image").bounding_box() for model in ("top", "bottom")
    ]
    assert boxes[0]["width"] == boxes[1]["width"]
    assert boxes[0]["y"] == boxes[1]["y"]
    np.testing.assert_array_equal(screen.pixels(model="top")[0, :3], screen.pixels(model="bottom")[0, :3])


def test_errors_are_painted_in_the_colours_of_hit_miss_and_false_alarm(screen, scene):
    for index in (MISS[0], HIGH_HIT[0], ALARM[0]):
        number = screen.page.get_by_label("Slice number")
        number.fill(str(index))
        number.press("Enter")
        screen.wait_for(index)
        screen.press("Errors")
        errors = error_mask(scene["reference"][index], scene["top"][index])
        screen.close_to(screen.pixels(), blend_errors(scene["volume"][index], errors, WINDOW, OPACITY))
    screen.keys("e")
    screen.close_to(screen.pixels(), painted(scene, lambda array: array[ALARM[0]]))


def test_the_probability_is_painted_as_heat_and_read_out(screen, scene):
    screen.keys("h")
    screen.close_to(screen.pixels(), blend_heat(scene["volume"][12], scene["heat"][12], WINDOW, OPACITY))
    y, x = np.argwhere(scene["heat"][12] > 100)[0]
    screen.page.mouse.move(*screen.screen_place(y, x))
    assert f"p {scene['heat'][12, y, x] / 255:.2f}" in screen.readout()


@pytest.mark.parametrize(
    ("key", "stops"),
    [
        (".", [HIGH_HIT, ALARM, LOW_HIT, MISS, HIGH_HIT]),
        (",", [MISS, LOW_HIT, ALARM, HIGH_HIT]),
        ("m", [MISS, MISS]),
        ("f", [ALARM, ALARM]),
    ],
)
def test_keys_go_from_lesion_to_lesion(screen, key, stops):
    for stop in stops:
        screen.keys(key)
        screen.wait_for(stop[0])
        assert screen.cursor() == stop


def test_the_worst_slice_has_the_lowest_dice_and_of_those_the_most_tumor(screen, scene):
    screen.keys("w")
    # The miss has 5 × 5 pixels in its middle slice, the false alarm 5 × 3: all their slices have a Dice of 0.
    screen.wait_for(MISS[0])


def test_a_row_of_the_table_leads_to_its_lesion(screen):
    rows = screen.page.locator(".lits-lesions tbody tr")
    voxels = [float(text) for text in rows.locator("td:nth-child(3)").all_inner_texts()]
    assert voxels == sorted(voxels, reverse=True)
    # (5 × 7 + 2) × 7 voxels of 9 mm³
    assert rows.first.locator("td").all_inner_texts()[1:4] == ["Hit", f"{259 * 9 / 1000:.2f}", "Small"]
    rows.filter(has_text="False alarm").click()
    screen.wait_for(ALARM[0])
    assert screen.cursor() == ALARM
    rows.filter(has_text="Miss").focus()
    screen.page.keyboard.press("Enter")
    screen.wait_for(MISS[0])
    assert screen.cursor() == MISS
    in_view = screen.page.locator(".lits-lesions tr.lits-in-view")
    assert in_view.locator("td:nth-child(2)").all_inner_texts() == ["Miss"]


def test_the_table_is_sorted_by_a_column_and_is_that_of_the_chosen_model(screen):
    table = screen.page.locator(".lits-lesions")
    table.get_by_role("button", name="#").click()
    numbers = table.locator("tbody td:first-child")
    assert numbers.all_inner_texts() == ["1", "2", "3", "4"]
    table.get_by_role("button", name="#").click()
    assert numbers.all_inner_texts() == ["4", "3", "2", "1"]
    table.get_by_role("button", name="Volume in ml").or_(table.locator("th button", has_text="ml")).first.click()
    table.get_by_role("button", name="bottom").click()
    screen.frame()
    assert "3 hits" in table.locator("summary").inner_text()
    assert table.locator("tbody tr").count() == 3


def test_lesions_have_their_numbers_where_they_are(screen):
    screen.keys("x", "x")
    number = screen.page.get_by_label("Slice number")
    number.fill(str(ALARM[0]))
    number.press("Enter")
    screen.wait_for(ALARM[0])
    screen.frame()

    def near(middle):
        panel = screen.page.locator(".lits-panel").bounding_box()
        x, y = screen.screen_place(middle[1] - 2, middle[2] + 1)
        return screen.page.locator(".lits-marks").evaluate(
            "(node, [x, y]) => Math.max(...node.getContext('2d').getImageData(x, y - 16, 24, 16).data)",
            [round(x - panel["x"]), round(y - panel["y"])],
        )

    assert near(ALARM) == 0
    screen.press("Numbers")
    screen.frame()
    assert near(ALARM) == 255
    assert near(LOW_HIT) == 0


def test_a_click_on_the_strip_goes_to_the_slice(screen):
    lanes = screen.page.locator(".lits-lanes")
    lanes.scroll_into_view_if_needed()
    box = lanes.bounding_box()
    for index in (0, 17, 23):
        screen.page.mouse.click(box["x"] + box["width"] * index / 23, box["y"] + 10)
        screen.wait_for(index)
        mark = screen.page.locator(".lits-mark").bounding_box()
        assert mark["x"] + mark["width"] / 2 == pytest.approx(box["x"] + box["width"] * index / 23, abs=1)
    labels = screen.page.locator(".lits-lane-label").all_inner_texts()
    assert labels[0] == f"Liver to {22 * 30 * 3 / 100:.0f} cm²"
    assert labels[1] == f"Tumour to {9 * 7 * 3 / 100:.1f} cm²"


def test_the_ruler_measures_in_millimetres(screen):
    screen.keys("l")
    screen.page.mouse.move(*screen.screen_place(8, 10))
    screen.page.mouse.down()
    screen.page.mouse.move(*screen.screen_place(20, 26), steps=3)
    screen.page.mouse.up()
    assert f"Ruler {np.hypot(12 * 2.0, 16 * 1.5):.1f} mm" in screen.readout()
    screen.keys("Escape")
    assert "Ruler" not in screen.readout()


def test_the_ruler_goes_by_keyboard_too(screen):
    screen.page.mouse.click(*screen.screen_place(10, 10))
    screen.keys("c")
    screen.wait_for(10, "coronal")
    screen.keys("l", *["Shift+ArrowUp"] * 4, *["Shift+ArrowRight"] * 8)
    assert f"Ruler {np.hypot(4 * 3.0, 8 * 1.5):.1f} mm" in screen.readout()


def test_zoom_keeps_what_is_under_the_pointer_and_a_double_click_undoes_it(screen):
    x, y = screen.screen_place(12, 27)
    screen.page.mouse.move(x, y)
    before = screen.page.locator(".lits-image").bounding_box()
    screen.page.keyboard.down("Control")
    for _ in range(4):
        screen.page.mouse.wheel(0, -120)
    screen.page.keyboard.up("Control")
    screen.page.wait_for_function(
        "width => document.querySelector('.lits-image').getBoundingClientRect().width > 2 * width", arg=before["width"]
    )
    assert screen.screen_place(12, 27) == (pytest.approx(x, abs=1), pytest.approx(y, abs=1))
    assert "y 12  x 27" in screen.readout()
    screen.page.keyboard.down("Shift")
    screen.page.mouse.down()
    screen.page.mouse.move(x + 40, y + 30, steps=2)
    screen.page.mouse.up()
    screen.page.keyboard.up("Shift")
    screen.frame()
    assert screen.screen_place(12, 27) == (pytest.approx(x + 40, abs=1), pytest.approx(y + 30, abs=1))
    screen.page.mouse.dblclick(x, y)
    screen.frame()
    assert screen.page.locator(".lits-image").bounding_box() == before


def test_a_finger_scrolls_and_two_zoom(screen):
    screen.page.locator(".lits-panel").evaluate(
        """async (panel) => {
            panel.setPointerCapture = () => {};
            const box = panel.getBoundingClientRect();
            const touch = (kind, pointerId, x, y) => {
                const [clientX, clientY] = [box.left + x, box.top + y];
                const touched = { pointerId, pointerType: "touch", button: 0, bubbles: true, clientX, clientY };
                panel.dispatchEvent(new PointerEvent(kind, touched));
            };
            touch("pointerdown", 1, 300, 300);
            for (let y = 300; y >= 260; y -= 4) touch("pointermove", 1, 300, y);
            touch("pointerup", 1, 300, 260);
            touch("pointerdown", 1, 300, 300);
            touch("pointerdown", 2, 400, 300);
            touch("pointermove", 2, 500, 300);
            touch("pointerup", 1, 300, 300);
            touch("pointerup", 2, 500, 300);
            delete panel.setPointerCapture;
        }"""
    )
    screen.wait_for(15)
    screen.frame()
    image, stage = (screen.page.locator(name).bounding_box() for name in (".lits-image", ".lits-stage"))
    assert image["height"] == pytest.approx(2 * stage["height"], rel=0.01)


def test_the_png_is_what_is_on_the_screen(screen):
    screen.keys("t", "n")
    for plane in ("coronal", "sagittal"):
        screen.page.wait_for_selector(f"{screen.panel(plane)} .lits-image[data-slice]")
    with screen.page.expect_download() as saved:
        screen.root.get_by_role("button", name="PNG").click()
    assert saved.value.suggested_filename == "scene_axial_12.png"
    picture = imread(saved.value.path(), format="png")[..., :3]
    screen.page.mouse.move(0, 0)
    seen = imread(io.BytesIO(screen.stage.screenshot()), format="png")[..., :3]
    height, width = picture.shape[:2]
    assert (height, width) == tuple(screen.stage.evaluate("stage => [stage.clientHeight, stage.clientWidth]"))
    inside = (slice(8, height - 8), slice(8, width - 20))  # without the mark of the plane in use, and the handle
    shifted = [seen[down : height + down, :width] for down in range(len(seen) - height + 1)]  # by a part of a pixel
    assert min(np.abs(picture[inside] - shot[inside]).mean() for shot in shifted) < 0.02


def test_the_figure_comes_with_code_to_copy(screen):
    screen.keys("c")
    screen.root.get_by_role("button", name="Figure").click()
    dialog = screen.page.locator(".lits-figure")
    dialog.locator("img").wait_for()
    code = dialog.locator("code").inner_text()
    compile(code, "code", "exec")
    assert "plane='coronal'" in code
    with screen.page.expect_download() as saved:
        dialog.get_by_role("button", name="Download PNG").click()
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")
    dialog.get_by_role("button", name="Close").click()
    dialog.wait_for(state="hidden")


def test_a_question_mark_tells_all_keys_and_escape_closes_it(screen):
    screen.keys("?")
    help_ = screen.page.locator(".lits-help")
    help_.wait_for()
    told = help_.inner_text()
    for words in ("next miss", "Page", "ruler", "window lung: −1350 to 150 HU", "show or hide bottom"):
        assert words in told
    for _ in range(4):
        screen.page.keyboard.press("Tab")
        assert screen.page.evaluate("!document.querySelector('.lits-stage').matches(':focus')")
    screen.page.keyboard.press("Escape")
    help_.wait_for(state="hidden")


def test_jupyterlab_takes_none_of_the_keys(screen):
    before = screen.page.locator(".jp-CodeCell").count()
    screen.keys(*"abcdefhilmnoprstuwxyz0123456789,.#?")
    screen.page.keyboard.press("Escape")
    screen.page.locator(".lits-help").wait_for(state="hidden")
    screen.keys("d", "d", "p", "p", "r", "r", "Escape")
    assert screen.page.locator(".jp-CodeCell").count() == before
    assert screen.stage.evaluate("stage => stage === document.activeElement")
    for name in ("Reference", "bottom", "top"):
        screen.press(name)


@pytest.mark.parametrize("width", [700, 1300])
def test_nothing_is_wider_than_its_place(screen, width):
    screen.page.set_viewport_size({"width": width, "height": 1200})
    try:
        screen.frame()
        overflowing = screen.root.evaluate(
            """root => [...root.querySelectorAll("button, input, .lits-lane, .lits-stage, td")].filter((node) => {
                const [box, frame] = [node.getBoundingClientRect(), root.getBoundingClientRect()];
                return box.width && (box.right > frame.right + 0.5 || box.left < frame.left);
            }).map((node) => node.outerHTML)"""
        )
        assert overflowing == []
    finally:
        screen.page.set_viewport_size({"width": 1300, "height": 1200})
