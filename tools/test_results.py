#!/usr/bin/env python3
"""Sums up GoogleTest's XML reports: cases that ran, cases that were skipped and why: test_results.py DIRECTORY"""
import pathlib
import sys
import xml.etree.ElementTree as tree


def main() -> int:
    ran, skipped, failed = 0, [], 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
        for case in tree.parse(path).getroot().iter("testcase"):
            if case.get("status") != "run":
                continue
            reason = case.find("skipped")
            if reason is not None:
                message = (reason.get("message") or "").strip().splitlines()
                skipped.append(f"{case.get('classname')}.{case.get('name')}: {message[-1] if message else 'no reason'}")
            else:
                ran += 1
            failed += case.find("failure") is not None
    for line in skipped:
        print(f"skipped: {line}")
    print(f"{ran} cases ran, {len(skipped)} skipped, {failed} failed")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
