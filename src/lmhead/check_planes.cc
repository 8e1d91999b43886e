#include "lmhead/check_planes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/plane_layout.h"
#include "lmhead/planes.h"
#include "lmhead/row_code.h"

namespace headway::lmhead {
namespace {

// The stored rotation is off by rounding: its entries' errors are independent, so that a rotated
// channel, and a product with one, is off by defect / (2 sqrt(n)) of the norms. Eight times that
// never happens.
double RotationSlop(double defect, double n) { return 4.0 * defect / std::sqrt(n); }

// Of a recomputed gamma: the same errors, times 1 / gamma of three-bit codes.
constexpr double kGammaSlop = 0.01;

// Of the levels of a reconstruction over its scale: their products with w', their squares.
struct Moments {
  double product = 0.0;
  double squares = 0.0;

  void Add(double level, double w) {
    product += level * w;
    squares += level * level;
  }
};

// What one reconstruction of a row needs: its errors as EncodeBlock() defines them, the largest of
// any block.
struct Needed {
  double gamma = 0.0;
  double excess = 0.0;

  // `norm` = |w'|, n channels.
  void Add(const Moments& levels, double norm, double scale, double n, double tolerance) {
    const double product = scale * levels.product;
    const double squares = scale * scale * levels.squares;
    const double unit = scale * std::sqrt(n);
    if (unit == 0.0) {
      // No reconstruction: everything is error.
      excess = norm > 0.0 ? HUGE_VAL : excess;
      return;
    }
    const double along = norm > 0.0 ? product / norm : 0.0;
    gamma = std::max(gamma, std::sqrt(std::max(0.0, squares - along * along)) / unit);
    if (norm == 0.0) return;
    const double error = std::fabs(product / (norm * norm) - 1.0);
    excess = std::max(excess, std::max(0.0, error - tolerance) * norm / unit);
  }
};

class RowChecker {
 public:
  RowChecker(const Planes& planes, const kernels::KernelSet& kernels)
      : planes_(planes), kernels_(kernels), num_channels_(planes.Shape().channels) {
    row_.resize(static_cast<size_t>(num_channels_));
    rotated_.resize(row_.size());
    signs_.resize(row_.size());
    second_.resize(row_.size());
    third_.resize(row_.size());
  }

  float* Row() { return row_.data(); }

  // What is wrong with `row`; empty: nothing. Raises `worst`.
  std::string Check(int64_t row, double* worst) {
    const int64_t num_blocks = kernels::NumRotationBlocks(num_channels_);
    if (std::string problem = TakeShares(row); !problem.empty()) return problem;
    Needed one;
    Needed two;
    Needed three;
    for (int64_t b = 0; b < num_blocks; ++b) {
      const int64_t wrong = AddBlock(row, b, &one, &two, &three);
      if (wrong >= 0) {
        return fmt::format(
            "row {}: expected the sign of the rotated row in channel {} of block {}, "
            "found the other one",
            row, wrong, b);
      }
    }
    const kernels::PlaneShape& shape = planes_.Shape();
    const int64_t gamma = kernels::GammaTerm(shape);
    std::string problem = Judge(row, "one bit", one, SignTerm(planes_, row, gamma), worst);
    if (problem.empty()) {
      problem = Judge(row, "two bits", two, RecordTerm(planes_, row, gamma), worst);
    }
    if (problem.empty()) {
      const F16 stored = RecordTerm(planes_, row, kernels::ThreeBitsGammaTerm(shape));
      problem = Judge(row, "three bits", three, stored, worst);
    }
    return problem;
  }

 private:
  // Leaves the row's rest in `row_`: what its coefficients do not say.
  std::string TakeShares(int64_t row) {
    const kernels::PlaneShape& shape = planes_.Shape();
    const double unscale = std::ldexp(1.0, -planes_.Constants().scale_exponent);
    const auto scaled = [&](F16 stored) { return static_cast<double>(ToFloat(stored)) * unscale; };
    for (int64_t term = kernels::SlackTerm(shape); term < kernels::NumTerms(shape); ++term) {
      const F16 stored = SignTerm(planes_, row, term);
      if (stored.bits == RecordTerm(planes_, row, term).bits) continue;
      return fmt::format("row {}: expected term {} of both planes to be equal, found two values",
                         row, term);
    }
    if (shape.directions == 0) return "";
    std::vector<double> rest(row_.begin(), row_.end());
    for (int64_t d = 0; d < shape.directions; ++d) {
      const double share = scaled(SignTerm(planes_, row, kernels::CoefficientTerm(shape, d)));
      const float* const direction = planes_.Direction(d);
      for (size_t c = 0; c < rest.size(); ++c) rest[c] -= share * static_cast<double>(direction[c]);
    }
    double misfit = 0.0;
    for (int64_t d = 0; d < shape.directions; ++d) {
      const float* const direction = planes_.Direction(d);
      double left = 0.0;
      for (size_t c = 0; c < rest.size(); ++c) left += rest[c] * static_cast<double>(direction[c]);
      misfit += left * left;
    }
    misfit = std::sqrt(misfit);
    const double slack = scaled(SignTerm(planes_, row, kernels::SlackTerm(shape)));
    if (!(misfit <= slack)) {
      return fmt::format(
          "row {}: its coefficients miss the row by {:.4g} along the common directions, expected "
          "at most its slack of {:.4g}",
          row, misfit, slack);
    }
    std::copy(rest.begin(), rest.end(), row_.begin());
    return "";
  }

  // Adds block b; the first channel whose sign is wrong, or -1.
  int64_t AddBlock(int64_t row, int64_t b, Needed* one, Needed* two, Needed* three) {
    const kernels::RotationBlock block = kernels::RotationBlockOf(num_channels_, b);
    const auto size = static_cast<size_t>(block.size);
    kernels_.rotate({.matrix = planes_.Rotation(b),
                     .matrix_stride = kernels::RoundUp(block.size, 32),
                     .n = block.size,
                     .row_begin = 0,
                     .row_end = block.size,
                     .x = row_.data() + block.begin,
                     .y = rotated_.data()});
    ReadSigns(planes_, row, b, std::span(signs_).first(size));
    ReadSecondBits(planes_, row, b, std::span(second_).first(size));
    ReadThirdBits(planes_, row, b, std::span(third_).first(size));
    double norm = 0.0;
    Moments signs;
    Moments two_bits;
    Moments three_bits;
    for (size_t j = 0; j < size; ++j) {
      const auto w = static_cast<double>(rotated_[j]);
      const double s = signs_[j] != 0 ? 1.0 : -1.0;
      norm += w * w;
      signs.Add(s, w);
      two_bits.Add(TwoBitLevel(s, second_[j]), w);
      three_bits.Add(ThreeBitLevel(s, second_[j], third_[j]), w);
    }
    norm = std::sqrt(norm);
    const auto n = static_cast<double>(block.size);
    const double slop = RotationSlop(planes_.Constants().rotation_defect, n);
    for (size_t j = 0; j < size; ++j) {
      const auto w = static_cast<double>(rotated_[j]);
      if (std::fabs(w) > slop * norm && (w > 0.0) != (signs_[j] != 0))
        return static_cast<int64_t>(j);
    }
    const auto scale_of = [&](F16 stored) {
      return std::ldexp(static_cast<double>(ToFloat(stored)), -planes_.Constants().scale_exponent);
    };
    const double scale = scale_of(SignTerm(planes_, row, b));
    const double record_scale = scale_of(RecordTerm(planes_, row, b));
    // Reconstructions are up to 1.3 times as long as rows; longer ones have larger gammas as well.
    const double sign_tolerance = kSignScaleTolerance * 1.01 + 1.3 * slop;
    const double refine_tolerance = kRefineScaleTolerance * 1.01 + 1.3 * slop;
    one->Add(signs, norm, scale, n, sign_tolerance);
    two->Add(two_bits, norm, record_scale, n, refine_tolerance);
    three->Add(three_bits, norm, record_scale, n, refine_tolerance);
    return -1;
  }

  std::string Judge(int64_t row, const char* plane, const Needed& needed, F16 stored,
                    double* worst) const {
    const double wanted = needed.gamma + CertainFactor(num_channels_) * needed.excess;
    const auto found = static_cast<double>(ToFloat(stored));
    if (wanted > 0.0) *worst = std::max(*worst, wanted / std::max(found, 1e-6) - 1.0);
    if (!(wanted > found * (1.0 + kGammaSlop) + 1e-3)) return "";
    return fmt::format("row {}: the error of its {} needs a gamma of {:.4g}, found {:.4g}", row,
                       plane, wanted, found);
  }

  const Planes& planes_;
  const kernels::KernelSet& kernels_;
  const int64_t num_channels_;
  std::vector<float> row_;
  std::vector<float> rotated_;  // of one block
  std::vector<uint8_t> signs_;
  std::vector<uint8_t> second_;
  std::vector<uint8_t> third_;
};

}  // namespace

PlanesCheck CheckPlanes(const Planes& planes,
                        const std::function<void(int64_t row, float* out)>& read_row,
                        const kernels::KernelSet& kernels, ThreadPool* pool) {
  struct Finding {
    int64_t bad_rows = 0;
    int64_t first_row = -1;
    double worst = -1.0;
    std::string problem;
  };
  std::vector<Finding> findings(static_cast<size_t>(pool->NumThreads()));
  ChunkQueue queue;
  pool->Run([&](int thread) {
    Finding& mine = findings[static_cast<size_t>(thread)];
    RowChecker checker(planes, kernels);
    int64_t row = 0;
    int64_t end = 0;
    while (queue.Take(planes.NumRows(), 64, &row, &end)) {
      for (; row < end; ++row) {
        read_row(row, checker.Row());
        std::string problem = checker.Check(row, &mine.worst);
        if (problem.empty()) continue;
        if (mine.bad_rows++ == 0 || row < mine.first_row) {
          mine.first_row = row;
          mine.problem = std::move(problem);
        }
      }
    }
  });
  PlanesCheck all;
  all.num_rows = planes.NumRows();
  int64_t first_row = -1;
  for (Finding& mine : findings) {
    all.bad_rows += mine.bad_rows;
    all.worst_excess = std::max(all.worst_excess, mine.worst);
    if (mine.bad_rows == 0 || (first_row >= 0 && mine.first_row > first_row)) continue;
    first_row = mine.first_row;
    all.problem = std::move(mine.problem);
  }
  return all;
}

}  // namespace headway::lmhead
