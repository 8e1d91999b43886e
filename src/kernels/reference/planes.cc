// The certified head's kernels as plain loops (kernels/plane_kernels.h defines every operation).

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "kernels/noise.h"
#include "kernels/plane_kernels.h"
#include "kernels/reference/lane_sum.h"
#include "kernels/reference/reference.h"

namespace headway::kernels::reference {
namespace {

F16 HalfAt(const std::byte* halves, int64_t index) {
  F16 half;
  std::memcpy(&half, halves + 2 * index, sizeof half);
  return half;
}

// Noise numbers 8i .. 8i + 7 of a hidden state.
std::array<float, 8> NoiseAt(const PlaneNoise& noise, uint32_t stream, int64_t i) {
  const std::array<uint32_t, 4> words =
      Philox({static_cast<uint32_t>(i), static_cast<uint32_t>(noise.token),
              static_cast<uint32_t>(noise.token >> 32), stream},
             {static_cast<uint32_t>(noise.key), static_cast<uint32_t>(noise.key >> 32)});
  std::array<float, 8> uniforms;
  for (size_t half = 0; half < 8; ++half) {
    const uint32_t bits = words[half / 2] >> (16 * (half % 2) + 1) & 0x7fffU;
    uniforms[half] = (static_cast<float>(bits) + 0.5F) * 0x1p-15F;
  }
  return uniforms;
}

// Noise in ascending order, eight numbers a draw.
class NoiseReader {
 public:
  NoiseReader(const PlaneNoise& noise, uint32_t stream) : noise_(noise), stream_(stream) {}
  float At(int64_t index) {
    if (index / 8 != held_) {
      held_ = index / 8;
      eight_ = NoiseAt(noise_, stream_, held_);
    }
    return eight_[static_cast<size_t>(index % 8)];
  }

 private:
  PlaneNoise noise_;
  uint32_t stream_;
  int64_t held_ = -1;
  std::array<float, 8> eight_{};
};

// Estimate and energy of one row.
struct RowBound {
  float estimate;
  float energy = 0.0F;

  void Add(const BlockTerms& block, float scale, int32_t sum) {
    const float share = std::fmaf(static_cast<float>(sum), block.step, block.offset);
    estimate = std::fmaf(scale, share, estimate);
    energy = std::fmaf(scale * scale, block.energy, energy);
  }
  // `args`: multiplier, constant, reach.
  template <class Args>
  float Upper(const Args& args, float gamma, float slack) const {
    return std::fmaf(std::fmaf(args.multiplier, gamma, args.constant), std::sqrt(energy),
                     std::fmaf(slack, args.reach, estimate));
  }
};

const std::byte* SignTile(const ScreenArgs& args, int64_t row) {
  return args.tiles + row / kSignTileRows * SignTileBytes(args.shape);
}

float TermOf(const ScreenArgs& args, int64_t row, int64_t term) {
  const int64_t offset = SignTermOffset(args.shape, term, row % kSignTileRows);
  return ToFloat(HalfAt(SignTile(args, row) + offset, 0));
}

RowBound ScreenRow(const ScreenArgs& args, const ScreenToken& token, int64_t row) {
  const int64_t D = args.shape.channels;
  const std::byte* tile = SignTile(args, row);
  const int64_t r = row % kSignTileRows;
  const uint8_t* table = token.tables;
  RowBound bound{.estimate = 0.0F};
  for (int64_t b = 0; b < NumRotationBlocks(D); ++b) {
    int32_t sum = 0;
    const int64_t groups = SignGroups(RotationBlockOf(D, b).size);
    for (int64_t group = 0; group < groups; ++group, table += kSignTableEntries) {
      sum += table[SignIndex(tile, D, b, group, r)];
    }
    bound.Add(token.blocks[b], TermOf(args, row, b), sum);
  }
  for (int64_t d = 0; d < args.shape.directions; ++d) {
    const float coefficient = TermOf(args, row, CoefficientTerm(args.shape, d));
    bound.estimate = std::fmaf(coefficient, token.shares[d], bound.estimate);
  }
  return bound;
}

void ScreenStrip(const ScreenArgs& args, const ScreenToken& token, int64_t strip) {
  const int64_t first = strip * kSignStripRows;
  const int64_t rows = std::min(kSignStripRows, args.num_rows - first);
  std::array<float, kSignStripRows> estimate{};
  std::array<float, kSignStripRows> upper{};
  ScreenSummary summary{.largest_upper = -INFINITY, .best_estimate = -INFINITY};
  for (int64_t r = 0; r < rows; ++r) {
    const auto i = static_cast<size_t>(r);
    const int64_t row = first + r;
    const RowBound bound = ScreenRow(args, token, row);
    estimate[i] = bound.estimate;
    upper[i] = bound.Upper(token, TermOf(args, row, GammaTerm(args.shape)),
                           TermOf(args, row, SlackTerm(args.shape)));
    summary.largest_upper = std::max(summary.largest_upper, upper[i]);
    if (r == 0 || estimate[i] > summary.best_estimate) {
      summary.best_estimate = estimate[i];
      summary.best_row = static_cast<int32_t>(row);
    }
  }
  token.summary[strip] = summary;
  if (summary.largest_upper < token.skip_below) return;
  std::copy_n(estimate.begin(), rows, token.estimate + first);
  std::copy_n(upper.begin(), rows, token.upper + first);
}

// One group's table; returns its part of the offset.
double BuildTable(const float (&x)[kSignGroup], float inverse_step, float uniform, uint8_t* table) {
  float low[8];
  float high[8];
  for (unsigned e = 0; e < 8; ++e) {
    const auto term = [&](unsigned k, unsigned i) { return (e >> k & 1U) != 0 ? x[i] : -x[i]; };
    low[e] = (term(0, 0) + term(1, 1)) + term(2, 2);
    high[e] = (term(0, 3) + term(1, 4)) + term(2, 5);
  }
  const float size = ((std::fabs(x[0]) + std::fabs(x[1])) + std::fabs(x[2])) +
                     ((std::fabs(x[3]) + std::fabs(x[4])) + std::fabs(x[5]));
  const float base = size == 0.0F ? 0.0F : size * inverse_step + uniform;
  for (size_t h = 0; h < 8; ++h) {
    int32_t codes[8];
    for (size_t l = 0; l < 8; ++l) {
      codes[l] = static_cast<int32_t>((low[l] + high[h]) * inverse_step + base);
    }
    for (size_t l = 0; l < 8; ++l) table[8 * h + l] = static_cast<uint8_t>(codes[l]);
  }
  return size == 0.0F ? 0.0 : 0.5 - double{base};
}

}  // namespace

void Rotate(const RotateArgs& args) {
  for (int64_t row = args.row_begin; row < args.row_end; ++row) {
    LaneSum sum;
    for (int64_t c = 0; c < args.n; ++c) {
      sum.AddProduct(c, ToFloat(args.matrix[row * args.matrix_stride + c]), args.x[c]);
    }
    args.y[row] = sum.Total();
  }
}

void BuildSignTables(const SignTableArgs& args) {
  NoiseReader noise(args.noise, kSignNoiseStream);
  double offset = 0;
  for (int64_t group = args.group_begin; group < args.group_end; ++group) {
    float x[kSignGroup];
    for (int64_t k = 0; k < kSignGroup; ++k) {
      const int64_t c = group * kSignGroup + k;
      x[k] = c < args.n ? args.x[c] : 0.0F;
    }
    offset += BuildTable(x, args.inverse_step, noise.At(args.first_group + group),
                         args.tables + (args.first_group + group) * kSignTableEntries);
  }
  *args.offset = offset;
}

void Screen(const ScreenArgs& args) {
  constexpr int64_t kStrips = kSignTileRows / kSignStripRows;
  const int64_t end = std::min(args.tile_end * kStrips, NumSignStrips(args.num_rows));
  for (int64_t t = 0; t < args.num_tokens; ++t) {
    for (int64_t strip = args.tile_begin * kStrips; strip < end; ++strip) {
      ScreenStrip(args, args.tokens[t], strip);
    }
  }
}

void QuantiseForRefinement(const RefineActivationArgs& args) {
  NoiseReader noise(args.noise, kRefineNoiseStream);
  int32_t sum = 0;
  for (int64_t c = 0; c < args.n; ++c) {
    // Truncation of a positive number is floor.
    const float centre = 128.0F + noise.At(kRefineUnit * args.first_unit + c);
    const int32_t q = static_cast<int32_t>(args.x[c] * args.inverse_step + centre) - 128;
    args.q[RefineActivationIndex(args.first_unit, c)] = static_cast<int8_t>(q);
    sum += q;
  }
  *args.q_sum = sum;
}

void Refine(const RefineArgs& args) {
  const int64_t D = args.shape.channels;
  const int64_t num_blocks = NumRotationBlocks(D);
  for (int64_t i = 0; i < args.num_rows; ++i) {
    const int64_t row = args.rows[i];
    const std::byte* record = args.records + row * RefineRecordBytes(args.shape);
    const std::byte* third = args.third_bits_or_null == nullptr
                                 ? nullptr
                                 : args.third_bits_or_null + row * RefineBitsBytes(D);
    const std::byte* terms = record + RefineBitsBytes(D);
    LaneSum estimate;
    LaneSum energy;
    for (int64_t b = 0; b < num_blocks; ++b) {
      const float scale = ToFloat(HalfAt(terms, b));
      estimate.AddProduct(b, scale, args.blocks[b].offset);
      energy.AddProduct(b, scale * scale, args.blocks[b].energy);
    }
    for (int64_t d = 0; d < args.shape.directions; ++d) {
      const float coefficient = ToFloat(HalfAt(terms, CoefficientTerm(args.shape, d)));
      estimate.AddProduct(d, coefficient, args.shares[d]);
    }
    int64_t b = 0;
    for (int64_t unit = 0; unit < NumRefineUnits(D); ++unit) {
      if (unit == RefineUnitsBefore(D, b + 1)) ++b;
      const float factor = ToFloat(HalfAt(terms, b)) * args.blocks[b].step;
      for (int64_t lane = 0; lane < 4; ++lane) {
        int32_t sum = 0;
        for (int64_t f = 0; f < 8; ++f) {
          for (int64_t k = 0; k < 4; ++k) {
            const int64_t c = 16 * f + 4 * lane + k;
            auto code = static_cast<int32_t>(RefineBit(record, unit, c));
            if (third != nullptr) {
              code = 2 * code + static_cast<int32_t>(RefineBit(third, unit, c));
            }
            sum += code * args.q[RefineActivationIndex(unit, c)];
          }
        }
        estimate.AddProduct(4 * unit + lane, static_cast<float>(sum), factor);
      }
    }
    const RowBound bound{
        .estimate = std::fmaf(args.estimate_factor, args.screened[row], estimate.Total()),
        .energy = energy.Total()};
    const int64_t gamma = third == nullptr ? GammaTerm(args.shape) : ThreeBitsGammaTerm(args.shape);
    args.estimate[i] = bound.estimate;
    args.upper[i] = bound.Upper(args, ToFloat(HalfAt(terms, gamma)),
                                ToFloat(HalfAt(terms, SlackTerm(args.shape))));
  }
}

}  // namespace headway::kernels::reference
