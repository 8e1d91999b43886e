#include "gates/placement_difference.h"

#include <gtest/gtest.h>

namespace headway::gates {
namespace {

OpPlacement Op(const std::string& kind, const std::string& name, const std::string& predicted,
               const std::string& where) {
  return {.op = kind,
          .name = name,
          .where = where,
          .counts = true,
          .resident = where == "neural engine",
          .reason = "",
          .predicted = predicted,
          .cost = 0.25};
}

TEST(PlacementDifference, WithoutAMeasurement_IsEmpty) {
  EXPECT_EQ(PlacementDifference({.ops = {Op("ios18.conv", "a", "", "neural engine")}}), "");
  EXPECT_EQ(PlacementDifference({}), "");
}

TEST(PlacementDifference, OpsThatMovedAlike_AreOneEntryEach) {
  const Residency residency{.ops = {Op("ios18.conv", "a", "neural engine", "neural engine"),
                                    Op("ios18.softmax", "b", "neural engine", "cpu"),
                                    Op("ios18.softmax", "c", "neural engine", "cpu"),
                                    Op("ios18.cast", "d", "", "gpu")}};
  EXPECT_EQ(PlacementDifference(residency),
            "    1 of 4 ops as predicted\n"
            "    1 op ios18.cast, the first d, 25.0 % of the estimated cost\n"
            "      - predicted no such op\n      + measured gpu\n"
            "    2 ops ios18.softmax, the first b, 50.0 % of the estimated cost\n"
            "      - predicted neural engine\n      + measured cpu\n");
}

TEST(PlacementDifference, OpsOfWhichNothingIsTold_AreLeftOut) {
  Residency residency{.ops = {Op("ios18.conv", "a", "neural engine", "neural engine"),
                              Op("ios18.read_state", "b", "neural engine", "not told")}};
  residency.ops[1].counts = false;
  EXPECT_EQ(PlacementDifference(residency), "    1 of 1 ops as predicted\n");
}

}  // namespace
}  // namespace headway::gates
