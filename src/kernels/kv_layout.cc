#include "kernels/kv_layout.h"

#include <algorithm>
#include <cstring>

namespace headway::kernels {

void StoreKeyBlock(const int8_t* codes, float scale, int64_t b, int64_t position, std::byte* tile) {
  for (int64_t g = 0; g < kKvBlock / 4; ++g) {
    uint32_t four;
    std::memcpy(&four, codes + 4 * g, sizeof four);
    four ^= 0x80808080U;  // adds 128 to each
    std::memcpy(tile + KeyCodesAt(b, g, position), &four, sizeof four);
  }
  *reinterpret_cast<F16*>(tile + KeyScaleAt(b, position)) = ToF16(scale);
}

void StoreValueBlock(const int8_t* codes, float scale, int64_t head_dim, int64_t b,
                     int64_t position, std::byte* tile) {
  for (int64_t c = 0; c < kKvBlock; ++c) {
    tile[ValueCodeAt(head_dim, position, b * kKvBlock + c)] = static_cast<std::byte>(codes[c]);
  }
  *reinterpret_cast<F16*>(tile + ValueScaleAt(b, position)) = ToF16(scale);
}

void SpoilValues(KvType type, int64_t head_dim, int64_t position, std::byte* tile) {
  constexpr F16 kNaN = {0x7e00};
  if (type == KvType::kF16) {
    std::fill_n(reinterpret_cast<F16*>(tile) + position * head_dim, head_dim, kNaN);
    return;
  }
  for (int64_t b = 0; b < head_dim / kKvBlock; ++b)
    *reinterpret_cast<F16*>(tile + ValueScaleAt(b, position)) = kNaN;
}

}  // namespace headway::kernels
