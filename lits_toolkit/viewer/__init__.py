"""The slice browser: a CT with its masks in a notebook, scrolled, windowed and blended in the web browser."""

from lits_toolkit.viewer.browser import SliceBrowser, browse

__all__ = ["SliceBrowser", "browse"]
