#include "model/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "tokenizer/pretokenizer_rules.h"

namespace headway::model {
namespace {

using tokenizer::TokenType;
using tokenizer::Vocabulary;

constexpr std::string_view kExtraEndIds = "headway.tokenizer.extra_end_ids";
constexpr std::string_view kStripAfterSpecial = "headway.tokenizer.strip_after_special";

// An id; -1 (also stored as 0xFFFFFFFF) means none.
Result<std::optional<int32_t>> ReadId(const gguf::GgufFile& file, std::string_view key) {
  const gguf::Value* value = file.Find(key);
  if (value == nullptr) return std::optional<int32_t>();
  const std::optional<int64_t> id =
      gguf::IsInteger(value->type) ? value->IntegerAt(0) : std::nullopt;
  constexpr int64_t kNone = std::numeric_limits<uint32_t>::max();
  if (id.value_or(0) == -1 || id.value_or(0) == kNone) return std::optional<int32_t>();
  if (!id || *id < 0 || *id > std::numeric_limits<int32_t>::max()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("gguf: {}: key '{}': expected a token id, found {} {}", file.Path(),
                            key, value->TypeText(), gguf::ToText(*value, 4)));
  }
  return std::optional<int32_t>(static_cast<int32_t>(*id));
}

Result<void> ReadIds(const gguf::GgufFile& file, Vocabulary* vocabulary) {
  HW_TRY(vocabulary->bos_id, ReadId(file, "tokenizer.ggml.bos_token_id"));
  HW_TRY(vocabulary->eos_id, ReadId(file, "tokenizer.ggml.eos_token_id"));
  HW_TRY(vocabulary->unknown_id, ReadId(file, "tokenizer.ggml.unknown_token_id"));
  HW_TRY(vocabulary->padding_id, ReadId(file, "tokenizer.ggml.padding_token_id"));
  HW_TRY(vocabulary->extra_end_ids, file.GetI32ArrayOr(kExtraEndIds));
  // Files exist whose padding or end of turn lies outside the vocabulary; llama.cpp goes without.
  const auto num_tokens = static_cast<int32_t>(vocabulary->tokens.size());
  if (vocabulary->padding_id >= num_tokens) vocabulary->padding_id.reset();
  if (vocabulary->unknown_id >= num_tokens) vocabulary->unknown_id.reset();
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    HW_TRY(const std::optional<int32_t> id, ReadId(file, key));
    auto& ids = vocabulary->extra_end_ids;
    if (id && *id < num_tokens && std::find(ids.begin(), ids.end(), *id) == ids.end()) {
      ids.push_back(*id);
    }
  }
  // SentencePiece's own order, for old files that name none.
  if (vocabulary->model == "llama" && vocabulary->tokens.size() > 2) {
    const auto missing = [&](std::string_view key) { return file.Find(key) == nullptr; };
    if (missing("tokenizer.ggml.unknown_token_id")) vocabulary->unknown_id = 0;
    if (missing("tokenizer.ggml.bos_token_id")) vocabulary->bos_id = 1;
    if (missing("tokenizer.ggml.eos_token_id")) vocabulary->eos_id = 2;
  }
  return {};
}

Result<void> ReadSwitches(const gguf::GgufFile& file, Vocabulary* vocabulary) {
  const tokenizer::PretokenizerRules* rules = tokenizer::FindPretokenizerRules(vocabulary->pre);
  const bool adds_bos_by_default =
      vocabulary->model == "llama" || (rules != nullptr && rules->adds_bos);
  HW_TRY(vocabulary->add_bos,
         file.GetBoolOr("tokenizer.ggml.add_bos_token", adds_bos_by_default && vocabulary->bos_id));
  HW_TRY(vocabulary->add_eos, file.GetBoolOr("tokenizer.ggml.add_eos_token", false));
  HW_TRY(vocabulary->add_space_prefix, file.GetBoolOr("tokenizer.ggml.add_space_prefix", true));
  // Phi-3's special tokens swallow the white space after them. GGUF has no key for it, so llama.cpp
  // goes by the name.
  HW_TRY(const std::string_view name, file.GetStringOr("general.name", ""));
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const bool is_phi3 =
      lower.find("phi-3") != std::string::npos || lower.find("phi3") != std::string::npos;
  HW_TRY(vocabulary->strip_after_special, file.GetBoolOr(kStripAfterSpecial, is_phi3));
  return {};
}

// What some converters leave behind, read as llama.cpp reads it: a token without text gets a name,
// type 0 ("undefined") is ordinary text, and lists longer than the vocabulary end with it.
void Complete(Vocabulary* vocabulary) {
  const size_t num_tokens = vocabulary->tokens.size();
  if (vocabulary->scores.size() > num_tokens) vocabulary->scores.resize(num_tokens);
  if (vocabulary->types.size() > num_tokens) vocabulary->types.resize(num_tokens);
  for (TokenType& type : vocabulary->types) {
    if (static_cast<int32_t>(type) == 0) type = TokenType::kNormal;
  }
  for (size_t i = 0; i < num_tokens; ++i) {
    if (vocabulary->tokens[i].empty()) vocabulary->tokens[i] = fmt::format("[EMPTY_{}]", i);
  }
}

}  // namespace

Result<Vocabulary> VocabularyFromGguf(const gguf::GgufFile& file) {
  Vocabulary vocabulary;
  HW_TRY(vocabulary.model, file.GetString("tokenizer.ggml.model"));
  // Byte-level files older than the key are GPT-2's relatives.
  const bool byte_level = vocabulary.model == "gpt2";
  HW_TRY(vocabulary.pre, file.GetStringOr("tokenizer.ggml.pre", byte_level ? "gpt-2" : ""));
  HW_TRY(const auto tokens, file.GetStringArray("tokenizer.ggml.tokens"));
  vocabulary.tokens.assign(tokens.begin(), tokens.end());
  HW_TRY(vocabulary.scores, file.GetF32ArrayOr("tokenizer.ggml.scores"));
  HW_TRY(const auto types, file.GetI32ArrayOr("tokenizer.ggml.token_type"));
  vocabulary.types.reserve(types.size());
  for (const int32_t type : types) vocabulary.types.push_back(static_cast<TokenType>(type));
  HW_TRY(const auto merges, file.GetStringArrayOr("tokenizer.ggml.merges"));
  vocabulary.merges.assign(merges.begin(), merges.end());
  HW_TRY(vocabulary.chat_template, file.GetStringOr("tokenizer.chat_template", ""));
  Complete(&vocabulary);
  HW_TRY_VOID(ReadIds(file, &vocabulary));
  HW_TRY_VOID(ReadSwitches(file, &vocabulary));
  return vocabulary;
}

void AddVocabularyToGguf(const Vocabulary& vocabulary, gguf::GgufWriter* writer) {
  writer->AddString("tokenizer.ggml.model", vocabulary.model);
  writer->AddString("tokenizer.ggml.pre", vocabulary.pre);
  writer->AddStringArray("tokenizer.ggml.tokens", std::span<const std::string>(vocabulary.tokens));
  if (!vocabulary.scores.empty()) {
    writer->AddArray<float>("tokenizer.ggml.scores", vocabulary.scores);
  }
  if (!vocabulary.types.empty()) {
    std::vector<int32_t> types;
    types.reserve(vocabulary.types.size());
    for (const TokenType type : vocabulary.types) types.push_back(static_cast<int32_t>(type));
    writer->AddArray<int32_t>("tokenizer.ggml.token_type", types);
  }
  if (!vocabulary.merges.empty()) {
    writer->AddStringArray("tokenizer.ggml.merges",
                           std::span<const std::string>(vocabulary.merges));
  }
  const auto add_id = [&](std::string_view key, std::optional<int32_t> id) {
    // Written even when there is none: a missing key would mean a default.
    writer->AddU32(key, id ? static_cast<uint32_t>(*id) : std::numeric_limits<uint32_t>::max());
  };
  add_id("tokenizer.ggml.bos_token_id", vocabulary.bos_id);
  add_id("tokenizer.ggml.eos_token_id", vocabulary.eos_id);
  add_id("tokenizer.ggml.unknown_token_id", vocabulary.unknown_id);
  add_id("tokenizer.ggml.padding_token_id", vocabulary.padding_id);
  if (!vocabulary.extra_end_ids.empty()) {
    add_id("tokenizer.ggml.eot_token_id", vocabulary.extra_end_ids.front());  // for other readers
    writer->AddArray<int32_t>(kExtraEndIds, vocabulary.extra_end_ids);
  }
  writer->AddBool("tokenizer.ggml.add_bos_token", vocabulary.add_bos);
  writer->AddBool("tokenizer.ggml.add_eos_token", vocabulary.add_eos);
  writer->AddBool("tokenizer.ggml.add_space_prefix", vocabulary.add_space_prefix);
  writer->AddBool(kStripAfterSpecial, vocabulary.strip_after_special);
  if (!vocabulary.chat_template.empty()) {
    writer->AddString("tokenizer.chat_template", vocabulary.chat_template);
  }
}

}  // namespace headway::model
