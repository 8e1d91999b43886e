#include "device/coreml/coreml_backend.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "device/coreml/executables.h"
#include "device/coreml/screen_program.h"
#include "device/coreml/shard_prediction.h"
#include "gguf/gguf_file.h"
#include "tensor/codec.h"

namespace headway::coreml {
namespace {

// Rows of the one tensor of a GGUF, read by the host.
class EmbeddingRows final : public Executable {
 public:
  EmbeddingRows(gguf::GgufFile file, const ConstTensorView& table)
      : file_(std::move(file)), table_(table) {}

  void Run(const StepArgs& /*args*/) noexcept override {
    HW_CHECK(false, "an embedding is read row by row");
  }
  void ReadRow(int64_t row, float* out) const override {
    DequantiseRow(table_.type, table_.Row(row), table_.shape.Columns(), out);
  }
  ShardInterface Interface() const override {
    return {.input_channels = 0,
            .output_channels = table_.shape.Columns(),
            .rotary_dim = 0,
            .matrix_rows = table_.shape.Rows()};
  }
  int64_t ScratchBytes() const override { return 0; }
  int64_t MaxTokens() const override { return kMaxStepTokens; }
  int64_t WeightBytes() const override { return 0; }
  headway::Residency Residency() const override {
    return {.basis = "measured",
            .ops = {{.op = "embedding",
                     .name = std::string(table_.name),
                     .where = "host",
                     .counts = false,
                     .resident = true,
                     .reason = ""}}};
  }

 private:
  const gguf::GgufFile file_;
  const ConstTensorView table_;  // into file_
};

class InterpretedBackend final : public Backend {
 public:
  explicit InterpretedBackend(ThreadPool* pool) : pool_(pool) {}

  std::string_view Device() const override { return "coreml"; }

  Result<std::unique_ptr<Executable>> Load(const std::string& path) override {
    return LoadWidths(std::span<const std::string>(&path, 1));
  }

  Result<std::unique_ptr<Executable>> LoadWidths(std::span<const std::string> paths) override {
    if (paths.front().ends_with(".gguf")) return MakeEmbedding(paths.front());
    HW_TRY(Programs programs, OpenPrograms(paths, pool_, &keep_bytes_));
    const bool is_head = programs.front()->Input("hidden") != nullptr;
    return is_head ? MakeHead(std::move(programs)) : MakeLayers(std::move(programs));
  }

  Result<std::unique_ptr<Executable>> LoadScreened(std::span<const std::string> paths,
                                                   const std::string& rows_path,
                                                   const std::string& embedding_path,
                                                   int64_t first_row) override {
    HW_TRY(Programs programs, OpenPrograms(paths, pool_, &keep_bytes_));
    const auto graph = GraphOf(programs.front()->package.model);
    if (!graph) return Prefixed(graph.error(), paths.front());
    HW_TRY(std::unique_ptr<HostRows> rows, HostRows::Open(*graph, rows_path, embedding_path));
    if (rows->FirstRow() != first_row) {
      return BadProgram(paths.front(), fmt::format("expected rows from {} on, found those from {}",
                                                   first_row, rows->FirstRow()));
    }
    return MakeScreenedHead(std::move(programs), std::move(rows), pool_);
  }

  Result<lmhead::Planes> LoadPlanes(const std::string& path,
                                    const std::string& rows_digest) override {
    return lmhead::Planes::Open(path, rows_digest, false, pool_);
  }

 private:
  ThreadPool* const pool_;
  int64_t keep_bytes_ = kKeptWeightBytes;
};

}  // namespace

Result<std::unique_ptr<Executable>> MakeEmbedding(const std::string& gguf_path) {
  HW_TRY(gguf::GgufFile file, gguf::GgufFile::Open(gguf_path));
  if (file.Tensors().size() != 1) {
    return BadProgram(gguf_path, fmt::format("expected one tensor, the embedding, found {}",
                                             file.Tensors().size()));
  }
  HW_TRY(const ConstTensorView table, file.GetTensor(std::string(file.Tensors().front().name)));
  if (table.shape.Rank() != 2)
    return BadProgram(gguf_path, "expected a matrix, found another shape");
  return std::make_unique<EmbeddingRows>(std::move(file), table);
}

Residency PredictedResidency(const Programs& programs) {
  Residency all{.basis = "predicted"};
  for (const auto& program : programs) {
    const Residency own = ToResidency(mil::PredictPlacement(
        *program->main,
        {.weight_bytes = static_cast<int64_t>(program->package.weights.SizeBytes())}));
    all.ops.insert(all.ops.end(), own.ops.begin(), own.ops.end());
    all.warnings.insert(all.warnings.end(), own.warnings.begin(), own.warnings.end());
  }
  return all;
}

int64_t WeightBytesOf(const std::vector<Width>& widths) {
  return static_cast<int64_t>(widths.front().program->package.weights.SizeBytes());
}

std::unique_ptr<Backend> MakeInterpretedBackend(ThreadPool* pool) {
  return std::make_unique<InterpretedBackend>(pool);
}

}  // namespace headway::coreml
