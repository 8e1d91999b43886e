#pragma once

// The rows of an LM head as the host multiplies them, for heads whose programs only screen: the
// final norm, and dot products in double precision with the model file's own rows. Inside this
// folder only. Immutable.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "device/emitter.h"
#include "gguf/gguf_file.h"
#include "graph/graph.h"
#include "tensor/tensor_view.h"

namespace headway::coreml {

class HostRows {
 public:
  // Writes the file that Open() reads: gain and matrix of `head`; with `embedding_or_null` its
  // digest in place of the matrix. Errors: kIo; kUnsupported (a head of another form).
  static Result<void> Write(const graph::Graph& head, const WeightSource& weights,
                            const FileEntry* embedding_or_null, const std::string& path);

  // `head`: the graph of the rows wanted, whose matrix begins at row_begin. Rows come from `path`,
  // or from the one tensor of `embedding_path` where that file has none. Errors: kCorrupt,
  // kNotFound, kUnsupported.
  static Result<std::unique_ptr<HostRows>> Open(const graph::Graph& head, const std::string& path,
                                                const std::string& embedding_path);

  int64_t Channels() const { return matrix_.shape.Columns(); }
  int64_t FirstRow() const { return first_row_; }
  int64_t NumRows() const { return num_rows_; }
  // Of the rows.
  int64_t Bytes() const { return num_rows_ * matrix_.row_stride_bytes; }

  // RMSNorm of `hidden` [D] with the head's gain, sums in double precision.
  void Normalise(const float* hidden, float* normed) const;
  // Row `row` of the part, as numbers [D].
  void ReadRow(int64_t row, float* out) const;
  void ReadGain(float* out) const;
  // The logit of row `row`: eight sums in double precision, channel c to sum c mod 8, added in
  // order and rounded once. `normed`: [D].
  float Logit(int64_t row, const float* normed) const;

 private:
  HostRows() = default;

  gguf::GgufFile file_;
  std::optional<gguf::GgufFile> embedding_;
  ConstTensorView gain_;    // into file_
  ConstTensorView matrix_;  // into file_ or embedding_
  int64_t first_row_ = 0;
  int64_t num_rows_ = 0;
  double epsilon_ = 0.0;
  double logit_scale_ = 1.0;
  double soft_cap_ = 0.0;
};

}  // namespace headway::coreml
