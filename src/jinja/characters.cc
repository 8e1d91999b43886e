#include "jinja/characters.h"

#include <algorithm>
#include <iterator>

#include "jinja/case_runs.h"

namespace headway::jinja {
namespace {

template <size_t N>
uint32_t Mapped(const CaseRun (&runs)[N], uint32_t c) {
  // Sorted by their first character; runs of stride 2 interleave, so that the one before counts too.
  const auto* behind =
      std::upper_bound(std::begin(runs), std::end(runs), c,
                       [](uint32_t x, const CaseRun& run) { return x < run.first; });
  for (int i = 0; i < 4 && behind != std::begin(runs); ++i) {
    --behind;
    if (c <= behind->last && (c - behind->first) % behind->stride == 0)
      return static_cast<uint32_t>(static_cast<int64_t>(c) + behind->delta);
  }
  return c;
}

}  // namespace

uint32_t UpperOf(uint32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  return Mapped(kToUpper, c);
}

uint32_t LowerOf(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return Mapped(kToLower, c);
}

bool IsUpper(uint32_t c) { return LowerOf(c) != c; }
bool IsLower(uint32_t c) { return UpperOf(c) != c || c == 0xDF || c == 0xAA || c == 0xBA; }

// Exact in ASCII; elsewhere everything is one but spaces and the blocks of punctuation and symbols.
bool IsLetter(uint32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
  if (c == 0xD7 || c == 0xF7 || IsSpace(c)) return false;
  const bool symbol = (c >= 0x2000 && c < 0x2C00) || (c >= 0x3000 && c <= 0x3004) ||
                      (c >= 0x3008 && c <= 0x3020) || (c >= 0xFE10 && c < 0xFE70) ||
                      (c >= 0xFF00 && c < 0xFF21) || (c >= 0x1F000 && c < 0x1FB00) || c == 0xFFFD;
  return !symbol;
}

bool IsDecimalDigit(uint32_t c) { return c >= '0' && c <= '9'; }

Text WithCase(const Text& text, Case wanted) {
  Text result;
  const std::string_view bytes = text.bytes();
  bool behind_cased = false;
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = CharacterBytes(bytes.substr(at));
    const uint32_t c = CodePointOf(bytes.substr(at));
    const bool raises = wanted == Case::kUpper || (wanted == Case::kTitle && !behind_cased) ||
                        (wanted == Case::kCapitalized && at == 0) ||
                        (wanted == Case::kSwapped && IsLower(c));
    const uint32_t mapped = raises ? UpperOf(c) : LowerOf(c);
    std::string piece(bytes.substr(at, size));
    // Of the characters that become two, the one that is common.
    if (raises && c == 0xDF) {
      piece = wanted == Case::kTitle || wanted == Case::kCapitalized ? "Ss" : "SS";
    } else if (mapped != c) {
      piece.clear();
      AppendCharacter(mapped, &piece);
    }
    result.Append(piece, text.ForeignAt(at));
    behind_cased = IsUpper(c) || IsLower(c);
    at += size;
  }
  return result;
}

}  // namespace headway::jinja
