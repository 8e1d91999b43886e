#include "tokenizer/byte_alphabet.h"

#include <gtest/gtest.h>

#include <string>

namespace headway::tokenizer {
namespace {

TEST(ByteAlphabetTest, EveryByte_ThereAndBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_EQ(FromByteAlphabet(ToByteAlphabet(all)), all);
  EXPECT_EQ(ToByteAlphabet(" a\n"), "ĠaĊ");  // as in every published byte-level vocabulary
  EXPECT_EQ(ToByteAlphabet("é"), "Ã©");
  EXPECT_FALSE(FromByteAlphabet(" ").has_value());
  EXPECT_FALSE(FromByteAlphabet("你").has_value());
  EXPECT_FALSE(FromByteAlphabet("\xFF").has_value());
}

}  // namespace
}  // namespace headway::tokenizer
