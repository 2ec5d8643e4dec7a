"""Run one notebook by papermill, always with the interpreter that runs this: `python -m lits_toolkit.report.execute`.

A process of its own for each notebook, since papermill changes process-wide state while it runs one. It reads a
request as JSON from its input, prints "cell N" after each cell, and prints "failed JSON" where a cell raised.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

FAILED = 3
"""The exit status when a cell of the notebook raised."""


def run_notebook(notebook: Path, output: Path, parameters: dict[str, Any]) -> None:
    """Execute `notebook` into `output`, which is saved after every cell.

    Raises papermill's PapermillExecutionError if a cell raises.
    """
    import papermill
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

    class OwnKernelSpec(KernelSpecManager):
        """Whatever kernel is asked for, it is this interpreter's: kernels installed elsewhere are not looked at."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(resource_dir=str(RESOURCES), **get_kernel_dict())

    class OwnKernel(AsyncKernelManager):
        def __init__(self, **settings: object) -> None:
            super().__init__(kernel_spec_manager=OwnKernelSpec(), **settings)

    def tell(cell_index: int, **_: object) -> None:
        print(f"cell {cell_index + 1}", flush=True)

    papermill.execute_notebook(
        _literal(notebook),
        _literal(output),
        parameters,
        kernel_name="python3",
        language="python",
        progress_bar=False,
        kernel_manager_class=OwnKernel,
        on_cell_executed=tell,
    )


def main() -> int:
    """Serve one request; the exit status is 0, or FAILED."""
    request = json.load(sys.stdin)
    with warnings.catch_warnings():
        # Papermill runs its loop in ways that newer Pythons are about to drop; that is not the reader's concern.
        warnings.simplefilter("ignore", DeprecationWarning)
        from papermill.exceptions import PapermillExecutionError

        try:
            run_notebook(Path(request["notebook"]), Path(request["output"]), request["parameters"])
        except PapermillExecutionError as error:
            failure = {"cell": error.exec_count, "error": f"{error.ename}: {error.evalue}", "source": error.source}
            print(f"failed {json.dumps(failure)}", flush=True)
            return FAILED
    return 0


def _literal(path: Path) -> str:
    """Papermill takes braces in a path for placeholders."""
    return str(path).replace("{", "{{").replace("}", "}}")


if __name__ == "__main__":
    sys.exit(main())
