#include "api/opened_model.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "api/package_cache.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/emitter.h"
#include "gguf/gguf_file.h"
#include "model/vocabulary.h"

namespace headway {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxThreads = 256;

std::string TopologyOf(const Manifest& manifest) {
  std::string text;
  for (const LayerShard& shard : manifest.layers) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", shard.start, shard.end);
  }
  return text;
}

ModelSummary Summarise(const OpenedModel& model) {
  const Manifest& manifest = model.pipeline->manifest();
  ModelSummary summary{.name = manifest.model.name,
                       .architecture = manifest.model.architecture,
                       .package_directory = model.pipeline->Directory(),
                       .device = manifest.device,
                       .instruction_set = std::string(model.kernels->kernels.name),
                       .head = model.pipeline->Head().kind,
                       .topology = TopologyOf(manifest),
                       .threads = model.pool->NumThreads(),
                       .context_tokens = manifest.model.max_position_embeddings,
                       .vocab_size = manifest.model.vocab_size,
                       .weight_bytes_per_token = 0};
  for (const auto& shard : model.pipeline->Layers())
    summary.weight_bytes_per_token += shard->WeightBytes();
  for (const auto& shard : model.pipeline->Head().shards)
    summary.weight_bytes_per_token += shard->WeightBytes();
  return summary;
}

cpu::LoadMode LoadModeOf(const EngineOptions& options) {
  switch (options.load) {
    case LoadWeights::kAuto:
      return cpu::LoadMode::kAuto;
    case LoadWeights::kMap:
      return cpu::LoadMode::kMap;
    case LoadWeights::kCopy:
      return cpu::LoadMode::kCopy;
  }
  return cpu::LoadMode::kAuto;
}

Result<std::unique_ptr<tokenizer::Tokenizer>> OpenTokenizer(const std::string& directory,
                                                            const Manifest& manifest) {
  const std::string path = (fs::path(directory) / manifest.tokenizer.path).string();
  HW_TRY(const gguf::GgufFile file, gguf::GgufFile::Open(path));
  HW_TRY(tokenizer::Vocabulary vocabulary, model::VocabularyFromGguf(file));
  HW_TRY(tokenizer::Tokenizer tokenizer, tokenizer::Tokenizer::Create(std::move(vocabulary)));
  return std::make_unique<tokenizer::Tokenizer>(std::move(tokenizer));
}

}  // namespace

Result<std::unique_ptr<Emitter>> MakeEmitterFor(const std::string& device) {
  if (device == "cpu") return cpu::MakeEmitter();
  return Fail(ErrorCode::kUnsupported,
              fmt::format("device '{}': not in this build (available: cpu)", device));
}

Result<std::unique_ptr<OpenedModel>> OpenModel(const std::string& path,
                                               const EngineOptions& options) {
  if (options.threads < 0 || options.threads > kMaxThreads) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("threads: expected 1 to {} (0: all processors), found {}", kMaxThreads,
                            options.threads));
  }
  std::error_code error;
  if (!fs::exists(path, error))
    return Fail(ErrorCode::kNotFound, fmt::format("{}: no such file or directory", path));
  auto model = std::make_unique<OpenedModel>();
  HW_TRY(kernels::SelectedKernels selected, kernels::SelectKernels(options.instruction_set));
  model->kernels = std::make_unique<kernels::SelectedKernels>(std::move(selected));
  std::string directory = path;
  if (!fs::is_directory(path, error)) {
    HW_TRY(directory, PackageFor(path, options));
  }
  model->pool =
      std::make_unique<ThreadPool>(options.threads == 0 ? DefaultThreads() : options.threads);
  model->backend =
      cpu::MakeCpuBackend(model->kernels.get(), model->pool.get(), LoadModeOf(options));
  HW_TRY(model->pipeline,
         Pipeline::Open(directory, model->backend.get(), options.head, options.verify_contents));
  HW_TRY(model->tokenizer, OpenTokenizer(directory, model->pipeline->manifest()));
  model->summary = Summarise(*model);
  return model;
}

}  // namespace headway
