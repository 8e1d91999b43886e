#include "device/coreml/coreml_device.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <utility>

#include "device/coreml/describe.h"
#include "device/coreml/emitter.h"
#include "device/coreml/interpreting_runner.h"
#include "device/coreml/loaded_shards.h"
#include "device/coreml/native.h"
#include "device/coreml/screen_program.h"
#include "device/coreml/stored_shard.h"
#include "gguf/gguf_file.h"
#include "tensor/codec.h"

namespace headway::coreml {
namespace {

constexpr int64_t kDefaultMaxSeq = 1024;
// The compute units that are ours.
constexpr const char* kInterpreter = "interpreter";

constexpr std::array kHeadForms = {HeadForm::kFull, HeadForm::kTop1, HeadForm::kBlockMax,
                                   HeadForm::kTop1F16, HeadForm::kCertified};

// Rows of the one tensor of a GGUF, read by the host.
class EmbeddingRows final : public RowTable {
 public:
  EmbeddingRows(gguf::GgufFile file, const ConstTensorView& table)
      : RowTable(table.shape.Rows(), table.shape.Columns()),
        file_(std::move(file)),
        table_(table) {}
  void ReadRow(int64_t row, float* out) const override {
    DequantiseRow(table_.type, table_.Row(row), table_.shape.Columns(), out);
  }

 private:
  const gguf::GgufFile file_;
  const ConstTensorView table_;  // into file_
};

class ProgramLoader final : public ShardLoader {
 public:
  ProgramLoader(std::unique_ptr<RunnerSource> source, ThreadPool* pool)
      : ShardLoader(kDevice, pool), source_(std::move(source)) {}

  std::string_view Computer() const override { return source_->Name(); }
  bool IsDevice() const override { return source_->IsDevice(); }

  Result<std::unique_ptr<LoadedLayerShard>> LoadLayers(
      std::span<const std::string> paths) override {
    HW_TRY(Programs programs, OpenPrograms(paths, source_.get()));
    return MakeLayers(std::move(programs));
  }

  Result<std::unique_ptr<LoadedHeadShard>> LoadHead(const HeadFiles& files) override {
    HW_TRY(Programs programs, OpenPrograms(files.paths, source_.get()));
    if (files.rows.empty()) return MakeHead(std::move(programs));
    const std::string& path = files.paths.front();
    const auto graph = GraphOf(programs.front()->package->model);
    if (!graph) return Prefixed(graph.error(), path);
    HW_TRY(std::unique_ptr<HostRows> rows, HostRows::Open(*graph, files.rows, files.embedding));
    if (rows->FirstRow() != files.first_row) {
      return BadProgram(path, fmt::format("expected rows from {} on, found those from {}",
                                          files.first_row, rows->FirstRow()));
    }
    return MakeScreenedHead(std::move(programs), std::move(rows), Pool());
  }

  Result<std::unique_ptr<RowTable>> LoadEmbedding(const std::string& path) override {
    HW_TRY(gguf::GgufFile file, gguf::GgufFile::Open(path));
    if (file.Tensors().size() != 1) {
      return BadProgram(
          path, fmt::format("expected one tensor, the embedding, found {}", file.Tensors().size()));
    }
    HW_TRY(const ConstTensorView table, file.GetTensor(std::string(file.Tensors().front().name)));
    if (table.shape.Rank() != 2) return BadProgram(path, "expected a matrix, found another shape");
    return std::make_unique<EmbeddingRows>(std::move(file), table);
  }

  bool CopiesIntoMemory(uint64_t /*bytes*/) const override { return false; }

 private:
  const std::unique_ptr<RunnerSource> source_;
};

Result<std::unique_ptr<ShardLoader>> MakeLoader(const LoaderOptions& options) {
  if (options.compute_units == kInterpreter) return MakeInterpretingLoader(options.pool);
  HW_TRY(std::unique_ptr<RunnerSource> native, NativeSource(options.compute_units));
  if (native == nullptr) return MakeInterpretingLoader(options.pool);
  return std::make_unique<ProgramLoader>(std::move(native), options.pool);
}

bool IsPackage(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::path(path) / "Manifest.json", error);
}

}  // namespace

std::unique_ptr<ShardLoader> MakeInterpretingLoader(ThreadPool* pool) {
  return std::make_unique<ProgramLoader>(InterpreterSource(pool, kKeptWeightBytes), pool);
}

const Device kDevice = {.traits = {.name = "coreml",
                                   .head_forms = kHeadForms,
                                   .computes_in_halves = true,
                                   .fixed_widths = true,
                                   .keeps_tied_embedding = true,
                                   .default_max_seq = kDefaultMaxSeq,
                                   .embedding_suffix = ".gguf",
                                   .shard_suffix = ".mlpackage"},
                        .new_emitter = NewEmitter,
                        .new_loader = MakeLoader,
                        .describe = Describe,
                        .is_package = IsPackage,
                        .open_stored = OpenStored};

}  // namespace headway::coreml
