#include "lmhead/rotate_rows.h"

#include <algorithm>
#include <cstddef>

// One source, three instruction sets, the same operations in the same order: wider vectors hold
// more columns, sums stay in their lane. Not in sanitizer builds, whose checks stand in the chooser
// of the clones, too, which runs before the sanitizer does.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HW_WIDEST_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define HW_WIDEST_VECTORS
#endif

namespace headway::lmhead {
namespace {

constexpr size_t kRows = 4;  // rows that share a panel's loads: 4 x 16 sums fill 8 of 32 registers
constexpr auto kWidth = static_cast<size_t>(RotationPanels::kWidth);

// Eight columns; the compiler splits it where registers are narrower.
using Columns [[gnu::vector_size(64)]] = double;
constexpr size_t kVectors = 2;
static_assert(kVectors * sizeof(Columns) == kWidth * sizeof(double));

HW_WIDEST_VECTORS void RotateFour(const double* panel, size_t n, const double* const* w,
                                  double* const* out) {
  Columns sums[kRows][kVectors] = {};
  for (size_t c = 0; c < n; ++c) {
    Columns column[kVectors];
    __builtin_memcpy(column, panel + c * kWidth, sizeof column);
    for (size_t r = 0; r < kRows; ++r) {
      const double factor = w[r][c];
      for (size_t v = 0; v < kVectors; ++v) sums[r][v] += column[v] * factor;
    }
  }
  for (size_t r = 0; r < kRows; ++r) __builtin_memcpy(out[r], sums[r], sizeof sums[r]);
}

}  // namespace

RotationPanels::RotationPanels(const std::vector<double>& exact, int64_t n)
    : n_(n), panels_(static_cast<size_t>(PaddedSize() * n), 0.0) {
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t c = 0; c < n; ++c) {
      panels_[static_cast<size_t>((j / kWidth * n + c) * kWidth + j % kWidth)] =
          exact[static_cast<size_t>(j * n + c)];
    }
  }
}

void RotationPanels::Rotate(const double* w, int64_t num_rows, double* out) const {
  const auto n = static_cast<size_t>(n_);
  for (int64_t first = 0; first < PaddedSize(); first += RotationPanels::kWidth) {
    const double* panel = &panels_[static_cast<size_t>(first * n_)];
    for (int64_t row = 0; row < num_rows; row += static_cast<int64_t>(kRows)) {
      const double* from[kRows];
      double* to[kRows];
      for (int64_t r = 0; r < static_cast<int64_t>(kRows); ++r) {
        const int64_t mine = std::min(row + r, num_rows - 1);  // a short rest repeats its last row
        from[r] = w + mine * n_;
        to[r] = out + mine * PaddedSize() + first;
      }
      RotateFour(panel, n, from, to);
    }
  }
}

}  // namespace headway::lmhead
