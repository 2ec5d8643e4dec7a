import pytest

from lits_toolkit.viewer.still import display_with_picture, with_picture

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.mark.parametrize("bundle", [{VIEW: {}, "text/plain": "a widget"}, ({VIEW: {}}, {"kept": 1}), None])
def test_a_bundle_gets_a_picture_and_a_line_of_text(bundle):
    data, metadata = with_picture(bundle, b"png", "SliceBrowser(…)")
    assert (data["image/png"], data["text/plain"]) == (b"png", "SliceBrowser(…)")
    assert (VIEW in data) == (bundle is not None)
    assert metadata == (bundle[1] if isinstance(bundle, tuple) else {})


@pytest.fixture
def displayed(monkeypatch):
    outputs = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: outputs.append(set(data)))
    return outputs


def test_in_jupyterlab_the_picture_is_an_output_of_its_own(displayed, monkeypatch):
    monkeypatch.delenv("VSCODE_PID", raising=False)
    display_with_picture({VIEW: {}, "image/png": b"png", "text/plain": "a"}, {})
    assert displayed == [{"text/html", "text/plain"}, {VIEW, "text/plain"}, {"image/png", "text/plain"}]


def test_in_vs_code_all_is_one_output(displayed, monkeypatch):
    monkeypatch.setenv("VSCODE_PID", "1")
    display_with_picture({VIEW: {}, "image/png": b"png", "text/plain": "a"}, {})
    assert displayed == [{VIEW, "image/png", "text/plain"}]
