"""Types of options that several verbs have."""

from pathlib import Path
from typing import Annotated

import tyro

from lits_toolkit.inference.runtimes import RUNTIMES

OptionalPath = Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
"""A path whose help says what its absence means."""
Jobs = Annotated[int, tyro.conf.arg(metavar="N", help_behavior_hint="")]
Threshold = Annotated[float | None, tyro.conf.arg(metavar="0…1", help_behavior_hint="")]
Predictions = Annotated[Path | None, tyro.conf.arg(metavar="PREDICTIONS", help_behavior_hint="")]
References = Annotated[Path | None, tyro.conf.arg(metavar="REFERENCES", help_behavior_hint="")]
Cases = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="CASE ...", help_behavior_hint="")]
Folders = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR ...", help_behavior_hint="")]
Runs = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...", help_behavior_hint="")]
Name = Annotated[str, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
Inputs = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="CT ...", help_behavior_hint="")]
Runtime = Annotated[
    str,
    tyro.conf.arg(
        metavar="NAME",
        help="\n".join(["What runs the networks:", *(f"- {name}: {words}" for name, words in RUNTIMES.items())]),
    ),
]
