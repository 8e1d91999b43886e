#include "model/known_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace headway::model {
namespace {

// ReadCommonKeys() and what it calls.
constexpr std::string_view kRead[] = {"attention.head_count",
                                      "attention.head_count_kv",
                                      "attention.key_length",
                                      "attention.layer_norm_rms_epsilon",
                                      "attention.sliding_window",
                                      "attention.value_length",
                                      "block_count",
                                      "context_length",
                                      "embedding_length",
                                      "feed_forward_length",
                                      "rope.dimension_count",
                                      "rope.freq_base",
                                      "rope.scale_linear",
                                      "rope.scaling.attn_factor",
                                      "rope.scaling.factor",
                                      "rope.scaling.original_context_length",
                                      "rope.scaling.type",
                                      "rope.scaling.yarn_beta_fast",
                                      "rope.scaling.yarn_beta_slow"};

// The embedding's rows are the vocabulary; how a file was made; the epsilon of a norm that these
// architectures do not have; what pools embeddings; how training went on.
constexpr std::string_view kWithoutEffect[] = {"attention.causal",   "attention.layer_norm_epsilon",
                                               "pooling_type",       "rope.scaling.finetuned",
                                               "tensor_data_layout", "vocab_size"};

template <class List>
bool Has(const List& list, std::string_view key) {
  return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

bool SaysNone(const gguf::Value& value) {
  if (value.type == gguf::ValueType::kArray) return value.count == 0;
  if (value.type == gguf::ValueType::kBool) return value.bytes[0] == std::byte{0};
  if (const auto number = value.IntegerAt(0)) return *number == 0;
  return value.FloatAt(0) == 0.0;
}

}  // namespace

Result<void> CheckKeys(const gguf::GgufFile& file, std::string_view architecture,
                       std::span<const std::string_view> own) {
  for (const gguf::MetadataEntry& entry : file.Metadata()) {
    std::string_view key = entry.key;
    if (!key.starts_with(architecture) || key.substr(architecture.size(), 1) != ".") continue;
    key.remove_prefix(architecture.size() + 1);
    // Without a causal mask it is an encoder.
    const bool encoder = key == "attention.causal" && SaysNone(entry.value);
    if (!encoder && (Has(kRead, key) || Has(own, key) || Has(kWithoutEffect, key))) continue;
    if (!encoder && SaysNone(entry.value)) continue;
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("gguf: {}: key {} with the value {}: Headway does not know what it does "
                    "to a model of the architecture '{}'",
                    file.Path(), gguf::Quoted(entry.key), gguf::ToText(entry.value, 4),
                    architecture));
  }
  return {};
}

}  // namespace headway::model
