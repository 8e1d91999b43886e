#include "base/json_depth.h"

#include <gtest/gtest.h>

#include <string>

namespace headway {
namespace {

TEST(JsonDepthTest, CountsWhatIsOpen_NotWhatIsInStrings) {
  EXPECT_FALSE(NestsDeeper("[[{}, []], {\"a\": [1]}]", 3));
  EXPECT_TRUE(NestsDeeper("[[{}, []], {\"a\": [1]}]", 2));
  EXPECT_FALSE(NestsDeeper("\"[[[[\"", 0));
  EXPECT_FALSE(NestsDeeper("[\"\\\"[[[\"]", 1));
  EXPECT_TRUE(NestsDeeper(std::string(66000, '[')));
  EXPECT_FALSE(NestsDeeper("]]]]\"", 0));
}

}  // namespace
}  // namespace headway
