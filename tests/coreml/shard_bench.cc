#include "shard_bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

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
    const std::string& head_kind, const std::vector<StepWidth>& widths, int64_t max_seq) {
  const auto emitter = MakeEmitter(options, &pool_);
  std::vector<std::string> paths;
  for (const StepWidth& width : widths) {
    const std::string path = directory_.Path(fmt::format("{}.mlpackage", made_++));
    const auto emitted =
        emitter->EmitFor({.head_kind = head_kind, .width = width, .max_seq = max_seq}, shard,
                         source, path, [](uint64_t) {});
    EXPECT_TRUE(emitted.has_value()) << emitted.error().message;
    if (!emitted) return {};
    paths.push_back(path);
  }
  return paths;
}

std::unique_ptr<Executable> CoremlShardTest::Load(const std::vector<std::string>& paths) {
  if (paths.empty()) return nullptr;
  auto loaded = backend_->LoadWidths(paths);
  EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
  return loaded ? *std::move(loaded) : nullptr;
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
