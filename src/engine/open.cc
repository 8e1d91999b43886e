#include "engine/open.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "engine/devices.h"
#include "gguf/gguf_file.h"
#include "graph/cut.h"
#include "manifest/head_kind.h"
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

// "auto: forecast 0.17 of the bytes"; empty: the head was named.
std::string HeadChoice(const Manifest& manifest, const std::string& head) {
  if (!manifest.auto_head || manifest.heads.front().kind != head) return "";
  if (!manifest.auto_head->forecast) return "auto: no certified head could pay";
  return fmt::format("auto: forecast {:.2f} of the bytes", *manifest.auto_head->forecast);
}

ModelSummary Summarise(const OpenedModel& model) {
  const Manifest& manifest = model.pipeline->manifest();
  ModelSummary summary{.name = manifest.model.name,
                       .architecture = manifest.model.architecture,
                       .package_directory = model.pipeline->Directory(),
                       .device = manifest.device,
                       .instruction_set = model.loader->Computer().empty()
                                              ? std::string(model.kernels->kernels.name)
                                              : std::string(model.loader->Computer()),
                       .head = model.pipeline->Head().kind,
                       .head_choice = HeadChoice(manifest, model.pipeline->Head().kind),
                       .topology = TopologyOf(manifest),
                       .threads = model.pool->NumThreads(),
                       .context_tokens = manifest.ContextTokens(),
                       .vocab_size = manifest.model.vocab_size,
                       .weight_bytes_per_token = 0,
                       .chat_format = "",
                       .is_interpreted = !model.loader->IsDevice()};
  if (*model.chat) summary.chat_format = (*model.chat)->FormatName();
  for (const auto& shard : model.pipeline->Layers())
    summary.weight_bytes_per_token += shard->WeightBytes();
  for (const auto& shard : model.pipeline->Head().shards)
    summary.weight_bytes_per_token += shard->WeightBytes();
  return summary;
}

Result<std::unique_ptr<tokenizer::Tokenizer>> ReadTokenizer(const std::string& gguf_path) {
  HW_TRY(const gguf::GgufFile file, gguf::GgufFile::Open(gguf_path));
  HW_TRY(tokenizer::Vocabulary vocabulary, model::VocabularyFromGguf(file));
  HW_TRY(tokenizer::Tokenizer tokenizer, tokenizer::Tokenizer::Create(std::move(vocabulary)));
  return std::make_unique<tokenizer::Tokenizer>(std::move(tokenizer));
}

Result<std::unique_ptr<tokenizer::Tokenizer>> OpenTokenizer(const std::string& directory,
                                                            const Manifest& manifest) {
  return ReadTokenizer((fs::path(directory) / manifest.tokenizer.path).string());
}

// A package's topology was fixed when it was made: asking for another one is a mistake to report,
// not to ignore.
Result<void> CheckTopology(const std::string& directory, const Manifest& manifest,
                           const std::string& asked) {
  HW_TRY(const auto ranges, graph::ParseTopology(asked, manifest.model.num_hidden_layers));
  if (graph::TopologyText(ranges) == TopologyOf(manifest)) return {};
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("{}: expected a package with the topology {}, found {}; pack the GGUF "
                          "again with --topology {}",
                          directory, graph::TopologyText(ranges), TopologyOf(manifest), asked));
}

Result<void> CheckSameVocabulary(const std::string& draft_path, const tokenizer::Tokenizer& draft,
                                 const tokenizer::Tokenizer& expected) {
  if (draft.DigestHex() == expected.DigestHex()) return {};
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("draft model {}: expected the model's own vocabulary ({} tokens, digest "
                          "{}), found another one ({} tokens, digest {})",
                          draft_path, expected.VocabSize(), expected.DigestHex().substr(0, 8),
                          draft.VocabSize(), draft.DigestHex().substr(0, 8)));
}

}  // namespace

Result<void> CheckDraftFile(const std::string& gguf_path, const OpenedModel& model) {
  HW_TRY(const auto tokenizer, ReadTokenizer(gguf_path));
  return CheckSameVocabulary(gguf_path, *tokenizer, *model.tokenizer);
}

Result<void> OpenDraftModel(const std::string& directory, const std::string& path,
                            bool verify_contents, OpenedModel* model) {
  DraftModel draft{.integrity = nullptr, .pipeline = nullptr, .executor = nullptr, .path = path};
  HW_TRY(draft.pipeline, Pipeline::Open(directory, model->loader.get(), "", verify_contents));
  HW_TRY(const auto tokenizer, OpenTokenizer(directory, draft.pipeline->manifest()));
  HW_TRY_VOID(CheckSameVocabulary(path, *tokenizer, *model->tokenizer));
  const int64_t expected = model->pipeline->model().vocab_size;
  const int64_t found = draft.pipeline->model().vocab_size;
  if (found != expected) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("draft model {}: expected a head of {} rows, found {}", path, expected, found));
  }
  HW_TRY(draft.executor,
         Executor::Create(draft.pipeline, model->pool.get(), model->kernels->kernels));
  if (!verify_contents) {
    const Manifest& manifest = draft.pipeline->manifest();
    draft.integrity = std::make_unique<IntegrityCheck>(
        directory, manifest, *FindHead(manifest, draft.pipeline->Head().kind));
  }
  model->draft = std::move(draft);
  return {};
}

Result<void> CheckThreads(int threads) {
  if (threads >= 0 && threads <= kMaxThreads) return {};
  return Fail(
      ErrorCode::kInvalidInput,
      fmt::format("threads: expected 1 to {} (0: all processors), found {}", kMaxThreads, threads));
}

Result<void> CheckIntegrity(const OpenedModel& model, bool wait) {
  for (const IntegrityCheck* check :
       {model.integrity.get(), model.draft ? model.draft->integrity.get() : nullptr}) {
    if (check != nullptr) HW_TRY_VOID(wait ? check->Wait() : check->SoFar());
  }
  return {};
}

Result<std::unique_ptr<OpenedModel>> OpenPackage(const std::string& directory,
                                                 const EngineOptions& options, Contents contents) {
  HW_TRY_VOID(CheckThreads(options.threads));
  std::error_code error;
  if (!fs::exists(directory, error))
    return Fail(ErrorCode::kNotFound, fmt::format("{}: no such file or directory", directory));
  auto model = std::make_unique<OpenedModel>();
  HW_TRY(const kernels::SelectedKernels selected, kernels::SelectKernels(options.instruction_set));
  model->kernels = std::make_unique<kernels::SelectedKernels>(selected);
  HW_TRY(model->pool, ThreadPool::Start(options.threads == 0 ? DefaultThreads() : options.threads));
  HW_TRY(const Manifest manifest, OpenManifest(directory, false));
  HW_TRY(const Device* const device, FindDevice(manifest.device));
  // "full" stands for "full:1"; a package may hold kinds that this version cannot make, named as
  // they are.
  const std::string head =
      options.head == kAutoHead ? "" : CanonicalHeadKind(options.head).value_or(options.head);
  model->placement = options.placement;
  const LoaderOptions loading{.pool = model->pool.get(),
                              .kernels = model->kernels.get(),
                              .load = options.load,
                              .compute_units = options.compute_units};
  if (model->placement == nullptr) {
    HW_TRY(model->loader, device->new_loader(loading));
  } else {
    HW_TRY(const HeadSpec* const placed, ChooseHead(manifest, head, directory));
    HW_TRY(model->loader,
           model->placement->NewLoader(*device, loading, directory, manifest, *placed));
  }
  HW_TRY(model->pipeline,
         Pipeline::Open(directory, model->loader.get(), head, options.verify_contents));
  if (!options.topology.empty()) {
    HW_TRY_VOID(CheckTopology(directory, model->pipeline->manifest(), options.topology));
  }
  HW_TRY(model->executor,
         Executor::Create(model->pipeline, model->pool.get(), model->kernels->kernels));
  HW_TRY(model->tokenizer, OpenTokenizer(directory, model->pipeline->manifest()));
  model->chat =
      std::make_unique<Result<chat::ChatTemplate>>(chat::ChatTemplate::Create(*model->tokenizer));
  if (*model->chat) {
    if (const auto end = (*model->chat)->EndOfAnswer(*model->tokenizer))
      model->tokenizer->AddEndOfGeneration(*end);
  }
  model->summary = Summarise(*model);
  if (contents == Contents::kCheck && !options.verify_contents) {
    const Manifest& opened = model->pipeline->manifest();
    model->integrity = std::make_unique<IntegrityCheck>(
        directory, opened, *FindHead(opened, model->pipeline->Head().kind), model->placement.get());
  }
  return model;
}

}  // namespace headway
