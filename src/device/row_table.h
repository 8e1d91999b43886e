#pragma once

// Rows that can be read as numbers one by one: an embedding, or the matrix of a head shard, to
// which an embedding may be tied.

#include <cstdint>

namespace headway {

class RowTable {
 public:
  virtual ~RowTable() = default;
  int64_t NumRows() const { return num_rows_; }
  int64_t Columns() const { return columns_; }
  // Writes row `row` as f32 [Columns()].
  virtual void ReadRow(int64_t row, float* out) const = 0;

 protected:
  RowTable(int64_t num_rows, int64_t columns) : num_rows_(num_rows), columns_(columns) {}

 private:
  const int64_t num_rows_;
  const int64_t columns_;
};

}  // namespace headway
