#include "lab/synth/vocabulary.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "base/check.h"

namespace headway::synth {
namespace {

constexpr uint32_t kNumBytes = 256;
constexpr std::string_view kLetters = "etaoinshrdlucmfwypvbgkjqxz";  // by frequency in English
constexpr std::string_view kSpace = "\xc4\xa0";                      // U+0120, the byte 0x20

// Places counted from the end of a large vocabulary.
struct SpecialToken {
  std::string_view text;
  uint32_t from_end;
};
constexpr std::array<SpecialToken, 12> kSpecials = {{{"<|endoftext|>", 65},
                                                     {"<|endofprompt|>", 46},
                                                     {"<|assistant|>", 45},
                                                     {"<|end|>", 44},
                                                     {"<|user|>", 43},
                                                     {"<|system|>", 42},
                                                     {"<|tool|>", 41},
                                                     {"<|/tool|>", 40},
                                                     {"<|tool_call|>", 39},
                                                     {"<|/tool_call|>", 38},
                                                     {"<|tool_response|>", 37},
                                                     {"<|tag|>", 36}}};
constexpr uint32_t kSmallVocabulary = 1000;
constexpr uint32_t kSpecialPlaces = 65;
constexpr uint32_t kSmallSpecialPlaces = 16;

std::string Utf8(uint32_t code_point) {  // below U+0800
  if (code_point < 0x80) return std::string(1, static_cast<char>(code_point));
  return {static_cast<char>(0xc0 | (code_point >> 6)),
          static_cast<char>(0x80 | (code_point & 0x3f))};
}

bool IsPrintableByte(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

// Byte-level BPE writes printable Latin-1 bytes as themselves and the others as U+0100, U+0101, …
// in order; token ids list the printable ones first.
void AddBytes(MadeUpVocabulary& vocabulary) {
  for (uint32_t byte = 0; byte < kNumBytes; ++byte) {
    if (IsPrintableByte(byte)) vocabulary.tokens.push_back(Utf8(byte));
  }
  uint32_t next = 0x100;
  for (uint32_t byte = 0; byte < kNumBytes; ++byte) {
    if (!IsPrintableByte(byte)) vocabulary.tokens.push_back(Utf8(next++));
  }
}

// Adds `left` + `right` as the next merge; false when the vocabulary is full.
bool Merge(MadeUpVocabulary& vocabulary, uint32_t end, const std::string& left,
           const std::string& right) {
  if (vocabulary.tokens.size() >= end) return false;
  vocabulary.tokens.push_back(left + right);
  vocabulary.merges.push_back(left + " " + right);
  return true;
}

// Each kind of string has one way to be made, so all tokens differ: space + letter, pairs, space +
// pair, triples, space + triple, quadruples.
void AddMerges(MadeUpVocabulary& vocabulary, uint32_t end) {
  std::vector<std::string> letters;
  std::vector<std::string> pairs;
  for (const char a : kLetters) letters.emplace_back(1, a);
  for (const std::string& a : letters) {
    for (const std::string& b : letters) pairs.push_back(a + b);
  }
  const std::string space(kSpace);
  for (const auto& a : letters) Merge(vocabulary, end, space, a);
  for (const auto& a : letters) {
    for (const auto& b : letters) Merge(vocabulary, end, a, b);
  }
  for (const auto& ab : pairs) Merge(vocabulary, end, space + ab.substr(0, 1), ab.substr(1));
  for (const auto& ab : pairs) {
    for (const auto& c : letters) Merge(vocabulary, end, ab, c);
  }
  for (const auto& a : letters) {
    for (const auto& bc : pairs) Merge(vocabulary, end, space + a, bc);
  }
  for (const auto& ab : pairs) {
    for (const auto& cd : pairs) {
      if (!Merge(vocabulary, end, ab, cd)) return;
    }
  }
}

}  // namespace

MadeUpVocabulary MakeVocabulary(uint32_t vocab_size) {
  HW_CHECK(vocab_size >= kNumBytes + kSmallSpecialPlaces && vocab_size <= 400000,
           "a size there are strings for");
  const bool small = vocab_size < kSmallVocabulary;
  const uint32_t end = vocab_size - (small ? kSmallSpecialPlaces : kSpecialPlaces);
  MadeUpVocabulary vocabulary;
  vocabulary.tokens.reserve(vocab_size);
  AddBytes(vocabulary);
  AddMerges(vocabulary, end);
  vocabulary.token_types.assign(end, kTokenNormal);
  for (uint32_t id = end; id < vocab_size; ++id) {
    vocabulary.tokens.push_back(fmt::format("[PAD{}]", id));
    vocabulary.token_types.push_back(kTokenUnused);
  }
  for (uint32_t i = 0; i < kSpecials.size(); ++i) {
    const uint32_t id = small ? end + i : vocab_size - kSpecials[i].from_end;
    vocabulary.tokens[id] = kSpecials[i].text;
    vocabulary.token_types[id] = kTokenControl;
  }
  vocabulary.end_of_text_id = end;
  return vocabulary;
}

}  // namespace headway::synth
