#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace headway {
namespace {

// The definition, read the long way: decode, then look at the value.
bool IsCharacter(const std::string& bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
  const size_t n = bytes.size();
  if (n == 1) return byte(0) < 0x80;
  const uint32_t mark = n == 2 ? 0xC0 : (n == 3 ? 0xE0 : 0xF0);
  const uint32_t mark_mask = n == 2 ? 0xE0 : (n == 3 ? 0xF0 : 0xF8);
  if ((byte(0) & mark_mask) != mark) return false;
  uint32_t code_point = byte(0) & ~mark_mask;
  for (size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return false;
    code_point = code_point << 6 | (byte(i) & 0x3F);
  }
  const uint32_t lowest = n == 2 ? 0x80 : (n == 3 ? 0x800 : 0x10000);
  return code_point >= lowest && code_point <= 0x10FFFF &&
         (code_point < 0xD800 || code_point > 0xDFFF);
}

TEST(Utf8Test, CharacterBytes_AllSequencesOfInterestingBytes_FollowTheDefinition) {
  std::string interesting;
  for (int byte = 0; byte < 256; ++byte) {
    const int low = byte & 0x0F;
    if (byte >= 0xC0 || low == 0 || low == 0xF) interesting.push_back(static_cast<char>(byte));
  }
  for (const char a : interesting) {
    for (const char b : interesting) {
      EXPECT_EQ(Utf8CharacterBytes(std::string{a, b}) == 2, IsCharacter({a, b}));
      for (const char c : interesting) {
        EXPECT_EQ(Utf8CharacterBytes(std::string{a, b, c}) == 3, IsCharacter({a, b, c}));
        const std::string four = {a, b, c, '\x80'};
        EXPECT_EQ(Utf8CharacterBytes(four) == 4, IsCharacter(four));
      }
    }
  }
}

TEST(Utf8Test, IsIncomplete_EveryProperBeginning) {
  for (const std::string text : {"é", "€", "😀"}) {
    for (size_t n = 1; n < text.size(); ++n) EXPECT_TRUE(Utf8IsIncomplete(text.substr(0, n)));
    EXPECT_FALSE(Utf8IsIncomplete(text));
  }
  for (const std::string bad :
       {"", "a", "\x80", "\xC0", "\xE0\x80", "\xED\xA0", "\xF4\x90", "\xF5", "\xE2\x82x"}) {
    EXPECT_FALSE(Utf8IsIncomplete(bad));
  }
}

TEST(Utf8Test, ValidPrefix_StopsAtTheFirstBadByte) {
  const std::string good = "plain text, then é€😀 and more plain text";
  EXPECT_EQ(Utf8ValidPrefixBytes(good), good.size());
  for (size_t i = 0; i < good.size(); ++i) {
    if ((static_cast<uint8_t>(good[i]) & 0xC0) == 0x80) continue;
    EXPECT_EQ(Utf8ValidPrefixBytes(good.substr(0, i) + "\xFF" + good.substr(i)), i);
  }
}

}  // namespace
}  // namespace headway
