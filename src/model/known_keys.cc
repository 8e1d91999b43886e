#include "model/known_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace headway::model {
namespace {

using std::string_view_literals::operator""sv;

// ReadCommonKeys() and what it calls.
constexpr std::array kRead = {"attention.head_count"sv,
                              "attention.head_count_kv"sv,
                              "attention.key_length"sv,
                              "attention.layer_norm_rms_epsilon"sv,
                              "attention.sliding_window"sv,
                              "attention.value_length"sv,
                              "block_count"sv,
                              "context_length"sv,
                              "embedding_length"sv,
                              "feed_forward_length"sv,
                              "rope.dimension_count"sv,
                              "rope.freq_base"sv,
                              "rope.scale_linear"sv,
                              "rope.scaling.attn_factor"sv,
                              "rope.scaling.factor"sv,
                              "rope.scaling.original_context_length"sv,
                              "rope.scaling.type"sv,
                              "rope.scaling.yarn_beta_fast"sv,
                              "rope.scaling.yarn_beta_slow"sv};

// The embedding's rows are the vocabulary; how a file was made; the epsilon of a norm that these
// architectures do not have; what pools embeddings; how training went on.
constexpr std::array kWithoutEffect = {"attention.causal"sv,   "attention.layer_norm_epsilon"sv,
                                       "pooling_type"sv,       "rope.scaling.finetuned"sv,
                                       "tensor_data_layout"sv, "vocab_size"sv};

template <class List>
bool Has(const List& list, std::string_view key) {
  return std::find(list.begin(), list.end(), key) != list.end();
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
