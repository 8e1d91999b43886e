#!/usr/bin/env python3
"""Prints what a build compiles of the product, tests and generated code left out: product_units.py compile_commands.json"""
import json
import sys

OTHERS = ("/tests/", "_test.dir/", "test_paths", "/bench/", "/examples/", "_proto.dir/", ".pb.cc", "rules_text.cc")


def main() -> int:
    with open(sys.argv[1]) as file:
        units = sorted({entry["file"] for entry in json.load(file)})
    units = [unit for unit in units if not any(other in unit for other in OTHERS)]
    print("\n".join(units))
    return 0 if units else 1


if __name__ == "__main__":
    sys.exit(main())
