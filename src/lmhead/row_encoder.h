#pragma once

// Rows to codes: what one thread of BuildPlanes() does with a batch of rows. Used by BuildPlanes()
// alone.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/plane_layout.h"
#include "lmhead/kernel_magnitude.h"
#include "lmhead/rotate_rows.h"
#include "lmhead/row_code.h"
#include "tensor/half.h"
#include "tensor/tensor_view.h"

namespace headway::lmhead {

// Rows that are encoded together: a strip of a sign tile.
inline constexpr int64_t kBatchRows = kernels::kSignStripRows;

struct RowNorms {
  double largest_row = 0.0;
  double largest_magnitude = 0.0;  // of what the kernel adds up in a row
  bool finite = true;
};

// Reads rows for their norms alone.
class RowNormReader {
 public:
  // `rows` must outlive this object.
  explicit RowNormReader(const ConstTensorView& rows);
  void Add(int64_t row, RowNorms* norms);

  // Row `row` dequantised, [D], and what the kernel adds up for it; valid until the next call.
  std::span<const float> Read(int64_t row);
  double Magnitude() const;

 private:
  const ConstTensorView& rows_;
  KernelMagnitude magnitude_;
  std::vector<float> values_;  // [D]
};

// One thread's memory and its share of the work.
class RowEncoder {
 public:
  // All must outlive this object. `directions`: [k, D]; `panels`: the rotation of every block.
  RowEncoder(const ConstTensorView& rows, const std::vector<float>& directions,
             const std::vector<RotationPanels>& panels);

  // Where codes go, and what is common to all of them.
  struct Target {
    int exponent;           // terms but gammas are stored times 2^exponent
    double slack;           // FullHeadSlack()
    std::byte* signs;       // all tiles
    std::byte* records;     // all records
    std::byte* third_bits;  // of all rows
  };

  // Writes signs, records, third bits and terms of the rows of a batch (kBatchRows, the last may
  // have fewer).
  void Encode(int64_t batch, const Target& target);

 private:
  // The largest of any block of a row.
  struct Errors {
    CodeError one_bit, two_bits, three_bits;
  };

  void SplitRow(int64_t row, int64_t place, const Target& target);
  void EncodeBlocks(int64_t first, int64_t b, int64_t num_rows, const Target& target);
  void Store(int64_t row, int64_t b, F16 scale, const Target& target);
  void PutTerm(int64_t row, int64_t term, F16 value, const Target& target) const;
  void PutSignTerm(int64_t row, int64_t term, F16 value, const Target& target) const;
  void PutRecordTerm(int64_t row, int64_t term, F16 value, const Target& target) const;
  std::byte* Record(const Target& target, int64_t row) const;
  std::byte* SignTile(const Target& target, int64_t row) const;
  const ConstTensorView& rows_;
  const std::vector<float>& directions_;
  const std::vector<RotationPanels>& panels_;
  const int64_t num_channels_;
  const int64_t num_blocks_;
  const kernels::PlaneShape shape_;
  RowNormReader reader_;
  std::vector<double> rests_;  // [64, D]
  std::vector<double> block_;  // one block of 64 rows
  std::vector<double> rotated_;
  std::vector<uint8_t> signs_;
  std::vector<uint8_t> second_;
  std::vector<uint8_t> third_;
  std::array<Errors, static_cast<size_t>(kBatchRows)> errors_;
};

}  // namespace headway::lmhead
