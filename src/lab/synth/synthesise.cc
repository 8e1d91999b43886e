#include "lab/synth/synthesise.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/thread_pool.h"
#include "gguf/gguf_writer.h"
#include "lab/synth/model_shape.h"
#include "lab/synth/plan.h"
#include "lab/synth/type_mix.h"
#include "lab/synth/weights.h"
#include "tensor/codec.h"

namespace headway::synth {
namespace {

constexpr int64_t kPieceBytes = int64_t{4} << 20;  // what is drawn in parallel and written at once

template <class Rows>
std::string NamesOf(const Rows& rows) {
  std::string names;
  for (const auto& row : rows) names += fmt::format("{}{}", names.empty() ? "" : " ", row.name);
  return names;
}

class TensorStream {
 public:
  TensorStream(uint64_t seed, ThreadPool& pool)
      : seed_(seed),
        pool_(pool),
        rows_(static_cast<size_t>(pool.NumThreads())),
        echoes_(rows_.size()) {}

  // Draws, quantises and writes all rows of `tensor`.
  Result<void> Write(const PlannedTensor& tensor, gguf::GgufWriter& writer,
                     const std::function<Result<void>(uint64_t)>& wrote) {
    if (!tensor.values.empty()) {
      return writer.WriteTensorBytes(tensor.name,
                                     std::as_bytes(std::span<const float>(tensor.values)));
    }
    const int64_t row_bytes = RowBytes(tensor.type, tensor.shape.Columns());
    const int64_t piece_rows = std::max<int64_t>(1, kPieceBytes / row_bytes);
    for (int64_t first = 0; first < tensor.shape.Rows(); first += piece_rows) {
      const int64_t count = std::min(piece_rows, tensor.shape.Rows() - first);
      piece_.resize(static_cast<size_t>(count * row_bytes));
      Draw(tensor, first, count, row_bytes);
      HW_TRY_VOID(writer.WriteTensorBytes(tensor.name, piece_));
      HW_TRY_VOID(wrote(piece_.size()));
    }
    return {};
  }

 private:
  // values[c] += row `row` of the echoed stream.
  void AddEcho(const RowEcho& echo, int64_t row, const Shape& shape, int thread_index,
               float* values) {
    const int64_t columns = shape.Columns();
    const int64_t source = (row + shape.Rows() - echo.row_shift) % shape.Rows();
    float* added = echoes_[static_cast<size_t>(thread_index)].data();
    DrawWeights(StreamKey(seed_, echo.tensor_name), static_cast<uint64_t>(source * columns),
                static_cast<uint64_t>(columns), {0.0F, echo.standard_deviation}, added);
    for (int64_t c = 0; c < columns; ++c) values[c] += added[c];
  }

  // Rows [first, first + count) into piece_. Every row depends on its index alone.
  void Draw(const PlannedTensor& tensor, int64_t first, int64_t count, int64_t row_bytes) {
    const int64_t columns = tensor.shape.Columns();
    const uint64_t key = StreamKey(seed_, tensor.name);
    for (auto& row : rows_) row.resize(static_cast<size_t>(columns));
    for (auto& row : echoes_) row.resize(static_cast<size_t>(columns));
    pool_.Run([&](int thread_index) {
      float* values = rows_[static_cast<size_t>(thread_index)].data();
      for (int64_t r = thread_index; r < count; r += pool_.NumThreads()) {
        const int64_t source =
            tensor.distinct_rows > 0 ? (first + r) % tensor.distinct_rows : first + r;
        DrawWeights(key, static_cast<uint64_t>(source * columns), static_cast<uint64_t>(columns),
                    tensor.distribution, values);
        if (tensor.echo) AddEcho(*tensor.echo, first + r, tensor.shape, thread_index, values);
        QuantiseRow(tensor.type, values, columns, piece_.data() + r * row_bytes);
      }
    });
  }

  const uint64_t seed_;
  ThreadPool& pool_;
  std::vector<std::vector<float>> rows_;    // one row of values a thread
  std::vector<std::vector<float>> echoes_;  // the same, for AddEcho
  std::vector<std::byte> piece_;
};

}  // namespace

Result<void> Synthesise(const SynthSpec& spec, const std::string& path,
                        const SynthProgress& progress) {
  const ModelShape* shape = FindShape(spec.shape);
  if (shape == nullptr) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("synth: unknown shape '{}' (expected one of: {})", spec.shape,
                            NamesOf(Shapes())));
  }
  const TypeMix* mix = FindTypeMix(spec.type);
  if (mix == nullptr) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("synth: unknown type '{}' (expected one of: {})", spec.type,
                            NamesOf(TypeMixes())));
  }
  if (spec.margin_sigma && !(*spec.margin_sigma > 0.0 && *spec.margin_sigma < MaxMargin(*shape))) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format(
            "synth: margin {} (expected more than 0 and less than {:.1f}, what {} channels allow)",
            *spec.margin_sigma, MaxMargin(*shape), shape->hidden_size));
  }
  if (spec.distinct_rows < 0 || (spec.distinct_rows > 0 && spec.margin_sigma)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("synth: {} distinct rows of the head (expected a positive number, and "
                            "no margin beside it)",
                            spec.distinct_rows));
  }
  HW_CHECK(spec.num_threads >= 1, "at least one thread");
  HW_TRY(const auto pool, ThreadPool::Start(spec.num_threads));
  const std::vector<PlannedTensor> tensors = PlanTensors(
      *shape, *mix,
      {.pure = spec.pure, .margin_sigma = spec.margin_sigma, .distinct_rows = spec.distinct_rows});
  gguf::GgufWriter writer;
  AddMetadata(*shape, *mix, spec.seed, writer);
  for (const PlannedTensor& tensor : tensors)
    writer.AddTensor(tensor.name, tensor.type, tensor.shape);
  HW_TRY_VOID(writer.Begin(path));

  TensorStream stream(spec.seed, *pool);
  uint64_t bytes_done = 0;
  for (const PlannedTensor& tensor : tensors) {
    HW_TRY_VOID(stream.Write(tensor, writer, [&](uint64_t bytes) -> Result<void> {
      bytes_done += bytes;
      if (progress) progress(bytes_done, writer.TensorBytes());
      if (spec.cancelled_or_null == nullptr || !spec.cancelled_or_null->load()) return {};
      return Fail(ErrorCode::kCancelled, "interrupted while writing; nothing was written");
    }));
  }
  return writer.Finish();
}

}  // namespace headway::synth
