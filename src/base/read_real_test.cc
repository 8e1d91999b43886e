#include "base/read_real.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <random>

namespace headway {
namespace {

template <class T, class Bits>
void ExpectSame(const std::string& text) {
  const char* const first = text.data();
  const char* const last = first + text.size();
  T expected{7};
  T found{7};
  const auto right = std::from_chars(first, last, expected);
  const auto mine = ReadRealByStrtod(first, last, found);
  EXPECT_EQ(mine.ec, right.ec) << '\'' << text << '\'';
  EXPECT_EQ(mine.ptr - first, right.ptr - first) << '\'' << text << '\'';
  if (expected == expected) {
    EXPECT_EQ(std::bit_cast<Bits>(found), std::bit_cast<Bits>(expected)) << '\'' << text << '\'';
  }
}

void ExpectSameText(const std::string& text) {
  ExpectSame<float, uint32_t>(text);
  ExpectSame<double, uint64_t>(text);
}

TEST(ReadRealByStrtod, EveryForm_IsReadAsFromCharsReadsIt) {
  for (const char* text : {"",        "-",        "+1",     " 1",     "\t1",
                           "1 ",      "-+1",      "--1",    "1",      "-1",
                           "0",       "-0",       "1.",     ".5",     "-.5",
                           ".",       "1e",       "1e+",    "1e5",    "1E-5x",
                           "1.5e3.2", "0x10",     "0X1p3",  "-0x1",   "inf",
                           "-inf",    "INFINITY", "nan",    "nano",   "infi",
                           "1e400",   "-1e400",   "1e-400", "1e-320", "1e39",
                           "1e-46",   "1e-40",    "1,5",    "1'000",  "12345678901234567890123",
                           "0.1",     "e5",       "x"})
    ExpectSameText(text);
}

TEST(ReadRealByStrtod, RandomTexts_GiveTheSameBits) {
  std::mt19937 random(3);
  constexpr const char* kLetters = "0123456789.e-+";
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (size_t length = 1 + random() % 12; length > 0; --length) text += kLetters[random() % 14];
    ExpectSameText(text);
  }
}

}  // namespace
}  // namespace headway
