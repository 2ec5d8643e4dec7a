import dataclasses
import json

import ipywidgets
import numpy as np
import pytest

from lits_toolkit.data.case import Case, Grid
from lits_toolkit.errors import GeometryError, InputError, SettingError
from lits_toolkit.viewer import browse
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
    receive(browser, {"kind": "slices", "indices": [39, 0, 22]})
    [(content, buffers)] = sent
    assert content == {"kind": "slices", "indices": [39, 0, 22]}
    for place, index in enumerate([39, 0, 22]):
        hu, *masks = buffers[3 * place : 3 * place + 3]
        assert hu == case.volume[index].astype("<i2").tobytes()
        for packed, mask in zip(masks, [case.reference, prediction], strict=True):
            np.testing.assert_array_equal(unpack_labels(packed, 60 * 75), mask[index].reshape(-1))


@pytest.mark.parametrize(("indices", "answered"), [([-1, 40, 3], [3]), ([], []), (list(range(30)), list(range(8)))])
def test_what_is_not_there_or_too_much_is_not_sent(browser, sent, indices, answered):
    receive(browser, {"kind": "slices", "indices": indices})
    [(content, buffers)] = sent
    assert content["indices"] == answered
    assert len(buffers) == 3 * len(answered)


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
    receive(browser, {"kind": "slices", "indices": [20]})
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


def test_a_volume_without_slices_is_refused():
    with pytest.raises(InputError, match="with voxels"):
        browse(Case("empty", np.zeros((0, 4, 4), np.int16), Grid((4, 4, 0), np.eye(4))))


@pytest.mark.parametrize("settings", [{"window": "brain"}, {"window": (5, 5)}, {"opacity": 1.5}])
def test_wrong_settings_are_refused(made_case, settings):
    with pytest.raises(SettingError):
        browse(made_case[0], **settings)


def test_a_slice_beyond_the_end_becomes_the_last(browser):
    browser.slice = 1000
    assert browser.slice == 39
    browser.slice = -3
    assert browser.slice == 0


def test_the_saved_state_is_small_and_has_no_pixels(browser):
    state = json.dumps(ipywidgets.Widget.get_manager_state(widgets=[browser]))
    assert len(state) < 100_000


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
