#include "base/quoted.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/utf8.h"

namespace headway {
namespace {

bool IsPrintable(uint32_t c) {
  const bool is_control = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
  const bool turns = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                     (c >= 0x2066 && c <= 0x2069);
  return !is_control && !turns;
}

// The text's first character, taken from it.
std::string TakePrintable(bool keep_lines, std::string_view* text) {
  const size_t valid = Utf8CharacterBytes(*text);
  const std::string_view character = text->substr(0, std::max<size_t>(1, valid));
  text->remove_prefix(character.size());
  if (character == "\n") return keep_lines ? "\n" : "\\n";
  if (character == "\t" && keep_lines) return "\t";
  if (valid > 0 && IsPrintable(Utf8CodePoint(character, valid))) return std::string(character);
  std::string shown;
  for (const char c : character) shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return shown;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  while (!text.empty()) printable += TakePrintable(true, &text);
  return printable;
}

std::string PrintableWords(std::string_view text) {
  constexpr size_t kMostBytes = 200;
  std::string printable;
  while (!text.empty() && printable.size() < kMostBytes) printable += TakePrintable(false, &text);
  return text.empty() ? printable : printable + "...";
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
