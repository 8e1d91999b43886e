#pragma once

// The table of compute kernels. One KernelSet per instruction set; all of them give the same bits
// (docs/arithmetic.md says which), so choosing one is a matter of speed only. Kernels are pure
// functions on plain memory: no allocation, no threads, no logging. Callers split work by tiles,
// heads or rows.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernels/kv_layout.h"
#include "kernels/plane_kernels.h"
#include "tensor/data_type.h"
#include "tensor/half.h"

namespace headway::kernels {

// One block of 32 channels of one token, quantised to 8 bits, with every number a product derives
// from it: one cache line, so that a kernel needs a single pointer for T tokens
// (docs/arithmetic.md). offset_*: where the integer accumulator of a product starts when the weights,
// of that many bits, are stored as unsigned codes.
struct alignas(64) ActivationBlock {
  int8_t q[32];
  float scale;           // d
  float scaled_sum;      // f32(sum of q) * d
  int32_t offset_q8;     // -128 * sum of q
  int32_t offset_q5;     //  -16 * sum of q
  int32_t offset_q4;     //   -8 * sum of q
  int32_t offset_q6[2];  //  -32 * sum of q over channels 0-15, 16-31
  int16_t half_sums[2];  // sum of q over channels 0-15, 16-31
};
static_assert(sizeof(ActivationBlock) == 64);

// A block whose largest magnitude is below this is stored as zeros: 127 / amax would overflow.
inline constexpr float kSmallestBlock = 0x1p-100F;

// T tokens of D channels, quantised; D % 32 == 0. A view on memory of QuantisedRowsBytes(T, D)
// bytes, 64-byte aligned. Tokens are stored in groups of 8 (the last group may be narrower):
// [group][block][token of the group], so the layout depends on T, and a product takes all the
// tokens that were quantised together.
struct QuantisedRows {
  static constexpr int64_t kGroup = 8;

  ActivationBlock* blocks = nullptr;
  int64_t num_tokens = 0;    // T
  int64_t num_channels = 0;  // D

  // Tokens in the group of token t; two blocks of one token are that many elements apart.
  int64_t GroupWidth(int64_t t) const {
    const int64_t first = t / kGroup * kGroup;
    return num_tokens - first < kGroup ? num_tokens - first : kGroup;
  }
  // Block b of token t.
  ActivationBlock* Block(int64_t t, int64_t b) const {
    return blocks + t / kGroup * kGroup * (num_channels / 32) + b * GroupWidth(t) + t % kGroup;
  }
};

constexpr int64_t QuantisedRowsBytes(int64_t num_tokens, int64_t num_channels) {
  return num_tokens * (num_channels / 32) * static_cast<int64_t>(sizeof(ActivationBlock));
}

// y[t, r] = sum_c w[r, c] x[t, c] for the rows of tiles [tile_begin, tile_end) and
// t in [0, num_tokens).
struct MatMulArgs {
  // The whole matrix: tile i at tiles + i * TileBytes(type, num_channels), 64-byte aligned.
  const std::byte* tiles = nullptr;
  int64_t num_rows = 0;      // of the matrix; rows of the last tile beyond it are not written
  int64_t num_channels = 0;  // D; a multiple of the type's block, and of 32 for quantised types
  int64_t tile_begin = 0;
  int64_t tile_end = 0;
  // Of every tile, the strips of 16 rows to multiply; the others are neither read nor written.
  int64_t strip_begin = 0;
  int64_t strip_end = 4;
  int64_t num_tokens = 0;
  QuantisedRows xq;          // quantised types: the activations; [num_tokens, D]
  const float* x = nullptr;  // float types: [num_tokens, D], rows x_stride floats apart
  int64_t x_stride = 0;
  float* y = nullptr;  // [num_tokens, num_rows], rows y_stride floats apart
  int64_t y_stride = 0;
};

enum class RotaryStyle : uint8_t {
  kHalves,  // channel i pairs with i + n_rot / 2 (Phi, NeoX)
  kPairs,   // channel 2i pairs with 2i + 1 (Llama in GGUF)
};

// Attention of `num_tokens` tokens at positions first_position + t, for `num_heads` query heads
// that share one kv head. Token t sees positions [max(0, p - window + 1), p] with
// p = first_position + t; window <= 0 means no limit.
struct AttentionArgs {
  const float* q = nullptr;  // [num_tokens, num_heads, head_dim], token rows q_stride floats apart
  int64_t q_stride = 0;
  KvHead kv;  // the positions up to the last token's
  int64_t num_tokens = 0;
  int64_t first_position = 0;
  int64_t num_heads = 0;
  int64_t head_dim = 0;  // a multiple of 16, of kKvBlock for kQ8_0
  int64_t window = 0;
  float scale = 1.0F;
  float soft_cap = 0.0F;  // on scores, once scaled; 0: none
  // AttentionScratchFloats() floats, 64-byte aligned, one such area per concurrent call.
  float* scratch = nullptr;
  float* out = nullptr;  // [num_tokens, num_heads, head_dim], token rows out_stride floats apart
  int64_t out_stride = 0;
};

// Kernels attend with up to that many tokens at once, so that they share the loads of keys and
// values.
inline constexpr int64_t kAttentionTokens = 4;

// Scratch of one quantised query; scores lie behind those of all rows.
constexpr int64_t QuantisedQueryFloats(int64_t head_dim) {
  return head_dim / kKvBlock * static_cast<int64_t>(sizeof(ActivationBlock) / sizeof(float));
}

// Scratch floats for calls that see up to `capacity` positions.
int64_t AttentionScratchFloats(int64_t num_heads, int64_t head_dim, int64_t capacity);

struct ArgMax {
  int64_t index = -1;  // -1 when the range is empty
  float value = 0.0F;
};

struct KernelSet {
  std::string_view name;  // "reference", "avx2", "avx512"

  // Products, by weight type; null where this set has none.
  std::array<void (*)(const MatMulArgs&), kNumDataTypes> matmul{};
  auto& ProductOf(DataType type) { return matmul[static_cast<size_t>(type)]; }

  // Quantises tokens [token_begin, token_end) of x (token t at x + t * x_stride) into those of out.
  void (*quantise_rows)(const float* x, int64_t x_stride, int64_t token_begin, int64_t token_end,
                        const QuantisedRows& out) = nullptr;

  // y[c] = x[c] / rms(x) * gain[c]; one row of n channels. x == y is allowed.
  void (*rms_norm)(const float* x, const float* gain, float eps, int64_t n, float* y) = nullptr;

  // y[c] = silu(gate[c]) * up[c].
  void (*swiglu)(const float* gate, const float* up, int64_t n, float* y) = nullptr;

  // y[c] = gelu(gate[c]) * up[c], GELU in its tanh form.
  void (*geglu_tanh)(const float* gate, const float* up, int64_t n, float* y) = nullptr;

  // x[c] = cap * tanh(x[c] / cap); NaN for infinity. cap > 0.
  void (*soft_cap)(float cap, int64_t n, float* x) = nullptr;

  // y[c] = x[c] + y[c].
  void (*add)(const float* x, int64_t n, float* y) = nullptr;

  // Rotates the first n_rot of head_dim channels of `num_heads` consecutive heads, in place.
  // cos, sin: [n_rot / 2], for this token's position, attention factor included.
  void (*rotary)(RotaryStyle style, const float* cos, const float* sin, int64_t n_rot,
                 int64_t head_dim, int64_t num_heads, float* x) = nullptr;

  // Stores one position's key and value ([head_dim] f32) into tiles of a kv head
  // (kernels/kv_layout.h); `position`: 0 to 31, in them. By KvType, as is attention.
  std::array<void (*)(const float* k, const float* v, int64_t head_dim, int64_t position,
                      std::byte* key_tile, std::byte* value_tile),
             kNumKvTypes>
      store_kv{};

  std::array<void (*)(const AttentionArgs& args), kNumKvTypes> attention{};

  // The largest of values[0, n), ties to the lowest index. NaN-free input.
  ArgMax (*argmax)(const float* values, int64_t n) = nullptr;

  // argmax over i of values[i] * inverse_temperature + gumbel(seed, position, first_id + i)
  // (kernels/noise.h); the returned value is the perturbed one. -infinity entries never win unless
  // all are.
  ArgMax (*gumbel_argmax)(const float* values, int64_t n, float inverse_temperature, uint64_t seed,
                          uint64_t position, int64_t first_id) = nullptr;

  // out[i] = values[i] * inverse_temperature + gumbel(seed, position, first_id + i), as in
  // gumbel_argmax (one fma); out == values is allowed.
  void (*perturb)(const float* values, int64_t n, float inverse_temperature, uint64_t seed,
                  uint64_t position, int64_t first_id, float* out) = nullptr;

  // Writes first_id + i for every values[i] that is not below the threshold, ascending, and returns
  // how many. `ids` has room for n + 16: kernels write whole vectors.
  int64_t (*at_least)(const float* values, int64_t n, float threshold, int32_t first_id,
                      int32_t* ids) = nullptr;

  // True when all of values[0, n) are finite.
  bool (*all_finite)(const float* values, int64_t n) = nullptr;

  // The certified head (kernels/plane_kernels.h).
  void (*rotate)(const RotateArgs& args) = nullptr;
  void (*build_sign_tables)(const SignTableArgs& args) = nullptr;
  void (*screen)(const ScreenArgs& args) = nullptr;
  void (*quantise_for_refinement)(const RefineActivationArgs& args) = nullptr;
  void (*refine)(const RefineArgs& args) = nullptr;
};

// The sets this processor can run, fastest first; the last is "reference", which is complete.
std::array<const KernelSet*, 4> SupportedSets();  // padded with nullptr

// The set to use, and for each of its fields the set that serves it: a field that a set lacks is
// taken from the next slower one.
struct SelectedKernels {
  struct Served {
    std::string_view field;  // as kernels/fields.h calls it
    size_t index;            // of an array: the weight or cache type
    std::string_view set;
  };
  KernelSet kernels;  // complete
  std::vector<Served> served;

  // The set that serves a field; of an array's entries the slowest.
  std::string_view ServedBy(std::string_view field) const;
  // The set that serves products of a weight type; "" when none does.
  std::string_view ProductServedBy(DataType type) const;
};
// `forced` is "", or the name of a set (the environment variable HEADWAY_CPU): then exactly that
// one. Errors: kInvalidInput (unknown name, with the known ones), kUnsupported (this processor lacks
// the instructions, naming them).
Result<SelectedKernels> SelectKernels(std::string_view forced);

}  // namespace headway::kernels
