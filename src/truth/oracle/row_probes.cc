#include "truth/oracle/row_probes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>

#include "manifest/goldens.h"

namespace headway::oracle {
namespace {

constexpr int64_t kRowsAtATime = 64;

void ProbeRow(const float* row, const std::vector<float>& x, int64_t columns,
              std::array<double, kProbes>* sums, double* squares) {
  sums->fill(0.0);
  *squares = 0;
  for (int64_t c = 0; c < columns; ++c) {
    const auto w = static_cast<double>(row[c]);
    *squares += w * w;
    for (int64_t p = 0; p < kProbes; ++p)
      (*sums)[static_cast<size_t>(p)] +=
          w * static_cast<double>(x[static_cast<size_t>(p * columns + c)]);
  }
}

}  // namespace

Result<RowProbes> ProbeRows(const oracle::WeightReader& reader, const std::string& weight,
                            int64_t row_begin, int64_t num_rows, int64_t columns,
                            ThreadPool* pool_or_null) {
  const std::vector<float> x = ProbeInputs(weight, columns);
  RowProbes probes{.y = std::vector<float>(static_cast<size_t>(kProbes * num_rows)),
                   .norms = std::vector<float>(static_cast<size_t>(num_rows))};
  std::mutex mutex;
  Result<void> failed;
  ChunkQueue queue;
  const auto work = [&](int) {
    std::vector<float> rows(static_cast<size_t>(kRowsAtATime * columns));
    int64_t begin = 0;
    int64_t end = 0;
    while (queue.Take(num_rows, kRowsAtATime, &begin, &end)) {
      const std::span<float> out =
          std::span(rows).first(static_cast<size_t>((end - begin) * columns));
      if (Result<void> read = reader(weight, row_begin + begin, end - begin, out); !read) {
        const std::lock_guard lock(mutex);
        failed = std::move(read);
        return;
      }
      std::array<double, kProbes> sums{};
      double squares = 0;
      for (int64_t row = begin; row < end; ++row) {
        ProbeRow(rows.data() + (row - begin) * columns, x, columns, &sums, &squares);
        probes.norms[static_cast<size_t>(row)] = static_cast<float>(std::sqrt(squares));
        for (int64_t p = 0; p < kProbes; ++p)
          probes.y[static_cast<size_t>(p * num_rows + row)] =
              static_cast<float>(sums[static_cast<size_t>(p)]);
      }
    }
  };
  if (pool_or_null != nullptr) {
    pool_or_null->Run(work);
  } else {
    work(0);
  }
  if (!failed) return tl::unexpected<Error>(failed.error());
  return probes;
}

}  // namespace headway::oracle
