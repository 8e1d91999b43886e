#include "base/quoted.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace headway {
namespace {

// Bytes of the well-formed character at the start of `text` (Unicode 15, table 3-7), and its code
// point; 0 bytes where there is none.
struct Character {
  size_t bytes = 0;
  uint32_t code_point = 0;
};

Character FirstCharacter(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return {1, first};
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return {};
  uint32_t code_point = first & (0x7fU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80U) return {};
    code_point = code_point << 6 | (next & 0x3fU);
  }
  constexpr std::array<uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code_point >= 0xd800 && code_point < 0xe000;
  if (code_point < kLeast[bytes] || code_point > 0x10ffff || is_surrogate) return {};
  return {bytes, code_point};
}

bool IsPrintable(uint32_t c) {
  if (c == '\n' || c == '\t') return true;
  const bool is_control = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
  const bool turns = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                     (c >= 0x2066 && c <= 0x2069);
  return !is_control && !turns;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    const size_t bytes = std::max<size_t>(1, character.bytes);
    if (character.bytes > 0 && IsPrintable(character.code_point)) {
      printable += text.substr(0, bytes);
    } else {
      for (const char c : text.substr(0, bytes))
        printable += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    text.remove_prefix(bytes);
  }
  return printable;
}

std::string Quoted(std::string_view text) {
  constexpr size_t kMaxCharacters = 80;
  std::string quoted = "'";
  for (const char c : text.substr(0, kMaxCharacters)) {
    if (c >= 0x20 && c < 0x7f) {
      quoted += c;
    } else {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return quoted + (text.size() > kMaxCharacters ? "…'" : "'");
}

}  // namespace headway
