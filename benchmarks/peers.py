"""Others' networks, as their users build them: 9 slices in, 2 classes out."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType

from torch import nn


class MissingPeerError(Exception):
    """Its message says which, and where it is written how to install it."""


def smp_unet() -> nn.Module:
    """U-Net with EfficientNet-b0 of segmentation-models-pytorch, from scratch."""
    if importlib.util.find_spec("torchvision") is None:
        sys.meta_path.append(_Torchvision())
    smp = require("segmentation_models_pytorch")
    return smp.Unet("efficientnet-b0", encoder_weights=None, in_channels=9, classes=2)


def monai_basic_unet() -> nn.Module:
    """BasicUNet of MONAI in 2D, its widths as they are by default."""
    return require("monai.networks.nets").BasicUNet(2, 9, 2)


PEERS: dict[str, Callable[[], nn.Module]] = {"smp-unet": smp_unet, "monai-basicunet": monai_basic_unet}


def require(module: str) -> ModuleType:
    """Import a peer's module; MissingPeerError where the peer is not installed."""
    package = module.split(".")[0]
    if importlib.util.find_spec(package) is None:
        raise MissingPeerError(f"{package} is not installed; docs/measurements.md says how")
    return importlib.import_module(module)


class _Torchvision:
    """Stands in for torchvision, which timm and smp import by name and this U-Net does not use."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] == "torchvision" else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Empty(spec.name)

    def exec_module(self, _: ModuleType) -> None:
        pass


class _Empty(ModuleType):
    """Every class that is asked for is there and does nothing; every other name is a module."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        if name[0].isupper():
            return _Names(name, (nn.Module,), {})
        return importlib.import_module(f"{self.__name__}.{name}")


class _Names(type):
    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name
