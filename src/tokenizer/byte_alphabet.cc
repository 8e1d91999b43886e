#include "tokenizer/byte_alphabet.h"

#include <array>

#include "base/utf8.h"

namespace headway::tokenizer {
namespace {

constexpr uint32_t kFirstMoved = 0x100;
constexpr size_t kNumMoved = 68;

constexpr bool StandsForItself(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Tables {
  std::array<uint32_t, 256> code_point{};               // by byte
  std::array<int16_t, kFirstMoved + kNumMoved> byte{};  // by code point; -1: not in the alphabet
};

constexpr Tables MakeTables() {
  Tables tables;
  for (auto& byte : tables.byte) byte = -1;
  uint32_t next = kFirstMoved;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const uint32_t code_point = StandsForItself(byte) ? byte : next++;
    tables.code_point[byte] = code_point;
    tables.byte[code_point] = static_cast<int16_t>(byte);
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

void AppendCharacter(uint8_t byte, std::string* text) {
  const uint32_t code_point = kTables.code_point[byte];
  if (code_point < 0x80) {
    text->push_back(static_cast<char>(code_point));
  } else {
    text->push_back(static_cast<char>(0xC0U | code_point >> 6));
    text->push_back(static_cast<char>(0x80U | (code_point & 0x3FU)));
  }
}

}  // namespace

std::string ByteAlphabetCharacter(uint8_t byte) {
  std::string text;
  AppendCharacter(byte, &text);
  return text;
}

std::string ToByteAlphabet(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) AppendCharacter(static_cast<uint8_t>(c), &text);
  return text;
}

std::optional<std::string> FromByteAlphabet(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  while (!text.empty()) {
    const size_t n = Utf8CharacterBytes(text);
    if (n == 0) return std::nullopt;
    const uint32_t code_point = Utf8CodePoint(text, n);
    if (code_point >= kTables.byte.size() || kTables.byte[code_point] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kTables.byte[code_point]));
    text.remove_prefix(n);
  }
  return bytes;
}

}  // namespace headway::tokenizer
