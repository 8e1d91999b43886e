#pragma once

// What tells a matrix's rows from other rows: each times the probe inputs, and its norm. Taken from
// the model file when goldens are recorded and from what a package stores when it is gated.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "truth/oracle/oracle.h"

namespace headway::oracle {

struct RowProbes {
  std::vector<float> y;      // [P, rows]: ProbeInputs(weight) times each row, summed in double
  std::vector<float> norms;  // [rows], Euclidean
};

// Rows [row_begin, row_begin + num_rows) of `weight`, `columns` wide. On `pool_or_null`, else on
// this thread; the result is the same. Errors: those of `reader`, which threads call at once.
Result<RowProbes> ProbeRows(const oracle::WeightReader& reader, const std::string& weight,
                            int64_t row_begin, int64_t num_rows, int64_t columns,
                            ThreadPool* pool_or_null);

}  // namespace headway::oracle
