"""The slice browser: a CT with its masks in a notebook, scrolled, windowed and blended in the web browser."""

from lits_toolkit.viewer.browser import SliceBrowser, browse
from lits_toolkit.viewer.study import StudyBrowser, browse_cases, browse_study

__all__ = ["SliceBrowser", "StudyBrowser", "browse", "browse_cases", "browse_study"]
