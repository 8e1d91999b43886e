"""``headway`` and ``python -m headway``: the command line tool (docs/cli.md)."""

import os
import sys

from .serving import tool_path


def main() -> None:
    os.execv(tool_path(), ["headway", *sys.argv[1:]])


if __name__ == "__main__":
    main()
