#pragma once

// The rows of a model as floats, for the oracle while a package is made: shows how far it is, lets go
// of pages that were read, and stops when the user does. Any thread. Inside this folder only.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "gguf/gguf_file.h"
#include "truth/oracle/oracle.h"

namespace headway::pack {

class FileRows {
 public:
  // `work`: what progress is shown of; `num_weights`: what will be read. The file must outlive this.
  FileRows(const gguf::GgufFile& file, const std::string& work, uint64_t num_weights,
           bool show_progress, const std::atomic<bool>* cancelled_or_null)
      : file_(file),
        work_(work),
        cancelled_or_null_(cancelled_or_null),
        progress_(work, num_weights, show_progress) {}

  // Of the file, or, with `stored`, as a device's shards hold them. Errors of reading: those of
  // GgufFile::GetTensor() or of `stored`; kCancelled.
  oracle::WeightReader Reader(oracle::WeightReader stored = nullptr);

 private:
  Result<void> Read(const oracle::WeightReader& stored, const std::string& name, int64_t row_begin,
                    int64_t num_rows, std::span<float> out);

  const gguf::GgufFile& file_;
  const std::string work_;
  const std::atomic<bool>* const cancelled_or_null_;
  std::mutex mutex_;  // guards what follows
  uint64_t done_ = 0;
  uint64_t released_ = 0;
  Progress progress_;
};

}  // namespace headway::pack
