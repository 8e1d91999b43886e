#pragma once

// Arguments of the certified head's kernels (docs/certified_head.md). They compute estimates and
// upper bounds by a defined sequence of operations, the same bits on every instruction set
// (docs/arithmetic.md, "Screening"); why the bounds hold is lmhead's business.

#include <cstddef>
#include <cstdint>

#include "kernels/plane_layout.h"
#include "tensor/half.h"

namespace headway::kernels {

// y = R_b x for rows [row_begin, row_end) of one rotation block: n dot products in sixteen lanes
// (sum rule of docs/arithmetic.md: lane = channel mod 16, fma, then the tree).
struct RotateArgs {
  const F16* matrix = nullptr;  // [n, n], rows matrix_stride elements apart
  int64_t matrix_stride = 0;    // a multiple of 32
  int64_t n = 0;
  int64_t row_begin = 0;
  int64_t row_end = 0;
  const float* x = nullptr;  // [n]
  float* y = nullptr;        // [n]; rows [row_begin, row_end) are written
};

// Table entries are integers around the centre: entry(e) = centre + floor(v(e) * inverse_step + U)
// for the indices e < 32, with v(e) = sum of +-x over the six channels and U a fresh 16-bit uniform
// (u + 1/2) 2^-16; entry(63 - e) = 2 * centre - entry(e), which is rounded just as fairly. |v| *
// inverse_step must be at most kSignRange - 1.
inline constexpr int32_t kSignCentre = 128;
inline constexpr int32_t kSignRange = 127;

// Noise word w (32 bits) of a token: word w % 4 of Philox(counter = {w / 4, token low, token high,
// stream}, key = seed). Half 0 of a word is its low 16 bits.
inline constexpr uint32_t kSignNoiseStream = 0;
inline constexpr uint32_t kRefineNoiseStream = 1;
struct PlaneNoise {
  uint64_t key = 0;
  uint64_t token = 0;  // never repeats with one key
};

// The tables of groups [group_begin, group_end) of one block: v(e) = ((((s0 + s1) + s2) + s3) + s4)
// + s5 with s_k = x[k] or -x[k]; entries by fma(v, inverse_step, U) and floor. U of (group, e), e <
// 32: the 16 bits number first_group * 32 + group * 32 + e of the token's noise. Channels from n on
// count as zero.
struct SignTableArgs {
  const float* x = nullptr;  // rotated activations of the block, [n]
  int64_t n = 0;
  int64_t first_group = 0;  // of the block, counted over all blocks
  int64_t group_begin = 0;  // inside the block
  int64_t group_end = 0;
  float inverse_step = 0.0F;
  PlaneNoise noise;
  uint8_t* tables = nullptr;  // [groups of all blocks][64]
};

// What a token knows of a rotation block, with the scales' common exponent divided out.
struct BlockTerms {
  float step = 0.0F;    // of table entries or of 8-bit activations
  float energy = 0.0F;  // weight of scale^2 in the squared radius
};

// One hidden state in a pass over the signs.
struct ScreenToken {
  const uint8_t* tables = nullptr;     // [groups of all blocks][64], 64-byte aligned
  const BlockTerms* blocks = nullptr;  // [blocks]
  float multiplier = 0.0F;    // the radius of row i is fma(multiplier, gamma_i, constant) *
  float constant = 0.0F;      // sqrt(energy_i)
  float* estimate = nullptr;  // [V]
  float* upper = nullptr;     // [V]
};

inline constexpr int64_t kMaxScreenTokens = 8;

// Estimates and upper bounds of the rows of tiles [tile_begin, tile_end), for up to
// kMaxScreenTokens tokens. Per row, from +0, blocks ascending: acc = exact sum of the block's
// entries; p = f32(acc - centre * groups); estimate = fma(scale_b, p * step_b, estimate); energy =
// fma(scale_b * scale_b, energy_b, energy). Then upper = fma(fma(multiplier, gamma, constant),
// sqrt(energy), estimate).
struct ScreenArgs {
  const std::byte* tiles = nullptr;  // all of them; 64-byte aligned
  int64_t num_rows = 0;              // V; rows of the last tile beyond it are not written
  int64_t num_channels = 0;          // D
  int64_t tile_begin = 0;
  int64_t tile_end = 0;
  const ScreenToken* tokens = nullptr;
  int64_t num_tokens = 0;
};

// Estimates and upper bounds of listed rows from their two further bits. Per row, blocks ascending:
// p = f32(2 * sum(code * q) - 3 * sum(q)) (exact integers), estimate = fma(scale_b, p * step_b,
// estimate), starting at estimate_factor * screened[row]; energy and upper as in ScreenArgs, with
// the record's gamma.
struct RefineArgs {
  const std::byte* records = nullptr;  // of all rows, 16-byte aligned
  int64_t num_channels = 0;            // D
  const int32_t* rows = nullptr;       // [num_rows]
  int64_t num_rows = 0;
  const int8_t* q = nullptr;        // 8-bit rotated activations, blocks padded to RefineChannels()
                                    // with zeros; 64-byte aligned
  const int32_t* q_sums = nullptr;  // [blocks]
  const BlockTerms* blocks = nullptr;  // [blocks]
  float multiplier = 0.0F;
  float constant = 0.0F;
  float estimate_factor = 0.0F;
  const float* screened = nullptr;  // [V], estimates of the screen
  float* estimate = nullptr;        // [num_rows], in the order of the list
  float* upper = nullptr;           // [num_rows]
};

// 8-bit activations of one block: q[c] = floor(fma(x[c], inverse_step, U)), U the 16 bits number
// first + c of the token's noise (kRefineNoiseStream); |x| * inverse_step must be at most 126.
struct RefineActivationArgs {
  const float* x = nullptr;  // [n]
  int64_t n = 0;
  int64_t first = 0;  // RefineChannelsBefore() the block
  float inverse_step = 0.0F;
  PlaneNoise noise;
  int8_t* q = nullptr;  // [RefineChannels(n)]: the rest becomes zero
  int32_t* q_sum = nullptr;
};

}  // namespace headway::kernels
