// libFuzzer target: any bytes as a text of vocabularies of every pre-tokenizer, and any bytes as a
// vocabulary. The first byte chooses, the second says whether special tokens are parsed.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tokenizer/pretokenizer_rules.h"
#include "tokenizer/sentence_piece.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary_fixture.h"

namespace {

using namespace headway;
using namespace headway::tokenizer;

// One of each pre-tokenizer with merges, user-defined and special tokens, and one SentencePiece.
std::vector<Tokenizer> MakeTokenizers() {
  std::vector<Tokenizer> tokenizers;
  const auto add = [&](Vocabulary vocabulary) {
    AddToken("  ", TokenType::kUserDefined, 0.0F, &vocabulary);
    AddToken("<|end|>", TokenType::kControl, 0.0F, &vocabulary);
    auto tokenizer = Tokenizer::Create(std::move(vocabulary));
    HW_CHECK(tokenizer.has_value(), "a vocabulary of ours");
    tokenizers.push_back(*std::move(tokenizer));
  };
  const std::string names = PretokenizerNames();
  for (size_t begin = 0; begin < names.size();) {
    const size_t end = std::min(names.find(' ', begin), names.size());
    add(ByteLevelVocabulary(names.substr(begin, end - begin),
                            {"Ġ a", "a b", "Ġa b", "1 2", "Ċ Ċ", "e n", "Ã ©", "Ġ Ġ"}));
    begin = end + 1;
  }
  const std::string mark(kSpaceMark);
  add(SentencePieceVocabulary({mark + "a", "ab", "a", "b", mark, mark + mark, "b" + mark, "é"}));
  return tokenizers;
}

// Lines "<type as a letter><token>" until an empty one; merges where a line has a space.
Vocabulary ReadVocabulary(std::string_view* bytes, bool byte_level) {
  Vocabulary vocabulary;
  vocabulary.model = byte_level ? "gpt2" : "llama";
  vocabulary.pre = "gpt-2";
  while (!bytes->empty()) {
    const size_t end = std::min(bytes->find('\n'), bytes->size());
    const std::string line(bytes->substr(0, end));
    bytes->remove_prefix(std::min(end + 1, bytes->size()));
    if (line.empty()) break;
    if (line[0] == ' ') {
      vocabulary.merges.push_back(line.substr(1));
    } else {
      AddToken(line.substr(1), static_cast<TokenType>(line[0] % 8), static_cast<float>(line[0] % 3),
               &vocabulary);
    }
  }
  return vocabulary;
}

void Exercise(const Tokenizer& tokenizer, std::string_view text, bool parse_special,
              bool is_exact) {
  const auto ids = tokenizer.Encode(text, {.add_bos = false, .parse_special = parse_special});
  if (!ids) {
    HW_CHECK(!is_exact && !ids.error().message.empty(), "a refusal says why");
    return;
  }
  const std::string decoded = tokenizer.Decode(*ids, true);
  StreamDecoder stream(tokenizer);
  for (const int32_t id : *ids) {
    HW_CHECK(id >= 0 && id < tokenizer.VocabSize(), "an id of the vocabulary");
    HW_CHECK(parse_special || !tokenizer.vocabulary().IsSpecial(id) || !is_exact,
             "no special token from text");
    stream.Push(id);
  }
  stream.Finish();
  if (is_exact) HW_CHECK(decoded == text, "the bytes come back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t num_bytes) {
  static const std::vector<Tokenizer> tokenizers = MakeTokenizers();
  if (num_bytes < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(input), num_bytes);
  const size_t choice = input[0];
  const bool parse_special = input[1] % 2 != 0;
  bytes.remove_prefix(2);
  if (choice >= 192) {
    auto tokenizer = Tokenizer::Create(ReadVocabulary(&bytes, choice % 2 != 0));
    if (tokenizer) Exercise(*tokenizer, bytes, parse_special, false);
    return 0;
  }
  const Tokenizer& tokenizer = tokenizers[choice % tokenizers.size()];
  const bool is_marked = tokenizer.vocabulary().model == "llama" &&
                         (bytes.find(kSpaceMark) != std::string_view::npos || parse_special);
  Exercise(tokenizer, bytes, parse_special, !is_marked);
  return 0;
}
