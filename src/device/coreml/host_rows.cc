#include "device/coreml/host_rows.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

#include "device/coreml/layer_parts.h"
#include "device/coreml/program.h"
#include "gguf/gguf_writer.h"
#include "tensor/codec.h"

namespace headway::coreml {
namespace {

// A row is decoded on the stack.
constexpr int64_t kMaxChannels = 16384;
constexpr const char* kEmbeddingDigestKey = "headway.embedding_digest";

Result<void> WriteTensor(const ConstTensorView& view, const std::string& name,
                         gguf::GgufWriter* writer) {
  const auto row_bytes = static_cast<size_t>(RowBytes(view.type, view.shape.Columns()));
  for (int64_t row = 0; row < view.shape.Rows(); ++row)
    HW_TRY_VOID(writer->WriteTensorBytes(name, std::span(view.Row(row), row_bytes)));
  return {};
}

}  // namespace

Result<void> HostRows::Write(const graph::Graph& head, const WeightSource& weights,
                             const FileEntry* embedding_or_null, const std::string& path) {
  HW_TRY(const HeadParts parts, FindHeadParts(head));
  HW_TRY(const ConstTensorView gain, weights(parts.gain->name));
  HW_TRY(const ConstTensorView matrix, weights(parts.matrix->name));
  gguf::GgufWriter writer;
  writer.AddString("general.architecture", "headway-head-rows");
  if (embedding_or_null != nullptr)
    writer.AddString(kEmbeddingDigestKey, embedding_or_null->digest);
  writer.AddTensor(parts.gain->name, gain.type, gain.shape);
  if (embedding_or_null == nullptr) writer.AddTensor(parts.matrix->name, matrix.type, matrix.shape);
  HW_TRY_VOID(writer.Begin(path));
  HW_TRY_VOID(WriteTensor(gain, parts.gain->name, &writer));
  if (embedding_or_null == nullptr) HW_TRY_VOID(WriteTensor(matrix, parts.matrix->name, &writer));
  return writer.Finish();
}

Result<std::unique_ptr<HostRows>> HostRows::Open(const graph::Graph& head, const std::string& path,
                                                 const std::string& embedding_path) {
  HW_TRY(const HeadParts parts, FindHeadParts(head));
  std::unique_ptr<HostRows> rows(new HostRows);
  HW_TRY(rows->file_, gguf::GgufFile::Open(path));
  HW_TRY(rows->gain_, rows->file_.GetTensor(parts.gain->name));
  if (auto own = rows->file_.GetTensor(parts.matrix->name)) {
    rows->matrix_ = *own;
  } else if (embedding_path.empty()) {
    return tl::unexpected<Error>(own.error());
  } else {
    HW_TRY(rows->embedding_, gguf::GgufFile::Open(embedding_path));
    HW_TRY(rows->matrix_, rows->embedding_->GetTensor(parts.matrix->name));
  }
  const int64_t columns = parts.matrix->shape.Columns();
  rows->first_row_ = parts.matrix->row_begin;
  rows->num_rows_ = parts.matrix->shape.Rows();
  rows->epsilon_ = static_cast<double>(parts.rms_norm_eps);
  rows->logit_scale_ = static_cast<double>(parts.logit_scale);
  rows->soft_cap_ = static_cast<double>(parts.soft_cap);
  if (rows->matrix_.shape.Rank() != 2 || rows->Channels() != columns || columns > kMaxChannels ||
      rows->matrix_.shape.Rows() < rows->first_row_ + rows->num_rows_ ||
      rows->gain_.shape.Rank() != 1 || rows->gain_.shape[0] != columns) {
    return BadProgram(path,
                      fmt::format("expected a norm of {} channels (at most {}) and rows up to "
                                  "{} of them, found others",
                                  columns, kMaxChannels, rows->first_row_ + rows->num_rows_));
  }
  return rows;
}

void HostRows::ReadGain(float* out) const {
  DequantiseRow(gain_.type, gain_.data, Channels(), out);
}

void HostRows::Normalise(const float* hidden, float* normed) const {
  const auto D = static_cast<size_t>(Channels());
  ReadGain(normed);
  double squares = 0.0;
  for (size_t c = 0; c < D; ++c) squares += static_cast<double>(hidden[c]) * hidden[c];
  const double factor = logit_scale_ / std::sqrt(squares / static_cast<double>(D) + epsilon_);
  for (size_t c = 0; c < D; ++c) {
    normed[c] = static_cast<float>(static_cast<double>(hidden[c]) * factor *
                                   static_cast<double>(normed[c]));
  }
}

void HostRows::ReadRow(int64_t row, float* out) const {
  DequantiseRow(matrix_.type, matrix_.Row(first_row_ + row), Channels(), out);
}

float HostRows::Logit(int64_t row, const float* normed) const {
  std::array<float, static_cast<size_t>(kMaxChannels)> weights;
  ReadRow(row, weights.data());
  const auto D = static_cast<size_t>(Channels());
  std::array<double, 8> sums{};
  size_t c = 0;
  for (; c + sums.size() <= D; c += sums.size()) {
    for (size_t i = 0; i < sums.size(); ++i)
      sums[i] += static_cast<double>(weights[c + i]) * static_cast<double>(normed[c + i]);
  }
  for (; c < D; ++c)
    sums[c % sums.size()] += static_cast<double>(weights[c]) * static_cast<double>(normed[c]);
  double sum = 0.0;
  for (const double part : sums) sum += part;
  if (soft_cap_ > 0.0) sum = soft_cap_ * std::tanh(sum / soft_cap_);
  return static_cast<float>(sum);
}

}  // namespace headway::coreml
