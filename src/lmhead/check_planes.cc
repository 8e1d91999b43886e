#include "lmhead/check_planes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/plane_layout.h"
#include "lmhead/plane_rows.h"
#include "lmhead/row_code.h"

namespace headway::lmhead {
namespace {

// The stored rotation is off by rounding: its entries' errors are independent, so that a rotated
// channel, and a product with one, is off by defect / (2 sqrt(n)) of the norms. Eight times that
// never happens.
double RotationSlop(double defect, double n) { return 4.0 * defect / std::sqrt(n); }

// Of a recomputed gamma: the same errors, times 1 / gamma of three-bit codes.
constexpr double kGammaSlop = 0.01;

// What one plane of a row needs: its errors as EncodeBlock() defines them, the largest of any
// block.
struct Needed {
  double gamma = 0.0;
  double excess = 0.0;

  // `product` = a.w', `squares` = |a|^2, `norm` = |w'|, `unit` = scale sqrt(n).
  void Add(double product, double squares, double norm, double unit, double tolerance) {
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
    codes_.resize(row_.size());
  }

  float* Row() { return row_.data(); }

  // What is wrong with `row`; empty: nothing. Raises `worst`.
  std::string Check(int64_t row, double* worst) {
    const int64_t num_blocks = kernels::NumRotationBlocks(num_channels_);
    if (std::string problem = TakeShares(row); !problem.empty()) return problem;
    Needed sign;
    Needed refine;
    for (int64_t b = 0; b < num_blocks; ++b) {
      const int64_t wrong = AddBlock(row, b, &sign, &refine);
      if (wrong >= 0) {
        return fmt::format(
            "row {}: expected the sign of the rotated row in channel {} of block {}, "
            "found the other one",
            row, wrong, b);
      }
    }
    const F16 sign_gamma = SignTerm(planes_, row, num_blocks);
    const F16 refine_gamma = RefineTerm(planes_, row, num_blocks);
    std::string problem = Judge(row, "one bit", sign, sign_gamma, worst);
    return problem.empty() ? Judge(row, "three bits", refine, refine_gamma, worst) : problem;
  }

 private:
  // Leaves the row's rest in `row_`: what its coefficients do not say.
  std::string TakeShares(int64_t row) {
    const kernels::PlaneShape& shape = planes_.Shape();
    const double unscale = std::ldexp(1.0, -planes_.Constants().scale_exponent);
    const auto scaled = [&](F16 stored) { return static_cast<double>(ToFloat(stored)) * unscale; };
    for (int64_t term = kernels::SlackTerm(shape); term < kernels::NumTerms(shape); ++term) {
      const F16 stored = SignTerm(planes_, row, term);
      if (stored.bits == RefineTerm(planes_, row, term).bits) continue;
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
  int64_t AddBlock(int64_t row, int64_t b, Needed* sign, Needed* refine) {
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
    ReadCodes(planes_, row, b, std::span(codes_).first(size));
    double norm = 0.0;
    double sign_product = 0.0;
    double refine_product = 0.0;
    double refine_squares = 0.0;
    for (size_t j = 0; j < size; ++j) {
      const auto w = static_cast<double>(rotated_[j]);
      const double s = signs_[j] != 0 ? 1.0 : -1.0;
      const double level = 2.0 * s + codes_[j] - 1.5;
      norm += w * w;
      sign_product += s * w;
      refine_product += level * w;
      refine_squares += level * level;
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
    const double refine_scale = scale_of(RefineTerm(planes_, row, b));
    // Reconstructions are up to 1.3 times as long as rows; longer ones have larger gammas as well.
    sign->Add(scale * sign_product, scale * scale * n, norm, scale * std::sqrt(n),
              kSignScaleTolerance * 1.01 + 1.3 * slop);
    const double step = kRefineRatio * refine_scale;
    refine->Add(step * refine_product, step * step * refine_squares, norm,
                refine_scale * std::sqrt(n), kRefineScaleTolerance * 1.01 + 1.3 * slop);
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
  std::vector<uint8_t> codes_;
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
