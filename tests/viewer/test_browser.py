import dataclasses
import json
import threading

import ipywidgets
import nibabel as nib
import numpy as np
import pytest

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.errors import GeometryError, InputError, SettingError
from lits_toolkit.viewer import browse
from lits_toolkit.viewer import browser as browser_module
from lits_toolkit.viewer.payload import unpack_labels


@pytest.fixture
def browser(made_case):
    case, prediction = made_case
    return browse(case, prediction=prediction)


@pytest.fixture
def sent(browser, monkeypatch):
    """What the kernel sends, as pairs of content and buffers."""
    messages = []
    monkeypatch.setattr(browser, "send", lambda content, buffers: messages.append((content, buffers)))
    return messages


def receive(browser, content):
    """As if the web browser had sent `content`."""
    browser._handle_custom_msg(content, [])


def test_the_settings_describe_the_case(browser, made_case):
    case, _ = made_case
    assert browser.name == "volume-7"
    assert browser.shape == [40, 60, 75]
    assert browser.spacing_mm == pytest.approx([2.5, 1.6, 0.8])
    np.testing.assert_allclose(browser.affine, case.grid.axial_affine)
    assert [layer["name"] for layer in browser.layers] == ["Reference", "Prediction"]
    assert [layer["key"] for layer in browser.layers] == ["r", "p"]
    assert browser.window == (-150, 250)


def test_it_opens_where_the_tumor_is_largest(browser, made_case):
    case, prediction = made_case
    areas = [max((case.reference[z] == 2).sum(), (prediction[z] == 2).sum()) for z in range(40)]
    assert areas[browser.slice] == max(areas)


def test_the_slices_asked_for_are_sent_byte_by_byte(browser, sent, made_case):
    case, prediction = made_case
    receive(browser, {"kind": "slices", "plane": 0, "indices": [39, 0, 22]})
    [(content, buffers)] = sent
    assert content == {"kind": "slices", "plane": 0, "indices": [39, 0, 22]}
    for place, index in enumerate([39, 0, 22]):
        hu, *masks = buffers[3 * place : 3 * place + 3]
        assert hu == case.volume[index].astype("<i2").tobytes()
        for packed, mask in zip(masks, [case.reference, prediction], strict=True):
            np.testing.assert_array_equal(unpack_labels(packed, 60 * 75), mask[index].reshape(-1))


@pytest.mark.parametrize(("indices", "answered"), [([-1, 40, 3], [3]), ([], []), (list(range(30)), list(range(8)))])
def test_what_is_not_there_or_too_much_is_not_sent(browser, sent, indices, answered):
    receive(browser, {"kind": "slices", "plane": 0, "indices": indices})
    [(content, buffers)] = sent
    assert content["indices"] == answered
    assert len(buffers) == 3 * len(answered)


@pytest.mark.parametrize(("plane", "size"), [(1, 40 * 75), (2, 40 * 60)])
def test_the_other_planes_have_their_own_slices(browser, sent, plane, size):
    receive(browser, {"kind": "slices", "plane": plane, "indices": [browser.shape[plane] - 1, browser.shape[plane]]})
    [(content, buffers)] = sent
    assert content == {"kind": "slices", "plane": plane, "indices": [browser.shape[plane] - 1]}
    assert len(buffers[0]) == 2 * size


def test_a_plane_that_is_not_there_has_no_slices(browser, sent):
    receive(browser, {"kind": "slices", "plane": 7, "indices": [0]})
    assert sent == [({"kind": "slices", "plane": 7, "indices": []}, [])]


def finished(name="lits-facts"):
    """Wait for the thread that counts."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join()


def test_facts_are_counted_once_and_sent_to_all_who_ask(browser, sent, monkeypatch):
    counted = []
    count = browser_module.facts_message
    monkeypatch.setattr(browser_module, "facts_message", lambda *given: counted.append(given) or count(*given))
    for _ in range(2):
        receive(browser, {"kind": "facts"})
    finished()
    assert len(counted) == 1
    assert [content["kind"] for content, _ in sent] == ["facts", "facts"]


def test_the_figure_comes_with_its_code(browser, sent):
    receive(browser, {"kind": "figure"})
    [(content, [picture])] = sent
    assert picture.startswith(b"\x89PNG")
    compile(content["code"], "code", "exec")
    assert "View(" in content["code"]


def test_the_module_is_sent_and_no_part_of_the_state(browser, sent):
    receive(browser, {"kind": "module"})
    [(_, [module])] = sent
    assert b"class BrowserView" in module
    assert "class BrowserView" not in str(browser.get_state())


def test_what_cannot_be_drawn_is_said(browser, sent, monkeypatch):
    def fail(self, view=None):
        raise InputError("there is no such slice")

    monkeypatch.setattr(type(browser), "figure", fail)
    receive(browser, {"kind": "figure"})
    assert sent == [({"kind": "figure", "error": "there is no such slice"}, [])]


def test_other_messages_are_left_alone(browser, sent):
    receive(browser, {"kind": "something later"})
    assert sent == []


def test_a_case_without_masks_is_its_volume_only(made_case):
    case = dataclasses.replace(made_case[0], reference=None)
    browser = browse(case)
    assert browser.layers == []
    assert browser.slice == 20
    assert repr(browser) == "SliceBrowser(volume-7: 40 slices of 60 × 75, no mask)"


def test_another_reference_takes_the_place_of_the_cases_own(made_case, monkeypatch):
    case, prediction = made_case
    browser = browse(case, prediction)
    messages = []
    monkeypatch.setattr(browser, "send", lambda content, buffers: messages.append(buffers))
    receive(browser, {"kind": "slices", "plane": 0, "indices": [20]})
    np.testing.assert_array_equal(unpack_labels(messages[0][1], 60 * 75), prediction[20].reshape(-1))


def test_a_mask_of_another_shape_is_refused(made_case):
    case, prediction = made_case
    with pytest.raises(GeometryError, match=r"prediction of volume-7.*\(40, 60, 75\).*\(39, 60, 75\)"):
        browse(case, prediction=prediction[1:])
    with pytest.raises(GeometryError, match="reference of volume-7"):
        browse(dataclasses.replace(case, reference=case.reference[..., :-1]))


@pytest.mark.parametrize("change", [lambda mask: mask + 1, lambda mask: -mask.astype(int), lambda mask: mask / 2])
def test_other_labels_are_refused(made_case, change):
    case, prediction = made_case
    with pytest.raises(InputError, match=r"prediction of volume-7.*labels 0, 1"):
        browse(case, prediction=change(prediction))


def test_a_mask_of_another_integer_type_is_taken(made_case):
    case, prediction = made_case
    assert len(browse(case, prediction > 0, prediction.astype(np.int64)).layers) == 2


def test_models_are_layers_by_name(made_case):
    case, prediction = made_case
    browser = browse(case, prediction={"a": prediction, "b": prediction}, probability={"b": prediction / 2})
    assert [(layer["name"], layer["key"]) for layer in browser.layers] == [("Reference", "r"), ("a", "p"), ("b", "o")]
    assert (browser.chosen, browser.probabilities, browser.shown) == ("a", ["b"], ["Reference", "a", "b"])
    assert repr(browser).endswith("reference, a and b)")


@pytest.mark.parametrize("form", [lambda p: p.astype(np.float32), lambda p: np.rint(p * 255).astype(np.uint8)])
def test_a_probability_travels_as_a_byte(made_case, monkeypatch, form):
    case, prediction = made_case
    probability = np.linspace(0, 1, prediction.size).reshape(prediction.shape)
    browser = browse(case, prediction=prediction, probability=form(probability))
    messages = []
    monkeypatch.setattr(browser, "send", lambda content, buffers: messages.append(buffers))
    receive(browser, {"kind": "slices", "plane": 0, "indices": [20]})
    np.testing.assert_array_equal(np.frombuffer(messages[0][3], np.uint8), np.rint(probability[20] * 255).ravel())


def test_a_probability_is_read_from_a_file(made_case, tmp_path):
    case, prediction = made_case
    stored = case.grid.from_axial(np.where(prediction == 2, 0.75, 0).astype(np.float32))
    nib.save(nib.Nifti1Image(stored, case.grid.affine), tmp_path / "p.nii.gz")
    browser = browse(case, prediction=prediction, probability=tmp_path / "p.nii.gz")
    assert set(np.unique(browser._probabilities["Prediction"])) == {0, 191}
    assert f"probability={str(tmp_path / 'p.nii.gz')!r}" in browser.code()


def test_wrong_probabilities_are_refused(made_case):
    case, prediction = made_case
    with pytest.raises(InputError, match=r"floats from 0 to 1, found float64 from 0\.0 to 2\.0"):
        browse(case, prediction=prediction, probability=prediction.astype(float))
    with pytest.raises(GeometryError, match="probability"):
        browse(case, prediction=prediction, probability=np.zeros((2, 2, 2)))
    with pytest.raises(SettingError, match="there is none for other"):
        browse(case, prediction=prediction, probability={"other": prediction / 2})


@pytest.mark.parametrize(("plane", "axis"), [("axial", 0), ("coronal", 1), ("sagittal", 2)])
def test_the_slice_is_the_cursors_place_along_the_plane(made_case, plane, axis):
    case, prediction = made_case
    browser = browse(case, prediction=prediction, plane=plane, slice=7)
    assert browser.cursor[axis] == browser.slice == browser.view.cursor[axis] == 7
    tumor = np.argwhere(case.reference == 2)
    others = [other for other in range(3) if other != axis]
    assert all(tumor[:, other].min() <= browser.cursor[other] <= tumor[:, other].max() for other in others)


def test_the_view_is_what_is_on_the_screen(made_case):
    case, prediction = made_case
    browser = browse(case, prediction={"a": prediction, "b": prediction}, layout="compare", errors=True)
    browser.set_state({"zoom": 2.0, "middle": [10.0, 20.0, 30.0], "plane": "sagittal", "shown": ["Reference", "b"]})
    view = browser.view
    assert (view.layout, view.plane, view.zoom, view.middle) == ("compare", "sagittal", 2.0, (10.0, 20.0, 30.0))
    assert (view.shown, view.errors, view.window) == (("Reference", "b"), True, (-150, 250))
    assert len(browser.figure().data)


def test_the_figure_of_errors_is_that_of_the_chosen_model(made_case):
    case, prediction = made_case
    browser = browse(case, prediction={"a": prediction, "b": prediction}, errors=True)
    browser.chosen = "b"
    assert browser.view.shown == ("Reference", "b")


def test_a_volume_without_slices_is_refused():
    with pytest.raises(InputError, match="with voxels"):
        browse(Case("empty", np.zeros((0, 4, 4), np.int16), Grid((4, 4, 0), np.eye(4))))


@pytest.mark.parametrize(
    "settings",
    [
        {"window": "brain"},
        {"window": (5, 5)},
        {"opacity": 1.5},
        {"plane": "oblique"},
        {"layout": "mosaic"},
        {"errors": True},
        {"heat": True},
        {"prediction": {"Reference": np.zeros((40, 60, 75), np.uint8)}},
    ],
)
def test_wrong_settings_are_refused(made_case, settings):
    with pytest.raises(SettingError):
        browse(made_case[0], **settings)


def test_a_slice_beyond_the_end_becomes_the_last(browser):
    browser.slice = 1000
    assert browser.slice == 39
    browser.slice = -3
    assert browser.slice == 0


def test_the_saved_state_is_small_and_has_no_pixels():
    rng = np.random.default_rng(0)
    reference = np.zeros((1000, 24, 24), np.uint8)
    reference[10:985:13, 4:9, 4:9] = 2  # 75 lesions
    volume = rng.integers(-1000, 1000, reference.shape).astype(np.int16)
    case = Case("large", volume, Grid((24, 24, 1000), np.diag([-1.0, -1.0, 1.0, 1.0])), reference)
    models = {f"2d-mobilenet_v2-{number}": np.roll(reference, number, 0) for number in range(4)}
    browser = browse(case, prediction=models, probability={name: mask / 2 for name, mask in models.items()})
    state = json.dumps(ipywidgets.Widget.get_manager_state(widgets=[browser]))
    settings = json.dumps({name: value for name, value in browser.get_state().items() if name not in ("_esm", "_css")})
    assert len(state) < 30_000
    assert len(settings) < 10_000


def test_the_bundle_has_the_view_a_picture_and_a_line_of_text(browser):
    data, _ = browser._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == browser.model_id
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == "SliceBrowser(volume-7: 40 slices of 60 × 75, reference and prediction)"


def displayed(browser, monkeypatch):
    outputs = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: outputs.append(set(data)))
    browser._ipython_display_()
    return outputs


def test_the_picture_is_an_output_beside_the_view(browser, monkeypatch):
    monkeypatch.delenv("VSCODE_PID", raising=False)
    _, view, picture = displayed(browser, monkeypatch)
    assert view == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    assert picture == {"image/png", "text/plain"}


def test_vs_code_gets_one_output(browser, monkeypatch):
    monkeypatch.setenv("VSCODE_PID", "1")
    [output] = displayed(browser, monkeypatch)
    assert {"application/vnd.jupyter.widget-view+json", "image/png"} <= output
