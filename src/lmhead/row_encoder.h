#pragma once

// Rows to codes: what one thread of BuildPlanes() does with a batch of rows. Used by BuildPlanes()
// alone.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/plane_layout.h"
#include "lmhead/kernel_magnitude.h"
#include "lmhead/rotate_rows.h"
#include "tensor/half.h"
#include "tensor/tensor_view.h"

namespace headway::lmhead {

// Rows that are encoded together: a strip of a sign tile.
inline constexpr int64_t kBatchRows = kernels::kSignStripRows;

struct RowNorms {
  double largest_row = 0.0;
  double largest_block = 0.0;  // or what the kernel adds up in a block
  bool finite = true;
};

// One thread's memory and its share of the work.
class RowEncoder {
 public:
  // Both must outlive this object. `panels`: the rotation of every block.
  RowEncoder(const ConstTensorView& rows, const std::vector<RotationPanels>& panels);

  // Takes row `row` into account.
  void AddNorms(int64_t row, RowNorms* norms);

  // Where codes go, and what is common to all of them.
  struct Target {
    int exponent;        // scales are stored times 2^exponent
    double slack;        // FullHeadSlack()
    std::byte* signs;    // all tiles
    std::byte* records;  // all records
  };

  // Writes signs, records and terms of the rows of a batch (kBatchRows, the last may have fewer).
  void Encode(int64_t batch, const Target& target);

 private:
  struct Gammas {
    double sign = 0.0, sign_excess = 0.0, refine = 0.0, refine_excess = 0.0;
  };

  void ReadRow(int64_t row, int64_t place);
  void EncodeBlocks(int64_t first, int64_t b, int64_t num_rows, const Target& target);
  void Store(int64_t row, int64_t b, F16 scale, const Target& target);
  void PutTerms(int64_t row, int64_t b, F16 sign, F16 refine, const Target& target) const;
  std::byte* Record(const Target& target, int64_t row) const;
  std::byte* SignTile(const Target& target, int64_t row) const;
  double& Magnitude(int64_t place, int64_t b) {
    return magnitudes_[static_cast<size_t>(place * num_blocks_ + b)];
  }

  const ConstTensorView& rows_;
  const std::vector<RotationPanels>& panels_;
  const int64_t num_channels_;
  const int64_t num_blocks_;
  KernelMagnitude magnitude_;
  std::vector<float> values_;       // [64, D]
  std::vector<double> magnitudes_;  // [64, blocks]
  std::vector<double> block_;       // one block of 64 rows
  std::vector<double> rotated_;
  std::vector<uint8_t> signs_;
  std::vector<uint8_t> codes_;
  std::array<Gammas, static_cast<size_t>(kBatchRows)> gammas_;
};

}  // namespace headway::lmhead
