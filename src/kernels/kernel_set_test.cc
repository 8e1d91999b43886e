#include "kernels/kernel_set.h"

#include <gtest/gtest.h>

#include <string>

#include "kernels/cases.h"
#include "kernels/fields.h"

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

TEST(KernelSetTest, EveryField_IsServedByAFastSetOrByTheReference) {
  for (const KernelSet* set : SupportedSets()) {
    if (set == nullptr) continue;
    const auto selected = SelectKernels(set->name);
    ASSERT_TRUE(selected.has_value());
    ForEachEntry(selected->kernels, *set,
                 [&](std::string_view field, size_t index, auto* chosen, auto* own) {
                   if (field == "matmul" && chosen == nullptr) return;  // not a type of weights
                   EXPECT_NE(chosen, nullptr) << set->name << " " << field << " " << index;
                   EXPECT_TRUE(own == nullptr || chosen == own) << set->name << " " << field;
                 });
    const auto is_served = [&](std::string_view field) {
      EXPECT_NE(selected->ServedBy(field), "") << field;
    };
    std::apply([&](const auto&... fields) { (is_served(fields.name), ...); }, kFields);
  }
}

// All of KernelSet is in the list: a name, then fields that are pointers or arrays of pointers.
TEST(KernelSetTest, Fields_AreAllOfASet) {
  size_t bytes = sizeof(std::string_view);
  std::apply([&](const auto&... fields) { ((bytes += sizeof(KernelSet{}.*fields.member)), ...); },
             kFields);
  EXPECT_EQ(bytes, sizeof(KernelSet));
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
        EXPECT_EQ(selected->ProductServedBy(type), set->name);
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
