#include "lab/synth/type_mix.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace headway::synth {
namespace {

constexpr std::array<TypeMix, 16> kTypeMixes = {{
    {"f32", DataType::kF32, 0, false, MixRule::kUniform},
    {"f16", DataType::kF16, 1, false, MixRule::kUniform},
    {"bf16", DataType::kBF16, 32, false, MixRule::kUniform},
    {"q8_0", DataType::kQ8_0, 7, false, MixRule::kUniform},
    {"q4_0", DataType::kQ4_0, 2, true, MixRule::kUniform},
    {"q4_1", DataType::kQ4_1, 3, true, MixRule::kUniform},
    {"q5_0", DataType::kQ5_0, 8, true, MixRule::kUniform},
    {"q5_1", DataType::kQ5_1, 9, true, MixRule::kUniform},
    {"q2_k", DataType::kQ2_K, 10, true, MixRule::kQ2K},
    {"q3_k_m", DataType::kQ3_K, 12, true, MixRule::kQ3KM},
    {"q4_k_m", DataType::kQ4_K, 15, true, MixRule::kMoreBits},
    {"q5_k_m", DataType::kQ5_K, 17, true, MixRule::kMoreBits},
    {"q6_k", DataType::kQ6_K, 18, true, MixRule::kUniform},
    {"iq4_nl", DataType::kIQ4_NL, 25, true, MixRule::kIQ4},
    {"iq4_xs", DataType::kIQ4_XS, 30, true, MixRule::kIQ4},
    {"mxfp4", DataType::kMXFP4, 38, false, MixRule::kMXFP4},
}};

// The first and last eighth of the layers and every third between.
bool GetsMoreBits(const TensorPlace& place) {
  const int layer = static_cast<int>(place.layer);
  const int num_layers = static_cast<int>(place.num_layers);
  return layer < num_layers / 8 || layer >= 7 * num_layers / 8 || (layer - num_layers / 8) % 3 == 2;
}

bool IsValue(const TensorPlace& place) {
  return place.role == TensorRole::kAttentionQkv || place.role == TensorRole::kAttentionV;
}

DataType TypeByQ2K(const TensorPlace& place) {
  if (IsValue(place)) return place.heads_per_kv_head >= 4 ? DataType::kQ4_K : DataType::kQ3_K;
  const bool writes =
      place.role == TensorRole::kAttentionOutput || place.role == TensorRole::kFeedForwardDown;
  return writes ? DataType::kQ3_K : DataType::kQ2_K;
}

DataType TypeByQ3KM(const TensorPlace& place) {
  if (IsValue(place)) return place.layer < 2 ? DataType::kQ5_K : DataType::kQ4_K;
  if (place.role == TensorRole::kAttentionOutput) return DataType::kQ4_K;
  if (place.role != TensorRole::kFeedForwardDown) return DataType::kQ3_K;
  if (place.layer < place.num_layers / 16) return DataType::kQ5_K;
  return GetsMoreBits(place) ? DataType::kQ4_K : DataType::kQ3_K;
}

DataType TypeByIQ4(DataType base, const TensorPlace& place) {
  if (IsValue(place) && place.heads_per_kv_head >= 4) return DataType::kQ5_K;
  const bool early =
      place.role == TensorRole::kFeedForwardDown && place.layer < place.num_layers / 8;
  return early ? DataType::kQ5_K : base;
}

DataType WantedType(const TypeMix& mix, const TensorPlace& place) {
  if (mix.wide_head && place.serves_as_head) {
    // Decided by the base type's block before the fallback below sees Q6_K's.
    return place.columns % Traits(mix.base).block_elements == 0 ? DataType::kQ6_K : DataType::kQ8_0;
  }
  const bool is_v_or_down = IsValue(place) || place.role == TensorRole::kFeedForwardDown;
  switch (mix.rule) {
    case MixRule::kUniform:
      break;
    case MixRule::kMoreBits:
      return is_v_or_down && GetsMoreBits(place) ? DataType::kQ6_K : mix.base;
    case MixRule::kQ2K:
      return TypeByQ2K(place);
    case MixRule::kQ3KM:
      return TypeByQ3KM(place);
    case MixRule::kIQ4:
      return TypeByIQ4(mix.base, place);
    case MixRule::kMXFP4:
      return place.serves_as_head || place.role == TensorRole::kEmbedding ? DataType::kQ8_0
                                                                          : mix.base;
  }
  return mix.base;
}

DataType Fallback(DataType type) {
  if (type == DataType::kQ2_K || type == DataType::kQ3_K) return DataType::kQ4_0;
  if (type == DataType::kIQ4_XS) return DataType::kIQ4_NL;
  if (type == DataType::kQ4_K) return DataType::kQ5_0;
  if (type == DataType::kQ5_K) return DataType::kQ5_1;
  if (type == DataType::kQ6_K) return DataType::kQ8_0;
  return DataType::kF16;
}

}  // namespace

std::span<const TypeMix> TypeMixes() { return kTypeMixes; }

const TypeMix* FindTypeMix(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto* mix = std::find_if(kTypeMixes.begin(), kTypeMixes.end(), [&](const TypeMix& m) {
    return m.name == lower || m.name == lower + "_m";
  });
  return mix == kTypeMixes.end() ? nullptr : mix;
}

DataType TypeFor(const TypeMix& mix, bool pure, const TensorPlace& place) {
  DataType type = pure ? mix.base : WantedType(mix, place);
  while (place.columns % Traits(type).block_elements != 0) type = Fallback(type);
  return type;
}

}  // namespace headway::synth
