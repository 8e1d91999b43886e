#pragma once

// How a session stores keys and values.

namespace headway {

enum class KvType {
  kF16,   // 16-bit floats
  kQ8_0,  // blocks of 32 channels: 8-bit codes and a 16-bit scale; 17/32 of the memory
};
inline constexpr int kNumKvTypes = 2;

// "f16", "q8_0"
inline constexpr const char* ToString(KvType type) { return type == KvType::kF16 ? "f16" : "q8_0"; }

}  // namespace headway
