"""What `lits` and `python -m lits_toolkit` start: it imports nothing before an interruption can be told in one line."""

import os
import sys


def main() -> None:
    """Run the command line."""
    # Threads of a CPU that is shared wait asleep, not spinning; torch reads these when it is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from lits_toolkit import cli

        cli.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
