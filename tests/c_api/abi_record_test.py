#!/usr/bin/env python3
"""What abi_test.py takes for an addition, and what for a broken promise."""
import unittest

from abi_test import broken

RECORDED = ["abi 1", "struct s 16", "member s.size 0 8", "member s.a 8 8", "constant HEADWAY_A 1", "first s 16",
            "function headway_f void (int32_t a)", "symbol headway_f"]


def changed(line, other):
    return [other if one == line else one for one in RECORDED]


class Broken(unittest.TestCase):
    def test_additions(self):
        self.assertEqual(broken(RECORDED, RECORDED), [])
        self.assertEqual(broken(RECORDED, RECORDED + ["symbol headway_g", "constant HEADWAY_B 2"]), [])
        grown = changed("struct s 16", "struct s 24") + ["member s.b 16 8"]
        self.assertEqual(broken(RECORDED, grown), [])

    def test_what_breaks_programs(self):
        for line in RECORDED[1:]:
            self.assertEqual(broken(RECORDED, [one for one in RECORDED if one != line]), [line])
        for line, other in (("struct s 16", "struct s 8"), ("member s.a 8 8", "member s.a 8 4"),
                            ("constant HEADWAY_A 1", "constant HEADWAY_A 2"), ("first s 16", "first s 24"),
                            ("function headway_f void (int32_t a)", "function headway_f void (int64_t a)")):
            self.assertEqual(broken(RECORDED, changed(line, other)), [line])

    def test_another_number_promises_anew(self):
        self.assertEqual(broken(RECORDED, ["abi 2"]), [])
        self.assertEqual(broken(["abi 2", "symbol headway_f"], ["abi 1"]), ["abi 2", "symbol headway_f"])


if __name__ == "__main__":
    unittest.main()
