#include "base/utf8.h"

#include <cstring>

namespace headway {
namespace {

// One row of Unicode's table 3-7: the length announced by a first byte and the range of the second
// byte.
struct Lead {
  size_t num_bytes;
  uint8_t second_low;
  uint8_t second_high;
};

Lead LeadOf(uint8_t first) {
  if (first < 0x80) return {1, 0, 0};
  if (first < 0xC2) return {0, 0, 0};  // continuation bytes; C0 and C1 only start overlong forms
  if (first < 0xE0) return {2, 0x80, 0xBF};
  if (first == 0xE0) return {3, 0xA0, 0xBF};
  if (first == 0xED) return {3, 0x80, 0x9F};  // above: surrogates
  if (first < 0xF0) return {3, 0x80, 0xBF};
  if (first == 0xF0) return {4, 0x90, 0xBF};
  if (first < 0xF4) return {4, 0x80, 0xBF};
  if (first == 0xF4) return {4, 0x80, 0x8F};  // above: beyond U+10FFFF
  return {0, 0, 0};
}

// How many of the announced bytes are present and valid.
size_t ValidBytes(std::string_view text, const Lead& lead) {
  size_t n = 1;
  for (; n < lead.num_bytes && n < text.size(); ++n) {
    const auto byte = static_cast<uint8_t>(text[n]);
    const uint8_t low = n == 1 ? lead.second_low : 0x80;
    const uint8_t high = n == 1 ? lead.second_high : 0xBF;
    if (byte < low || byte > high) break;
  }
  return n;
}

}  // namespace

size_t Utf8CharacterBytes(std::string_view text) {
  if (text.empty()) return 0;
  const Lead lead = LeadOf(static_cast<uint8_t>(text[0]));
  return lead.num_bytes != 0 && ValidBytes(text, lead) == lead.num_bytes ? lead.num_bytes : 0;
}

size_t Utf8ValidPrefixBytes(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080U;
  size_t i = 0;
  while (i < text.size()) {
    uint64_t eight = 0;
    if (text.size() - i >= sizeof eight) {
      std::memcpy(&eight, text.data() + i, sizeof eight);
      if ((eight & kHighBits) == 0) {
        i += sizeof eight;
        continue;
      }
    }
    const size_t n = Utf8CharacterBytes(text.substr(i));
    if (n == 0) return i;
    i += n;
  }
  return i;
}

bool Utf8IsIncomplete(std::string_view text) {
  if (text.empty()) return false;
  const Lead lead = LeadOf(static_cast<uint8_t>(text[0]));
  return text.size() < lead.num_bytes && ValidBytes(text, lead) == text.size();
}

size_t Utf8IllFormedBytes(std::string_view text) {
  const Lead lead = LeadOf(static_cast<uint8_t>(text[0]));
  return lead.num_bytes == 0 ? 1 : ValidBytes(text, lead);
}

uint32_t Utf8CodePoint(std::string_view text, size_t num_bytes) {
  constexpr uint32_t kFirstBits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  uint32_t code_point = static_cast<uint8_t>(text[0]) & kFirstBits[num_bytes];
  for (size_t i = 1; i < num_bytes; ++i) {
    code_point = code_point << 6 | (static_cast<uint8_t>(text[i]) & 0x3FU);
  }
  return code_point;
}

}  // namespace headway
