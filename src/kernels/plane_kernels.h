#pragma once

// Arguments of the certified head's kernels (docs/certified_head.md). They compute estimates and
// upper bounds by a defined sequence of operations, the same bits on every instruction set
// (docs/arithmetic.md, "Screening"); why the bounds hold is lmhead's business.

#include <cstddef>
#include <cstdint>
#include <limits>

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

// Table entries are unsigned steps: entry(e) = floor(v(e) * inverse_step + base) with v(e) = sum of
// +-x over the six channels and base = inverse_step * sum |x| + U, one fresh uniform U a group and
// hidden state, shared by the 64 entries. Half a step minus the base is added again (`offset`): the
// error of an entry is then uniform on step * (-1/2, 1/2] whatever the entry, and a row uses one
// entry of each group, so that its errors are independent. (Rounding at random would leave three
// times the variance.) The kernels add the entries of groups 2k and 2k + 1 as bytes: sum |x| over
// these twelve channels times inverse_step must be at most kSignRange, so that two are at most 255.
inline constexpr int64_t kSignPairChannels = 12;
inline constexpr float kSignRange = 126.4F;

// An entry is off by at most that many steps beyond its uniform error: with |v| * inverse_step <
// 2^7, five additions, the product and the rounding of both steps at most 7.6e-6 each, the base and
// the last sum 1.6e-5, the grid of U 1.6e-5, the offset 4e-6: 9.7e-5 together.
inline constexpr float kSignTableSlack = 0x1p-13F;

// Noise number i of a hidden state: the upper 15 bits of half i % 2 (0: the lower) of word i / 2 %
// 4 of Philox(counter = {i / 8, token low, token high, stream}, key), as U = (bits + 1/2) 2^-15.
inline constexpr uint32_t kSignNoiseStream = 0;
inline constexpr uint32_t kRefineNoiseStream = 1;
struct PlaneNoise {
  uint64_t key = 0;
  uint64_t token = 0;  // never repeats with one key
};

// The tables of groups [group_begin, group_end) of one block: v(e) = ((s0 + s1) + s2) + ((s3 + s4)
// + s5) with s_k = x[k] or -x[k], the sum of |x| likewise; then a product, a sum, truncation. U of
// a group is the noise number first_group + group. Channels from n on count as zero; a group of
// zeros has entries and offset of exactly zero.
struct SignTableArgs {
  const float* x = nullptr;  // rotated activations of the block, [n]
  int64_t n = 0;
  int64_t first_group = 0;  // of the block, counted over all blocks
  int64_t group_begin = 0;  // inside the block
  int64_t group_end = 0;
  float inverse_step = 0.0F;
  PlaneNoise noise;
  uint8_t* tables = nullptr;  // [groups of all blocks][64]
  // The sum of 1/2 - base over the groups, exact, in steps: the offset of the block's share.
  double* offset = nullptr;
};

// What a token knows of a rotation block, with the scales' common exponent divided out.
struct BlockTerms {
  float step = 0.0F;    // of table entries; refinement: of a code times an 8-bit activation
  float offset = 0.0F;  // share of the estimate: scale * (sum * step + offset)
  float energy = 0.0F;  // weight of scale^2 in the squared radius
};

// Of 64 consecutive rows.
struct ScreenSummary {
  float largest_upper = 0.0F;
  float best_estimate = 0.0F;
  int32_t best_row = 0;  // the lowest of equals
};

// One hidden state in a pass over the signs.
struct ScreenToken {
  const uint8_t* tables = nullptr;     // [groups of all blocks][64], 64-byte aligned
  const BlockTerms* blocks = nullptr;  // [blocks]
  float multiplier = 0.0F;  // the radius of row i is fma(multiplier, gamma_i, constant) *
  float constant = 0.0F;    // sqrt(energy_i) + slack_i * reach
  float reach = 0.0F;
  const float* shares = nullptr;  // [directions]: the state's, times the rows' coefficients
  // Strips of 64 rows whose upper bounds are all below this get their summary only: nobody reads
  // the rest.
  float skip_below = -std::numeric_limits<float>::infinity();
  float* estimate = nullptr;         // [V]
  float* upper = nullptr;            // [V]
  ScreenSummary* summary = nullptr;  // [NumSignStrips(V)]
};

inline constexpr int64_t kMaxScreenTokens = 8;

// Estimates and upper bounds of the rows of tiles [tile_begin, tile_end), for up to
// kMaxScreenTokens tokens. Per row, from +0, in this order:
//
//   blocks b ascending    p        = f32(sum of the block's entries), exact
//                         estimate = fma(scale_b, fma(p, step_b, offset_b), estimate)
//                         energy   = fma(scale_b * scale_b, energy_b, energy)
//   directions ascending  estimate = fma(coefficient, share, estimate)
//   last                  upper    = fma(fma(multiplier, gamma, constant), sqrt(energy),
//                                        fma(slack, reach, estimate))
struct ScreenArgs {
  const std::byte* tiles = nullptr;  // all of them; 64-byte aligned
  int64_t num_rows = 0;              // V; rows of the last tile beyond it are not written
  PlaneShape shape;
  int64_t tile_begin = 0;
  int64_t tile_end = 0;
  const ScreenToken* tokens = nullptr;
  int64_t num_tokens = 0;
};

// Estimates and upper bounds of listed rows from their second bits, or from second and third ones.
// Sixteen lanes: lane l has the channels of bytes 4l .. 4l + 3 of every vector of bits and the
// blocks b with b mod 16 = l. From +0, blocks ascending: lane = fma(scale_b, offset_b, lane),
// energy = fma(scale_b * scale_b, energy_b, energy); then lane l = fma(coefficient_l, share_l,
// lane) of the directions l; then vectors ascending: lane = fma(f32(sum of code * q), scale_b *
// step_b, lane) with the block b of the lane's unit, where code is the second bit, or twice that
// plus the third. Both end in the tree of sums; estimate = fma(estimate_factor, screened[row],
// lanes), upper as in ScreenArgs with the record's gamma for that many bits. So offset_b is minus
// the middle code times step_b * q_sum_b.
struct RefineArgs {
  const std::byte* records = nullptr;             // of all rows, 64-byte aligned
  const std::byte* third_bits_or_null = nullptr;  // of all rows; null: the second ones alone
  PlaneShape shape;
  const int32_t* rows = nullptr;  // [num_rows]
  int64_t num_rows = 0;
  const int8_t* q = nullptr;           // [RefineActivationBytes()], 64-byte aligned
  const BlockTerms* blocks = nullptr;  // [blocks]
  float multiplier = 0.0F;
  float constant = 0.0F;
  float reach = 0.0F;
  const float* shares = nullptr;  // [directions]: what the factor takes from those of the screen
  float estimate_factor = 0.0F;
  const float* screened = nullptr;  // [V], estimates of the screen
  float* estimate = nullptr;        // [num_rows], in the order of the list
  float* upper = nullptr;           // [num_rows]
};

// 8-bit activations of one block: q = floor(x[c] * inverse_step + U), rounded at random without
// bias, stored at RefineActivationIndex(); |x| * inverse_step must be at most 126. U of a channel
// is the noise number 128 * first_unit + c. What belongs to no channel must have been zeroed.
struct RefineActivationArgs {
  const float* x = nullptr;  // [n]
  int64_t n = 0;
  int64_t first_unit = 0;  // RefineUnitsBefore() the block
  float inverse_step = 0.0F;
  PlaneNoise noise;
  int8_t* q = nullptr;  // of the whole state
  int32_t* q_sum = nullptr;
};

}  // namespace headway::kernels
