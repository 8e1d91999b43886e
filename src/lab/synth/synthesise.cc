#include "lab/synth/synthesise.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/thread_pool.h"
#include "gguf/gguf_writer.h"
#include "gguf/split.h"
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

Result<std::optional<DataType>> HeadType(const SynthSpec& spec, int64_t columns) {
  if (spec.head_type.empty()) return std::optional<DataType>();
  const auto type = DataTypeFromName(spec.head_type);
  if (type && IsWeightType(*type) && columns % Traits(*type).block_elements == 0) return type;
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("synth: head type '{}' (expected a weight type whose blocks fill rows of "
                          "{}, such as f16, bf16 or q8_0)",
                          spec.head_type, columns));
}

using TensorRun = std::span<const PlannedTensor>;

// Runs of tensors of about the same size, at least one tensor each.
Result<std::vector<TensorRun>> DivideTensors(std::span<const PlannedTensor> tensors,
                                             int64_t count) {
  const auto most = std::min<int64_t>(gguf::kMaxParts, static_cast<int64_t>(tensors.size()));
  if (count < 1 || count > most) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("synth: {} parts (expected 1 to {}, one tensor each)", count, most));
  }
  const auto bytes_of = [](const PlannedTensor& tensor) {
    return tensor.shape.Rows() * RowBytes(tensor.type, tensor.shape.Columns());
  };
  int64_t left = 0;
  for (const PlannedTensor& tensor : tensors) left += bytes_of(tensor);
  std::vector<TensorRun> parts;
  for (auto parts_left = static_cast<size_t>(count); parts_left > 0; --parts_left) {
    const int64_t wanted = left / static_cast<int64_t>(parts_left);
    size_t taken = 0;
    int64_t bytes = 0;
    while (tensors.size() - taken > parts_left - 1 && (taken == 0 || bytes < wanted))
      bytes += bytes_of(tensors[taken++]);
    if (parts_left == 1) taken = tensors.size();
    parts.push_back(tensors.first(taken));
    tensors = tensors.subspan(taken);
    left -= bytes;
  }
  return parts;
}

Result<std::vector<std::string>> FilesOf(const std::string& path, size_t parts) {
  if (parts == 1) return std::vector<std::string>{path};
  constexpr std::string_view kEnd = ".gguf";
  if (!path.ends_with(kEnd)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("synth: {}: expected NAME.gguf, as the parts will be "
                            "NAME-00001-of-{:05}.gguf and so on",
                            path, parts));
  }
  std::vector<std::string> paths;
  for (size_t i = 1; i <= parts; ++i) {
    paths.push_back(gguf::SplitPath(path.substr(0, path.size() - kEnd.size()),
                                    static_cast<uint32_t>(i), static_cast<uint32_t>(parts)));
  }
  return paths;
}

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
  HW_TRY(const std::optional<DataType> head_type, HeadType(spec, shape->hidden_size));
  HW_CHECK(spec.num_threads >= 1, "at least one thread");
  HW_TRY(const auto pool, ThreadPool::Start(spec.num_threads));
  const std::vector<PlannedTensor> tensors = PlanTensors(*shape, *mix,
                                                         {.pure = spec.pure,
                                                          .head_type = head_type,
                                                          .margin_sigma = spec.margin_sigma,
                                                          .distinct_rows = spec.distinct_rows});
  HW_TRY(const std::vector<TensorRun> parts, DivideTensors(tensors, spec.parts));
  HW_TRY(const std::vector<std::string> paths, FilesOf(path, parts.size()));
  std::vector<std::unique_ptr<gguf::GgufWriter>> writers;
  uint64_t total_bytes = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    gguf::GgufWriter& writer = *writers.emplace_back(std::make_unique<gguf::GgufWriter>());
    if (i == 0) AddMetadata(*shape, *mix, spec.seed, writer);
    if (parts.size() > 1) {
      gguf::AddSplitKeys({.index = static_cast<uint32_t>(i),
                          .count = static_cast<uint32_t>(parts.size()),
                          .tensors = static_cast<uint32_t>(tensors.size())},
                         &writer);
    }
    for (const PlannedTensor& tensor : parts[i])
      writer.AddTensor(tensor.name, tensor.type, tensor.shape);
    HW_TRY_VOID(writer.Begin(paths[i]));
    total_bytes += writer.TensorBytes();
  }

  TensorStream stream(spec.seed, *pool);
  uint64_t bytes_done = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    for (const PlannedTensor& tensor : parts[i]) {
      HW_TRY_VOID(stream.Write(tensor, *writers[i], [&](uint64_t bytes) -> Result<void> {
        bytes_done += bytes;
        if (progress) progress(bytes_done, total_bytes);
        if (spec.cancelled_or_null == nullptr || !spec.cancelled_or_null->load()) return {};
        return Fail(ErrorCode::kCancelled, "interrupted while writing; nothing was written");
      }));
    }
  }
  for (const auto& writer : writers) HW_TRY_VOID(writer->Finish());
  return {};
}

}  // namespace headway::synth
