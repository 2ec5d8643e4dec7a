"""The study browser without a web browser: what it opens, says, keeps and lets go; and once as a user has it."""

import gc
import json
import shutil
import weakref

import ipywidgets
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

from lits_toolkit.data.nifti import write_mask, write_probability
from lits_toolkit.data.phantom import plan_random, write_cohort
from lits_toolkit.data.reading import read_case, read_mask
from lits_toolkit.data.splits import Split
from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.study.scores import evaluate
from lits_toolkit.study.workspace import Workspace
from lits_toolkit.viewer import browse_cases, browse_study

NAMES = ("volume-0", "volume-1", "volume-2", "volume-3")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Four phantoms: run "cascade" predicted 1 and 2 and is scored, "other" predicted 2 and 3; 3 has no reference."""
    folder = tmp_path_factory.mktemp("study")
    write_cohort(plan_random(4, seed=3, size=64, slices=16), folder / "cohort", n_jobs=1, progress=False)
    workspace = Workspace(folder)
    workspace.begin(folder / "cohort", Split(NAMES[:1], (), NAMES[1:]), "phantoms")
    for run, shift, names in (("cascade", 1, NAMES[1:3]), ("other", 3, NAMES[2:])):
        for name in names:
            case = read_case(workspace.case(name))
            mask = np.roll(case.reference, (0, shift, shift), axis=(0, 1, 2))
            mask[: len(mask) // 2][mask[: len(mask) // 2] == 2] = 1  # what is low in the body is missed
            workspace.predictions(run).mkdir(parents=True, exist_ok=True)
            write_mask(mask, case.grid, workspace.predictions(run) / f"segmentation-{name[-1]}.nii.gz")
    workspace.predictions("empty").mkdir()
    workspace.case("volume-3").reference.unlink()
    evaluate(workspace.predictions("cascade"), workspace.data, workspace.scores_folder("cascade"), names=NAMES[1:3])
    return workspace


@pytest.fixture
def browser(study):
    browser = browse_study(study)
    yield browser
    browser.close()


def layers(browser):
    return [layer["name"] for layer in browser.browser.layers]


def said(browser):
    return browser._message.value


def test_it_opens_the_first_case_that_the_run_has_predicted(browser):
    assert (browser.case, browser.runs) == ("volume-1", ("cascade",))
    assert browser.browser.name == "volume-1"
    assert layers(browser) == ["Reference", "cascade"]
    assert [name for name, _ in browser._case_picker.options] == [
        "volume-1",
        "volume-2",
        "volume-0 (not predicted)",
        "volume-3",
    ]
    assert list(browser._run_pickers) == ["cascade", "other"]
    assert repr(browser) == "StudyBrowser(volume-1 of 4 cases, cascade)"


def test_the_probability_beside_a_runs_masks_is_there_as_heat(study, browser):
    case = read_case(study.case("volume-2"))
    probability = np.zeros(case.volume.shape, np.uint8)
    probability[3, 10:20, 10:20] = 204
    folder = study.predictions("cascade") / "probabilities"
    write_probability(probability, case.grid, folder / "volume-2.nii.gz")
    assert browser.browser.probabilities == []
    browser.case = "volume-2"
    assert browser.browser.probabilities == ["cascade"]
    np.testing.assert_array_equal(browser.browser._probabilities["cascade"], probability)
    browser.browser.heat = True
    browser.runs = ("other", "cascade")  # another slice browser, in which heat stays
    assert (browser.browser.heat, browser.browser.probabilities) == (True, ["cascade"])
    browser.case = "volume-1"
    assert (browser.browser.heat, said(browser).count("alert")) == (False, 0)
    shutil.rmtree(folder)


def test_the_pickers_choose_case_and_runs(browser):
    browser._case_picker.value = "volume-2"
    assert browser.browser.name == "volume-2"
    browser._run_pickers["other"].value = True
    assert browser.runs == ("cascade", "other")
    assert layers(browser) == ["Reference", "cascade", "other"]
    assert browser.browser.view.layout == "compare"
    browser._run_pickers["cascade"].value = False
    assert layers(browser) == ["Reference", "other"]
    assert browser.browser.view.layout == "single"
    browser._run_pickers["other"].value = False
    assert layers(browser) == ["Reference"]


def test_what_is_set_in_python_is_seen_in_the_pickers(browser):
    browser.runs = ["other"]
    browser.case = "volume-3"
    assert browser._case_picker.value == "volume-3"
    assert [picker.value for picker in browser._run_pickers.values()] == [False, True]
    assert layers(browser) == ["other"]


def test_what_lacks_is_said(browser):
    browser.case = "volume-0"
    assert "No prediction of volume-0 by cascade" in said(browser)
    browser.case = "volume-3"
    assert "volume-3 has no reference" in said(browser)
    browser.runs = ("cascade", "other")
    assert "Not scored, or by an older version: other" in said(browser)
    browser.case, browser.runs = "volume-1", ("cascade",)
    assert said(browser) == ""


def test_a_mask_that_cannot_be_shown_is_said_and_another_case_goes_on(study, browser, monkeypatch):
    path = study.predictions("cascade") / "segmentation-2.nii.gz"
    good = path.read_bytes()
    path.write_bytes(b"text <b>")
    try:
        browser.case = "volume-2"
        assert 'role="alert"' in said(browser)
        assert "segmentation-2.nii.gz" in said(browser)
    finally:
        path.write_bytes(good)
    browser.case = "volume-1"
    assert said(browser) == ""


def test_settings_go_along_to_the_next_case_and_the_place_stays_when_runs_change(browser):
    browser.browser.window, browser.browser.opacity, browser.browser.filled = (0, 200), 0.7, False
    browser.case = "volume-2"
    view = browser.browser.view
    assert (view.window, view.opacity, view.filled) == ((0, 200), 0.7, False)
    browser.browser.slice = 5
    browser.runs = ("cascade", "other")
    assert browser.browser.slice == 5


def test_a_mark_opens_its_case_where_the_run_is_worst(study, browser):
    assert [case["name"] for case in browser._plot.cases] == sorted(
        NAMES[1:3], key=dict(study.scores("cascade").cases[["case", "mean_lesion_voxels"]].to_numpy()).get
    )
    browser._plot._handle_custom_msg({"kind": "open", "case": "volume-2", "run": "cascade"}, [])
    assert browser.browser.name == browser._plot.chosen == "volume-2"
    case = read_case(study.case("volume-2"))
    prediction = read_mask(study.predictions("cascade") / "segmentation-2.nii.gz")
    pairs = [(case.reference[z] == 2, prediction[z] == 2) for z in range(len(prediction))]
    scores = {
        z: (2 * (one & other).sum() / (one.sum() + other.sum()), -(one.sum() + other.sum()))
        for z, (one, other) in enumerate(pairs)
        if one.any() or other.any()
    }
    assert browser.browser.slice == min(scores, key=scores.get)


def test_a_place_opens_its_case_at_its_voxel_with_that_run(browser):
    places = browser._places
    assert (places.run, set(places.counts)) == ("cascade", {"miss", "false alarm"})
    browser.case, browser.runs = "volume-2", ("cascade", "other")
    place = places.places[0]
    assert place["case"] == "volume-1"  # volume-2 has tumours above alone, which are found
    places._handle_custom_msg({"kind": "open", "place": 0}, [])
    shown = browser.browser
    assert (shown.name, shown.cursor) == ("volume-1", tuple(place["voxel"]))
    assert (shown.crosshair, shown.chosen) == (True, "cascade")
    shown.zoom, shown.middle = 4, (1, 1, 1)
    places._handle_custom_msg({"kind": "open", "place": 0}, [])
    away = np.abs(np.subtract(place["voxel"], browser.browser.middle))
    assert (away <= np.divide(shown.shape, 2 * 4)).all()  # in the part that is seen


def test_the_list_is_of_the_first_run_and_the_same_while_others_join(browser):
    before = browser._places.places
    browser.runs = ("cascade", "other")
    assert browser._places.places is before
    browser.runs = ("other",)
    assert (browser._places.run, browser._places.places) == ("other", [])
    browser._places._handle_custom_msg({"kind": "slices"}, [])
    browser._places._search.join()
    assert [place["case"] for place in browser._places.places] == ["volume-2"]  # volume-3 has no reference
    browser.runs = ()
    assert browser._places.run == ""


def test_scores_of_an_older_version_are_said_and_the_masks_are_seen(study, browser):
    table = study.scores_folder("other") / "cases.csv"
    table.parent.mkdir()
    (table.parent / "summary.json").write_text("{}")
    table.write_text("case\nvolume-2\n")
    (table.parent / "lesions.csv").write_text("case\n")
    try:
        both = browse_study(study, runs=("cascade", "other"))
        assert layers(both) == ["Reference", "cascade"]
        assert "older version: other" in said(both)
        both.close()
    finally:
        shutil.rmtree(table.parent)


def test_the_plots_colors_are_those_of_the_masks(browser):
    browser.case, browser.runs = "volume-3", ("cascade", "other")  # only the second has a mask
    colors = {layer["name"]: layer["color"] for layer in browser.browser.layers}
    assert colors["other"] not in {run["color"] for run in browser._plot.runs}


def test_the_last_case_leaves_memory(browser):
    volume = weakref.ref(browser.browser._case.volume)
    widget = weakref.ref(browser.browser)
    browser.case = "volume-2"
    gc.collect()
    assert volume() is None
    assert widget() is None


def test_it_leaves_no_widget_when_it_is_closed(study):
    before = set(_instances)
    browser = browse_study(study, runs=("cascade", "other"))
    browser.close()
    left = [_instances[name] for name in set(_instances) - before]
    assert not [widget for widget in left if isinstance(widget, ipywidgets.DOMWidget)]


def test_widgets_do_not_become_more(browser):
    before = len(_instances)
    for name in ("volume-2", "volume-0", "volume-1"):
        browser.case = name
    assert len(_instances) == before


def test_the_saved_state_is_small_and_the_bundle_has_a_picture(browser):
    data, _ = browser._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == repr(browser)
    state = ipywidgets.Widget.get_manager_state(widgets=[browser, browser.browser, browser._plot])
    assert len(json.dumps(state)) < 100_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"case": "volume-22"}, "no case 'volume-22'; the nearest is 'volume-2'"),
        ({"runs": ["cascde"]}, "no run 'cascde'; the nearest is 'cascade'"),
        ({"runs": "othr"}, "the nearest is 'other'"),
        ({"plane": "oblique"}, "choose axial"),
    ],
)
def test_a_wrong_name_is_an_error_with_the_nearest(study, arguments, message):
    with pytest.raises(SettingError, match=message):
        browse_study(study, **arguments)


def test_a_folder_that_is_no_study_is_an_error(tmp_path):
    with pytest.raises(InputError, match="lits prepare"):
        browse_study(tmp_path)


def test_a_study_without_predictions_shows_its_cases(study, tmp_path):
    workspace = Workspace(tmp_path / "w")
    workspace.begin(study.data, study.split, "phantoms")
    browser = browse_study(workspace.folder)
    assert (browser.case, browser.runs, layers(browser)) == ("volume-0", (), ["Reference"])
    assert "lits predict makes them" in said(browser)
    browser.close()


def test_files_and_folders_are_browsed_without_a_study(study):
    masks = {run: study.predictions(run) for run in ("other", "cascade")}
    browser = browse_cases(study.data, masks, case="volume-2")
    assert layers(browser) == ["Reference", "other", "cascade"]
    assert browser._plot not in browser.children[1].children
    assert browser._places.counts == {}
    browser.close()
    scores = {"cascade": study.scores_folder("cascade")}
    scored = browse_cases(study.data / "volume-1.nii.gz", {"cascade": masks["cascade"]}, scores=scores)
    assert {place["case"] for place in scored._places.places} == {"volume-1"}
    assert [case["name"] for case in scored._plot.cases] == ["volume-1"]
    scored.close()
    with pytest.raises(SettingError, match="no prediction 'cascde'; the nearest is 'cascade'"):
        browse_cases(study.data, masks, scores={"cascde": study.scores_folder("cascade")})
    one = browse_cases([study.data / "volume-1.nii.gz", study.data / "volume-2.nii.gz"])
    assert list(one._files) == ["volume-1", "volume-2"]
    one.close()


def test_two_cases_of_one_name_and_none_at_all_are_refused(study):
    with pytest.raises(InputError, match="two cases are called volume-1"):
        browse_cases([study.data, study.data / "volume-1.nii.gz"])
    with pytest.raises(InputError, match="found none"):
        browse_cases([])


def test_no_more_than_four_runs_are_compared(study):
    masks = {str(number): study.predictions("cascade") for number in range(6)}
    browser = browse_cases(study.data, masks)
    assert browser.runs == ("0", "1", "2", "3")
    assert [picker.disabled for picker in browser._run_pickers.values()] == [False] * 4 + [True] * 2
    with pytest.raises(SettingError, match="up to 4 runs"):
        browser.runs = tuple(masks)
    browser.close()


@pytest.mark.slow
@pytest.mark.browser
def test_keys_and_clicks_in_the_plot_open_cases_and_a_reopened_notebook_has_a_picture(study, jupyterlab, chromium):
    jupyterlab.write_notebook(
        "study.ipynb", f"from lits_toolkit import browse_study\nbrowse_study({str(study.folder)!r})"
    )
    page = chromium.new_page(viewport={"width": 1200, "height": 1400})
    page.set_default_timeout(30_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    jupyterlab.open(page, "study.ipynb")
    jupyterlab.run_all(page)
    page.wait_for_selector(".lits-case-figure[data-cases='2']")
    first = page.locator(".lits-name").inner_text()
    page.locator(".lits-case-figure").focus()
    names = [mark.get_attribute("data-case") for mark in page.locator(".lits-case-figure .lits-case-mark").all()]
    other = next(name for name in names if name != first)
    page.keyboard.press("End" if names[-1] == other else "Home")
    page.wait_for_selector(f".lits-case-status:has-text('{other}, mean tumour')")
    page.keyboard.press("Enter")
    page.wait_for_selector(f".lits-live .lits-name:has-text('{other}')")
    assert page.locator(".lits-case-figure").evaluate("figure => figure === document.activeElement")
    page.locator(f".lits-case-figure .lits-case-mark[data-case='{first}']").click()
    page.wait_for_selector(f".lits-name:has-text('{first}')")
    rows = page.locator(".lits-place-list tbody tr")
    rows.first.focus()
    page.keyboard.press("End")
    chosen = rows.last.locator("td")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lits-place-list tr:last-child[aria-current]")
    page.wait_for_selector(f".lits-live .lits-name:has-text('{chosen.first.inner_text()}')")
    page.wait_for_selector(f".lits-image[data-slice='{chosen.nth(5).inner_text()}']")
    assert page.get_by_role("button", name="Crosshair", exact=True).get_attribute("aria-pressed") == "true"
    assert rows.last.evaluate("row => row === document.activeElement")
    listed = rows.count()
    page.get_by_role("button", name="Worst slices").click()
    page.wait_for_selector(".lits-place-list td:has-text('worst slice')")
    for button in page.get_by_role("group", name="Kinds of errors").get_by_role("button").all()[:2]:
        button.click()
    assert {row.locator("td").nth(1).inner_text() for row in rows.all()} == {"worst slice"}
    for button in page.get_by_role("group", name="Kinds of errors").get_by_role("button").all():
        button.click()
    assert rows.count() == listed
    rows.filter(has_text=first).first.click()
    page.wait_for_selector(f".lits-live .lits-name:has-text('{first}')")
    page.get_by_label("other").check()
    page.get_by_text(f"No prediction of {first} by other.").wait_for()
    page.wait_for_selector(".lits-browser.lits-live")
    assert page.locator(".lits-browser").count() == 1
    assert page.locator(".jp-RenderedImage img").is_hidden()
    assert errors == []
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.close()

    reopened = chromium.new_page()
    reopened.set_default_timeout(30_000)
    jupyterlab.open(reopened, "study.ipynb")
    reopened.locator(".jp-RenderedImage img").wait_for(state="visible")
    assert reopened.locator(".lits-case-plot").count() == 0
    reopened.close()
