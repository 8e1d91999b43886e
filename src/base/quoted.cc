#include "base/quoted.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/utf8.h"

namespace headway {
namespace {

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
    const size_t valid = Utf8CharacterBytes(text);
    const std::string_view character = text.substr(0, std::max<size_t>(1, valid));
    if (valid > 0 && IsPrintable(Utf8CodePoint(text, valid))) {
      printable += character;
    } else {
      for (const char c : character)
        printable += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    text.remove_prefix(character.size());
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
