#pragma once

// The o200k reference files that tools/o200k/make.sh writes, read for the slow tests here and in
// tests/.

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/vocabulary.h"

namespace headway::tokenizer {

struct O200kCase {
  std::string text;
  std::vector<int32_t> ids;
};

struct O200kReference {
  std::vector<std::string> ranks;  // token bytes by rank
  std::vector<O200kCase> cases;
};

inline constexpr const char* kO200kMissing =
    "no o200k reference: run tools/o200k/make.sh (needs node, npm and a package registry), which "
    "writes build/o200k";

inline std::string O200kDirectory() {
  const char* named =
      std::getenv("HEADWAY_O200K");  // NOLINT(concurrency-mt-unsafe): tests read only
  return named != nullptr ? named : HEADWAY_SOURCE_DIR "/build/o200k";
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

// Nothing when the files are not there or not finished.
inline std::optional<O200kReference> ReadO200kReference() {
  const std::string directory = O200kDirectory();
  if (!std::ifstream(directory + "/stamp")) return std::nullopt;
  O200kReference reference;
  std::string line;
  for (std::ifstream file(directory + "/ranks.txt"); std::getline(file, line);) {
    reference.ranks.push_back(FromHex(line));
  }
  for (std::ifstream file(directory + "/cases.txt"); std::getline(file, line);) {
    const size_t tab = line.find('\t');
    O200kCase test_case;
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

// Phi-4-mini's vocabulary of 200,064 entries: the ranks, the special tokens its tokenizer adds, and
// unused entries in the gaps. Source: microsoft/Phi-4-mini-instruct, tokenizer_config.json and
// added_tokens.json.
inline Vocabulary Phi4MiniVocabulary(const O200kReference& reference) {
  Vocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = "gpt-4o";
  vocabulary.tokens.resize(200064);
  vocabulary.types.assign(200064, TokenType::kNormal);
  std::unordered_map<std::string, int32_t> ranks;
  for (size_t i = 0; i < reference.ranks.size(); ++i) {
    ranks.emplace(reference.ranks[i], static_cast<int32_t>(i));
    vocabulary.tokens[i] = ToByteAlphabet(reference.ranks[i]);
  }
  for (size_t i = 0; i < reference.ranks.size(); ++i) {
    if (reference.ranks[i].size() < 2) continue;
    std::string merge = MergeOf(reference.ranks[i], static_cast<int32_t>(i), ranks);
    if (!merge.empty()) vocabulary.merges.push_back(std::move(merge));
  }
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
    if (!vocabulary.tokens[i].empty()) continue;
    vocabulary.tokens[i] = "[PAD" + std::to_string(i) + "]";
    vocabulary.types[i] = TokenType::kUnused;
  }
  vocabulary.bos_id = vocabulary.eos_id = vocabulary.padding_id = 199999;
  vocabulary.extra_end_ids = {200020};
  vocabulary.chat_template =
      "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + "
      "'<|end|>' }}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}";
  return vocabulary;
}

}  // namespace headway::tokenizer
