#pragma once

// What the golden gate lets pass, with the reason for every number. One file, so that nobody has to
// look for a second one. Measured figures: docs/gates.md, "what honest packages show".

#include <string_view>

namespace headway::gates {

// ---- arithmetic: against the oracle on the same quantised weights -------------------------------

// A matrix product alone, per output channel: RMS error over the probes, relative to the channel's
// RMS. Device and oracle round the same binary32 input to the same 8-bit codes, so only the
// products' own roundings remain: D / 32 block steps of 2^-24 each, below 1e-5 relative for D up to
// 16,384 unless terms cancel. A scale that is 1 % off in one channel shows 1e-2, a scale that is 1
// % off in one block of 32 of 96 about 1e-3.
inline constexpr double kProductChannel = 2e-4;

// What a device says of the signs' estimates, per row over the probes, against the planes' own
// numbers: sums of 16-bit floats, each rounding 2^-12 RMS of what it rounds; over eight blocks
// 1e-3. One sign of 3072 that is wrong shows 0.036, of 256 0.125.
inline constexpr double kEstimateChannel = 0.01;

// A channel's error is held against its own size, but in a product never against less than this
// share of the average channel's: a channel that happens to be near zero would fail on rounding
// alone.
inline constexpr double kQuietProduct = 0.1;

// In a shard and the whole stack, against the average channel's at least. Flips (below) come in by
// every later product and fall on all channels alike, quiet or loud: of 200,064 logits over 8
// positions some have a tenth of the average size and the average error, ten times their share.
inline constexpr double kQuietShard = 1;

// A shard, all channels together: RMS error relative to the RMS of what the shard adds to its
// input. An activation that lies on the edge between two 8-bit codes falls one way in binary32 and
// the other way in double precision; one such flip moves a product by 1 / 127 of a block's largest
// value, and the flips it causes further on spread to at most the quantisation noise itself, which
// is (1 / 127) / sqrt(12) of a block's maximum a value: about 1 % of a branch. Above twice that
// something else is wrong. A swapped shard shows 1, a transposed tile of 64 rows 0.05 and more.
inline constexpr double kShardRelative = 0.02;

// The same, worst single channel over the positions compared: of 200,064 channels with errors of
// one size over 8 positions the worst has 2.2 times the average; four times allows for sizes.
inline constexpr double kShardChannel = 0.08;

// The whole stack, hidden states and logits: flips add up over all layers as independent errors.
inline constexpr double kStackRelative = 0.05;

// The lowest cosine of any one position's hidden state, shard and stack.
inline constexpr double kCosine = 0.998;

// A head that names a token must name one whose oracle logit is within this much of the best one's,
// relative to the spread of the logits: a near-tie that rounding may decide either way.
inline constexpr double kTieOfSpread = 0.02;

// ---- stored rows: against the model file's norms and products with two probes -------------------
// For devices that store weights in a form of their own, where the oracle runs on the stored rows.

// What storing may cost a typical row, relative to its norm: roundings to n levels of the largest
// value, or tables of 2^n values for 32 rows. The worst matrix of the model in the box, its head,
// whose rows have the longest tails: fp16 2e-4, int8 0.015, int4-blockwise 0.18, tables of 8 6 4 3
// 2 1 bits 0.05 0.1 0.18 0.26 0.44 0.74. A matrix of other rows shows 1.4.
inline double MostRowNoise(std::string_view weights) {
  if (weights.empty()) return 1e-5;  // the file's own: the sums' roundings
  if (weights == "fp16") return 2e-3;
  if (weights == "int8") return 0.05;
  if (weights == "lut8") return 0.15;
  if (weights == "lut6") return 0.25;
  if (weights == "lut2") return 0.8;
  if (weights == "lut1") return 1.1;
  return 0.5;  // lut4, lut3, int4-blockwise
}

// A row's norm, relative. Roundings hardly point along the row, so the norm keeps to the typical
// error squared and four times that error over the root of the columns: 0.0045 for int8 at 3072
// columns, 0.008 for the head of the model in the box at 256, whose worst row shows 0.0032. One
// channel's scale off by 1 % shows 0.01.
inline constexpr double kRowNorm = 0.004;
inline constexpr double kRowNormSpread = 4;
// Rows that share tables are shrunk where the table ends before their largest values: up to 4.2
// times the typical error. There is no scale of one channel to be wrong, only other rows.
inline constexpr double kTableNorm = 8;

// A row's error by two probes, relative to its norm, against the typical row's: of 200,064 honest
// rows the worst shows 3.5 times its own, which may be several times the typical row's when one
// value is far above the others. A row of a transposed tile or of another channel shows 1 and more.
inline constexpr double kRowError = 0.002;
inline constexpr double kRowErrorSpread = 24;

// No row is held against less than this share of the average row's norm. Rows that share tables are
// never held against less than the average row: the table is made for all of them.
inline constexpr double kQuietRow = 0.1;

// ---- quality: against the source's own weights in high precision, straight-line -----------------

// Hidden states after the final norm, lowest cosine over positions. 8-bit activations leave 0.9995
// and more on trained and random models alike; full instead of partial rotary 0.9 and less.
inline constexpr double kQualityCosine = 0.99;

// Mean KL divergence of the next-token distributions, nats a token. Measured 1e-4 to 3e-4 with
// 8-bit activations; llama.cpp's own Q8_0 against F16 shows about 1e-3; a wrong factor or sign 0.1
// and more.
inline constexpr double kQualityKl = 0.01;

// Teacher-forced first choices: where the reference's best leads its second best by this many
// logits the choice must be the same. Smaller leads are within the largest logit error measured
// (0.3).
inline constexpr double kDecidedLead = 0.5;

// The same three of sessions with keys and values in Q8_0: rounding queries, keys and values to 8
// bits adds about as much noise as the activations of one more product a layer have. Ten honest
// packages (docs/gates.md): lowest cosine 0.99928, highest mean KL 5.4e-4. Limits leave four times
// the distance from 1 and 3.7 times the divergence, for models that were not measured. Keys one
// position off show -0.005 and 0.13 on the model of the test.
inline constexpr double kQ8KvCosine = 0.997;
inline constexpr double kQ8KvKl = 0.002;

}  // namespace headway::gates
