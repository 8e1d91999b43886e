#include "kernels/kernel_set.h"

#include <gtest/gtest.h>

#include <string>

#include "kernels/cases.h"

namespace headway::kernels {
namespace {

TEST(KernelSetTest, SupportedSets_EndWithTheCompleteReference) {
  const auto sets = SupportedSets();
  const KernelSet* last = nullptr;
  for (const KernelSet* set : sets) last = set != nullptr ? set : last;
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(last->name, "reference");
  for (const DataType type : kWeightTypes) {
    EXPECT_NE(last->matmul[static_cast<size_t>(type)], nullptr) << Traits(type).name;
  }
}

TEST(KernelSetTest, SelectKernels_Forced_RunsThatSet) {
  for (const KernelSet* set : SupportedSets()) {
    if (set == nullptr) continue;
    const auto selected = SelectKernels(set->name);
    ASSERT_TRUE(selected.has_value());
    EXPECT_EQ(selected->kernels.name, set->name);
    for (const DataType type : kWeightTypes) {
      const auto index = static_cast<size_t>(type);
      EXPECT_NE(selected->kernels.matmul[index], nullptr);
      if (set->matmul[index] != nullptr) {
        EXPECT_EQ(selected->kernels.matmul[index], set->matmul[index]);
        EXPECT_EQ(selected->matmul_served_by[index], set->name);
      }
    }
    for (size_t kv = 0; kv < kNumKvTypes; ++kv) {
      EXPECT_NE(selected->kernels.attention[kv], nullptr);
      if (set->attention[kv] != nullptr) {
        EXPECT_EQ(selected->kernels.attention[kv], set->attention[kv]);
      }
    }
  }
}

TEST(KernelSetTest, SelectKernels_Unforced_TakesTheFastest) {
  EXPECT_EQ(SelectKernels("")->kernels.name, SupportedSets()[0]->name);
}

TEST(KernelSetTest, SelectKernels_UnknownName_ListsTheKnownOnes) {
  const auto selected = SelectKernels("sse9");
  ASSERT_FALSE(selected.has_value());
  EXPECT_EQ(selected.error().code, ErrorCode::kInvalidInput);
  EXPECT_NE(selected.error().message.find("'sse9'"), std::string::npos);
  EXPECT_NE(selected.error().message.find("reference"), std::string::npos);
}

}  // namespace
}  // namespace headway::kernels
