#pragma once

// The o200k reference files that tools/tokenizer_reference/make.sh writes, read for the slow tests
// here and in tests/.

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "test_paths.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/vocabulary.h"

namespace headway::tokenizer {

struct ReferenceCase {
  std::string text;
  std::vector<int32_t> ids;
};

struct Reference {
  std::vector<std::string> tokens;  // bytes by id
  std::vector<ReferenceCase> cases;
};

inline constexpr const char* kReferenceMissing =
    "no tokenizer reference: run tools/tokenizer_reference/make.sh (needs node, npm and a package "
    "registry), which "
    "writes build/tokenizer_reference";

inline std::string ReferenceDirectory() {
  const char* named = std::getenv("HEADWAY_TOKENIZER_REFERENCE");
  return named != nullptr ? named : SourceDirectory() + "/build/tokenizer_reference";
}

inline std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned value = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    bytes.push_back(static_cast<char>(value));
  }
  return bytes;
}

// Nothing when the files are not there or not finished. `name`: o200k_base, cl100k_base, gpt2 or
// llama2.
inline std::optional<Reference> ReadReference(const std::string& name) {
  const std::string path = ReferenceDirectory() + "/" + name;
  if (!std::ifstream(ReferenceDirectory() + "/stamp")) return std::nullopt;
  Reference reference;
  std::string line;
  for (std::ifstream file(path + ".tokens"); std::getline(file, line);) {
    reference.tokens.push_back(FromHex(line));
  }
  for (std::ifstream file(path + ".cases"); std::getline(file, line);) {
    const size_t tab = line.find('\t');
    ReferenceCase test_case;
    test_case.text = FromHex(std::string_view(line).substr(0, tab));
    const char* end = line.data() + line.size();
    for (const char* at = line.data() + tab + 1; at < end; ++at) {
      int32_t id = 0;
      at = std::from_chars(at, end, id).ptr;
      test_case.ids.push_back(id);
    }
    reference.cases.push_back(std::move(test_case));
  }
  return reference;
}

// The merge that makes token `rank`: the last two parts that are left when its bytes are joined by
// the ranks below its own; "left right" in the byte alphabet. Empty when more than two are left.
inline std::string MergeOf(const std::string& bytes, int32_t rank,
                           const std::unordered_map<std::string, int32_t>& ranks) {
  std::vector<std::string> parts;
  for (const char c : bytes) parts.emplace_back(1, c);
  while (true) {
    size_t best = 0;
    int32_t best_rank = rank;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ranks.find(parts[i] + parts[i + 1]);
      if (found == ranks.end() || found->second >= best_rank) continue;
      best = i;
      best_rank = found->second;
    }
    if (best_rank == rank) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  if (parts.size() != 2) return {};
  return ToByteAlphabet(parts[0]) + " " + ToByteAlphabet(parts[1]);
}

// Byte-level BPE from ranks, which are the ids; only normal tokens.
inline Vocabulary VocabularyFromRanks(const std::string& pre,
                                      const std::vector<std::string>& tokens) {
  Vocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = pre;
  std::unordered_map<std::string, int32_t> ranks;
  for (size_t i = 0; i < tokens.size(); ++i) {
    ranks.emplace(tokens[i], static_cast<int32_t>(i));
    vocabulary.tokens.push_back(ToByteAlphabet(tokens[i]));
  }
  vocabulary.types.assign(tokens.size(), TokenType::kNormal);
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].size() < 2) continue;
    std::string merge = MergeOf(tokens[i], static_cast<int32_t>(i), ranks);
    if (!merge.empty()) vocabulary.merges.push_back(std::move(merge));
  }
  return vocabulary;
}

// Phi-4-mini's vocabulary of 200,064 entries: the ranks of o200k_base, the special tokens its
// tokenizer adds, and unused entries in the gaps. Source: microsoft/Phi-4-mini-instruct,
// tokenizer_config.json and added_tokens.json.
inline Vocabulary Phi4MiniVocabulary(const Reference& o200k) {
  Vocabulary vocabulary = VocabularyFromRanks("gpt-4o", o200k.tokens);
  vocabulary.tokens.resize(200064);
  vocabulary.types.resize(200064, TokenType::kUnused);
  const auto special = [&](size_t id, const char* text) {
    vocabulary.tokens[id] = text;
    vocabulary.types[id] = TokenType::kControl;
  };
  special(199999, "<|endoftext|>");
  special(200018, "<|endofprompt|>");
  special(200019, "<|assistant|>");
  special(200020, "<|end|>");
  special(200021, "<|user|>");
  special(200022, "<|system|>");
  special(200023, "<|tool|>");
  special(200024, "<|/tool|>");
  special(200025, "<|tool_call|>");
  special(200026, "<|/tool_call|>");
  special(200027, "<|tool_response|>");
  special(200028, "<|tag|>");
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    if (vocabulary.tokens[i].empty()) vocabulary.tokens[i] = "[PAD" + std::to_string(i) + "]";
  }
  vocabulary.bos_id = vocabulary.eos_id = vocabulary.padding_id = 199999;
  vocabulary.extra_end_ids = {200020};
  vocabulary.chat_template =
      "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + "
      "'<|end|>' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}";
  return vocabulary;
}

inline std::string Repeat(std::string_view text, size_t count) {
  std::string repeated;
  for (size_t i = 0; i < count; ++i) repeated += text;
  return repeated;
}

// Llama 2's: <unk> <s> </s>, 256 byte tokens, then pieces whose scores are 0, -1, -2, ... in the
// order in which the trainer made them, but -1e9 for runs of spaces, so that a space joins the word
// after it first. Source: Llama 2's tokenizer.model.
inline Vocabulary Llama2Vocabulary(const Reference& llama2) {
  Vocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = llama2.tokens;
  for (size_t i = 0; i < llama2.tokens.size(); ++i) {
    const bool byte = i >= 3 && i < 259;
    vocabulary.types.push_back(byte ? TokenType::kByte
                                    : (i < 3 ? TokenType::kControl : TokenType::kNormal));
    const std::string& text = llama2.tokens[i];
    const bool spaces =
        text.size() > 3 && text.size() % 3 == 0 && text == Repeat("\xE2\x96\x81", text.size() / 3);
    vocabulary.scores.push_back(i < 259 ? 0.0F : (spaces ? -1e9F : 259.0F - static_cast<float>(i)));
  }
  vocabulary.types[0] = TokenType::kUnknown;
  vocabulary.unknown_id = 0;
  vocabulary.bos_id = 1;
  vocabulary.eos_id = 2;
  vocabulary.add_bos = true;
  return vocabulary;
}

}  // namespace headway::tokenizer
