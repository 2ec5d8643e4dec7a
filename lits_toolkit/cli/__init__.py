"""The command line: `lits` with one verb per step of the data's way, each a thin call of a public function."""

import os
import sys

import tyro

from lits_toolkit.cli.data_commands import check, phantom, prepare
from lits_toolkit.cli.prediction_commands import benchmark, export, predict, tune
from lits_toolkit.cli.report_commands import browse, demo, evaluate, figures, lab, submit
from lits_toolkit.cli.training_commands import models, registry, train
from lits_toolkit.errors import LitsError
from lits_toolkit.files import reason

app = tyro.extras.SubcommandApp()
for verb in (
    demo,
    phantom,
    check,
    prepare,
    models,
    train,
    predict,
    tune,
    export,
    evaluate,
    submit,
    figures,
    benchmark,
    browse,
    lab,
):
    app.command(verb)


def main() -> None:
    """Run the command line; an error of the user's is one line, an interruption leaves the workspace usable."""
    try:
        app.cli(
            prog="lits",
            description="Liver-tumour segmentation in CT: from a folder of CT to masks, scores, figures.",
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.PositionalMetavarFromFieldName),
            registry=registry,
        )
    except LitsError as error:
        sys.exit(f"lits: {error}")
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.exit(f"lits: {error.filename or 'the system'}: {reason(error)}")
    except KeyboardInterrupt:
        print("\nlits: interrupted; the same command goes on where it stopped", file=sys.stderr)
        sys.exit(130)
