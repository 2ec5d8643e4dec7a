"""What `lits` and `python -m lits_toolkit` start: it imports nothing before an interruption can be told in one line."""

import os
import sys


def main() -> None:
    """Run the command line."""
    # Threads spin only briefly before they sleep, since other processes may need the CPU; read when torch is imported.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    try:
        from lits_toolkit import cli

        cli.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
