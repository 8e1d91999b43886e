#include "lab/synth/type_mix.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace headway::synth {
namespace {

constexpr std::array<TypeMix, 11> kTypeMixes = {{
    {"f32", DataType::kF32, 0, false, false},
    {"f16", DataType::kF16, 1, false, false},
    {"bf16", DataType::kBF16, 32, false, false},
    {"q8_0", DataType::kQ8_0, 7, false, false},
    {"q4_0", DataType::kQ4_0, 2, true, false},
    {"q4_1", DataType::kQ4_1, 3, true, false},
    {"q5_0", DataType::kQ5_0, 8, true, false},
    {"q5_1", DataType::kQ5_1, 9, true, false},
    {"q4_k_m", DataType::kQ4_K, 15, true, true},
    {"q5_k_m", DataType::kQ5_K, 17, true, true},
    {"q6_k", DataType::kQ6_K, 18, true, false},
}};

// The first and last eighth of the layers and every third between.
bool GetsMoreBits(int layer, int num_layers) {
  return layer < num_layers / 8 || layer >= 7 * num_layers / 8 || (layer - num_layers / 8) % 3 == 2;
}

DataType WantedType(const TypeMix& mix, const TensorPlace& place) {
  if (mix.wide_head && place.serves_as_head) {
    // Decided by the base type's block before the fallback below sees Q6_K's.
    return place.columns % Traits(mix.base).block_elements == 0 ? DataType::kQ6_K : DataType::kQ8_0;
  }
  const bool is_v_or_down = place.role == TensorRole::kAttentionQkv ||
                            place.role == TensorRole::kAttentionV ||
                            place.role == TensorRole::kFeedForwardDown;
  if (mix.more_bits_for_v_and_down && is_v_or_down &&
      GetsMoreBits(static_cast<int>(place.layer), static_cast<int>(place.num_layers))) {
    return DataType::kQ6_K;
  }
  return mix.base;
}

DataType Fallback(DataType type) {
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
