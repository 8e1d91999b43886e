#include "shard_fixture.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <utility>

#include "graph/builder.h"

namespace headway::coreml {

namespace fs = std::filesystem;

ScratchDirectory::ScratchDirectory(const std::string& name)
    : path_((fs::temp_directory_path() / fmt::format("headway-coreml-{}-{}", name, ::getpid()))
                .string()) {
  fs::remove_all(path_);
  fs::create_directories(path_);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code error;
  fs::remove_all(path_, error);
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void FloatTensors::Set(const std::string& name, const Shape& shape, std::vector<float> values) {
  tensors_[name] = {shape, std::move(values)};
}

Result<ConstTensorView> FloatTensors::View(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return Fail(ErrorCode::kNotFound, name);
  const Tensor& tensor = found->second;
  return ConstTensorView{.type = DataType::kF32,
                         .shape = tensor.shape,
                         .row_stride_bytes = RowBytes(DataType::kF32, tensor.shape.Columns()),
                         .data = reinterpret_cast<const std::byte*>(tensor.values.data()),
                         .name = found->first};
}

std::vector<std::string> CoremlShardTest::Emit(
    const graph::Graph& shard, const WeightSource& source, const EmitterOptions& options,
    std::optional<HeadForm> head, const std::vector<StepWidth>& widths, int64_t max_seq) {
  const auto emitter = MakeEmitter(options, &pool_);
  const std::string path = directory_.Path(fmt::format("{}.mlpackage", made_++));
  const auto emitted = emitter->Emit({.head = head, .widths = widths, .max_seq = max_seq}, shard,
                                     source, path, [](uint64_t) {});
  EXPECT_TRUE(emitted.has_value()) << emitted.error().message;
  if (!emitted) return {};
  return {path};
}

std::vector<float> DrawRows(Rows kind, const HeadMatrix& head) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0, head.deviation);
  std::vector<float> matrix(static_cast<size_t>(head.rows * head.channels));
  for (float& value : matrix) value = normal(random);
  const auto copy_row = [&](int64_t from, int64_t to, float factor) {
    for (int64_t c = 0; c < head.channels; ++c)
      matrix[static_cast<size_t>(to * head.channels + c)] =
          factor * matrix[static_cast<size_t>(from * head.channels + c)];
  };
  if (kind == Rows::kTies) {
    for (int64_t row = 16; row < head.rows; ++row) copy_row(row % 16, row, 1.0F);
  }
  if (kind == Rows::kEqual) std::fill(matrix.begin(), matrix.end(), 0.0F);
  if (kind == Rows::kExtreme) {
    for (int64_t row = 0; row < head.rows; ++row)
      copy_row(row, row, row % 3 == 0 ? head.loud : (row % 3 == 1 ? 1e-6F : 1.0F));
  }
  return matrix;
}

graph::Graph HeadGraph(const HeadMatrix& head, std::vector<float> matrix, FloatTensors* tensors) {
  const int64_t D = head.channels;
  tensors->Set("gain", Shape{D}, std::vector<float>(static_cast<size_t>(D), 1.0F));
  tensors->Set("head", Shape{head.rows, D}, std::move(matrix));
  graph::Builder b;
  b.SetStage(5);
  const graph::ValueId x = b.Input("x", D);
  const graph::ValueId n = b.RmsNorm(
      "norm", x, b.AddWeight({.name = "gain", .type = DataType::kF32, .shape = Shape{D}}), 1e-5F);
  b.Output(b.Linear(
      "logits", n,
      b.AddWeight({.name = "head", .type = DataType::kF32, .shape = Shape{head.rows, D}})));
  return *b.Finish();
}

double RelativeError(const std::vector<float>& found, const std::vector<double>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double error = 0;
  double size = 0;
  for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    const double difference = static_cast<double>(found[i]) - expected[i];
    error += difference * difference;
    size += expected[i] * expected[i];
  }
  return std::sqrt(error / size);
}

}  // namespace headway::coreml
