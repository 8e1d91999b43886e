#pragma once

// The shapes and types that tests and benchmarks share: a kernel is tested on what it is measured
// on.

#include <array>
#include <cstdint>

#include "tensor/data_type.h"

namespace headway::kernels {

inline constexpr std::array<DataType, 16> kWeightTypes = {
    DataType::kQ8_0,  DataType::kQ4_0, DataType::kQ4_1,   DataType::kQ5_0,
    DataType::kQ5_1,  DataType::kQ4_K, DataType::kQ5_K,   DataType::kQ6_K,
    DataType::kQ2_K,  DataType::kQ3_K, DataType::kIQ4_NL, DataType::kIQ4_XS,
    DataType::kMXFP4, DataType::kF32,  DataType::kF16,    DataType::kBF16};

// [rows, channels] of tests: one block, odd numbers of blocks, rows that do not fill the last tile.
struct MatrixShape {
  int64_t rows;
  int64_t channels;
};
inline constexpr std::array<MatrixShape, 8> kTestShapes = {
    {{16, 32}, {1, 64}, {17, 96}, {80, 256}, {33, 512}, {130, 640}, {67, 768}, {64, 3072}}};

// Tokens of one product: every width of a group, and several groups.
inline constexpr std::array<int64_t, 12> kTestTokens = {1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 33};

// Phi-4-mini's matrices; the head is measured on a part (the rate is what counts).
struct BenchShape {
  const char* name;
  MatrixShape shape;
};
inline constexpr std::array<BenchShape, 5> kBenchShapes = {{{"qkv", {5120, 3072}},
                                                            {"o", {3072, 3072}},
                                                            {"gate_up", {16384, 3072}},
                                                            {"down", {3072, 8192}},
                                                            {"head", {200064, 3072}}}};
inline constexpr std::array<DataType, 4> kBenchTypes = {DataType::kQ8_0, DataType::kQ4_0,
                                                        DataType::kQ4_K, DataType::kQ6_K};

// Attention: query heads of one kv head, channels, tokens, first position, window.
struct AttentionShape {
  int64_t num_heads;
  int64_t head_dim;
  int64_t num_tokens;
  int64_t first_position;
  int64_t window;
};
inline constexpr std::array<AttentionShape, 14> kAttentionShapes = {{{1, 16, 1, 0, 0},
                                                                     {3, 128, 1, 0, 0},
                                                                     {3, 128, 1, 15, 0},
                                                                     {3, 128, 1, 100, 0},
                                                                     {2, 64, 5, 0, 0},
                                                                     {2, 64, 9, 30, 0},
                                                                     {4, 96, 16, 13, 0},
                                                                     {8, 32, 7, 50, 20},
                                                                     {3, 128, 33, 63, 37},
                                                                     {1, 80, 4, 200, 5},
                                                                     {5, 48, 6, 31, 1},
                                                                     {3, 128, 5, 253, 0},
                                                                     {2, 96, 3, 390, 140},
                                                                     {1, 32, 1, 0, 0}}};

}  // namespace headway::kernels
