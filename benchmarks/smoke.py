"""The small form that all benchmarks have: what is typed, on little, once, in seconds. Its numbers mean nothing."""

from argparse import ArgumentParser, Namespace
from typing import Any

SMALL_MODEL = "2d-shufflenet_v2-default"


def parse_arguments(parser: ArgumentParser, **small: Any) -> Namespace:
    """What is typed; with `--smoke`, `small` in place of all of it that has a value."""
    parser.add_argument("--smoke", action="store_true", help="on little, once, in seconds: its numbers mean nothing")
    arguments = parser.parse_args()
    if arguments.smoke:
        given = vars(arguments)
        given.update({name: value for name, value in small.items() if given[name] is not None})
    return arguments
