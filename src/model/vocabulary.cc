#include "model/vocabulary.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace headway::model {
namespace {

Result<std::vector<std::string>> Strings(const gguf::GgufFile& file, std::string_view key) {
  HW_TRY(const auto views, file.GetStringArrayOr(key));
  return std::vector<std::string>(views.begin(), views.end());
}

Result<std::optional<int32_t>> OptionalId(const gguf::GgufFile& file, std::string_view key) {
  if (file.Find(key) == nullptr) return std::optional<int32_t>();
  HW_TRY(const uint32_t id, file.GetU32(key));
  if (id > 0x7fffffffU) {
    // Some converters write -1 for "none".
    return std::optional<int32_t>();
  }
  return std::optional<int32_t>(static_cast<int32_t>(id));
}

}  // namespace

Result<tokenizer::Vocabulary> VocabularyFromGguf(const gguf::GgufFile& file) {
  tokenizer::Vocabulary vocabulary;
  HW_TRY(const std::string_view model, file.GetString("tokenizer.ggml.model"));
  vocabulary.model = std::string(model);
  HW_TRY(const std::string_view pre, file.GetStringOr("tokenizer.ggml.pre", model == "gpt2" ? "gpt-2" : "default"));
  vocabulary.pre = std::string(pre);
  HW_TRY(const auto tokens, file.GetStringArray("tokenizer.ggml.tokens"));
  vocabulary.tokens.assign(tokens.begin(), tokens.end());
  HW_TRY(vocabulary.scores, file.GetF32ArrayOr("tokenizer.ggml.scores"));
  HW_TRY(const auto types, file.GetI32ArrayOr("tokenizer.ggml.token_type"));
  for (const int32_t type : types) vocabulary.types.push_back(static_cast<tokenizer::TokenType>(type));
  HW_TRY(vocabulary.merges, Strings(file, "tokenizer.ggml.merges"));
  HW_TRY(vocabulary.bos_id, OptionalId(file, "tokenizer.ggml.bos_token_id"));
  HW_TRY(vocabulary.eos_id, OptionalId(file, "tokenizer.ggml.eos_token_id"));
  HW_TRY(vocabulary.unknown_id, OptionalId(file, "tokenizer.ggml.unknown_token_id"));
  HW_TRY(vocabulary.padding_id, OptionalId(file, "tokenizer.ggml.padding_token_id"));
  // A SentencePiece model begins every text with BOS unless told otherwise; a byte-level one does not.
  HW_TRY(vocabulary.add_bos, file.GetBoolOr("tokenizer.ggml.add_bos_token", model == "llama"));
  HW_TRY(vocabulary.add_eos, file.GetBoolOr("tokenizer.ggml.add_eos_token", false));
  HW_TRY(vocabulary.add_space_prefix, file.GetBoolOr("tokenizer.ggml.add_space_prefix", true));
  HW_TRY(const std::string_view chat_template, file.GetStringOr("tokenizer.chat_template", ""));
  vocabulary.chat_template = std::string(chat_template);
  for (const std::string_view key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    HW_TRY(const std::optional<int32_t> id, OptionalId(file, key));
    if (id) vocabulary.extra_end_ids.push_back(*id);
  }
  return vocabulary;
}

}  // namespace headway::model
