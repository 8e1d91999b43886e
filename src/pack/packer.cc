#include "pack/packer.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/directory.h"
#include "base/file_writer.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "lmhead/build_planes.h"
#include "lmhead/planes.h"
#include "pack/pack_plan.h"

namespace headway::pack {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRowsFileName = "head_certified_rows.gguf";

// "_t4" of programs that do not serve one token alone.
std::string WidthSuffix(const std::vector<StepWidth>& widths) {
  if (widths == std::vector<StepWidth>{StepWidth{}}) return "";
  std::string suffix = "_t";
  for (const StepWidth& width : widths) {
    if (suffix.size() > 2) suffix += '_';
    suffix += fmt::format("{}{}", width.flexible ? "1to" : "", width.tokens);
  }
  return suffix;
}

}  // namespace

std::string TokensText(const std::vector<StepWidth>& widths) {
  std::string text;
  for (const StepWidth& width : widths) {
    text +=
        fmt::format("{}{}{}", text.empty() ? "" : ",", width.flexible ? "1.." : "", width.tokens);
  }
  return text;
}

Result<ConstTensorView> ShardPacker::Find(const std::string& weight) const {
  const std::atomic<bool>* const cancelled_or_null = options_.cancelled_or_null;
  if (cancelled_or_null != nullptr && cancelled_or_null->load(std::memory_order_relaxed)) {
    return Fail(ErrorCode::kCancelled, "interrupted while packing; nothing was written");
  }
  return file_.GetTensor(weight);
}

Result<FileEntry> ShardPacker::EmitUnlessDone(
    const std::string& name,
    const std::function<Result<FileEntry>(const std::string& path)>& write) {
  if (auto finished = construction_.journal.Finished(name)) return *std::move(finished);
  const fs::path path = fs::path(construction_.directory.Path()) / name;
  RemoveTree(path.string());  // finished once, damaged since: a directory would be in the way
  HW_TRY(FileEntry entry, write(path.string()));
  entry.path = name;
  // The source's pages will not be read again soon: keep the resident set small.
  file_.AdviseDone();
  HW_TRY_VOID(construction_.journal.Add(entry));
  return entry;
}

Result<FileEntry> ShardPacker::EmitWidths(const graph::Graph& shard, const std::string& name,
                                          std::optional<HeadForm> head) {
  return Emit(
      shard,
      {.head = head,
       .widths = options_.widths,
       .max_seq = plan_.max_seq,
       .embedding = plan_.own_embedding ? plan_.embedding.weights.front().name : ""},
      name + WidthSuffix(options_.widths) + std::string(emitter_->GetTraits().shard_suffix));
}

Result<FileEntry> ShardPacker::Emit(const graph::Graph& shard, const ShardUse& use,
                                    const std::string& name, std::span<const int32_t> head_rows) {
  const uint64_t after = done_bytes_ + static_cast<uint64_t>(graph::WeightBytes(shard));
  std::optional<GatheredRows> gathered;
  if (!head_rows.empty()) {
    HW_TRY(const ConstTensorView rows, file_.GetTensor(plan_.head_weight));
    gathered.emplace(rows, head_rows);
  }
  const WeightSource source = [&](const std::string& weight) -> Result<ConstTensorView> {
    HW_TRY(const ConstTensorView found, Find(weight));
    return gathered && weight == plan_.head_weight ? gathered->View() : found;
  };
  const ByteProgress progress = [&](uint64_t bytes) {
    done_bytes_ += bytes;
    progress_.Update(done_bytes_, name);
  };
  HW_TRY(FileEntry entry, EmitUnlessDone(name, [&](const std::string& path) -> Result<FileEntry> {
           HW_TRY(FileEntry written, emitter_->Emit(use, shard, source, path, progress));
           if (emitter_->GetTraits().fixed_widths &&
               name.ends_with(emitter_->GetTraits().shard_suffix))
             written.tokens = TokensText(use.widths);
           return written;
         }));
  done_bytes_ = after;
  return entry;
}

// The rows first, because the planes name them, and the planes before the programs made from them:
// whoever picks up a killed pack finds all three of one rotation.
Result<void> ShardPacker::EmitScreened(const PackPlan::PlannedHead& head, const Manifest& manifest,
                                       HeadSpec* spec) {
  const FileEntry* const embedding =
      plan_.model.tie_word_embeddings && manifest.embedding ? &*manifest.embedding : nullptr;
  HW_TRY(spec->rows, EmitUnlessDone(kRowsFileName, [&](const std::string& path) {
           return emitter_->Screens()->EmitRows(
               plan_.head, [this](const std::string& weight) { return Find(weight); }, embedding,
               path);
         }));
  const std::string& directory = construction_.directory.Path();
  HW_TRY(spec->planes,
         EmitUnlessDone(kPlanesFileName, [&](const std::string& /*path*/) -> Result<FileEntry> {
           HW_TRY(const ConstTensorView rows, Find(plan_.head_weight));
           return WritePlanes(rows, RowsDigest(*spec), std::nullopt, directory, options_);
         }));
  HW_TRY(const lmhead::Planes planes,
         lmhead::Planes::Open((fs::path(directory) / kPlanesFileName).string(), RowsDigest(*spec),
                              false, nullptr));
  for (const auto& [range, graph] : head.shards) {
    HeadShard shard{.shard_index = static_cast<int64_t>(spec->shards.size()),
                    .vocab_start = range.begin,
                    .vocab_end = range.end,
                    .file = {}};
    const graph::Graph& part = graph;
    const std::string name =
        fmt::format("head_certified_{:02}{}{}", shard.shard_index, WidthSuffix(options_.widths),
                    emitter_->GetTraits().shard_suffix);
    HW_TRY(shard.file, EmitUnlessDone(name, [&](const std::string& path) -> Result<FileEntry> {
             HW_TRY(FileEntry written,
                    emitter_->Screens()->EmitScreen(part, planes, options_.widths, path));
             written.tokens = TokensText(options_.widths);
             return written;
           }));
    done_bytes_ += static_cast<uint64_t>(graph::WeightBytes(part));
    progress_.Update(done_bytes_, name);
    spec->shards.push_back(std::move(shard));
  }
  return {};
}

Result<void> ShardPacker::EmitShards(Manifest* manifest) {
  if (plan_.own_embedding) {
    HW_TRY(manifest->embedding,
           Emit(plan_.embedding, {},
                fmt::format("embedding{}", emitter_->GetTraits().embedding_suffix)));
  }
  for (const auto& [range, graph] : plan_.layers) {
    HW_TRY(FileEntry file,
           EmitWidths(graph, fmt::format("layers_{:03}_{:03}", range.begin, range.end), {}));
    manifest->layers.push_back({.start = range.begin, .end = range.end, .file = std::move(file)});
  }
  for (const PackPlan::PlannedHead& head : plan_.heads) {
    HeadSpec spec{.kind = KindText(head.kind), .shards = {}};
    if (head.kind.HasPlanes() && emitter_->Screens() != nullptr) {
      HW_TRY_VOID(EmitScreened(head, *manifest, &spec));
      manifest->heads.push_back(std::move(spec));
      continue;
    }
    std::string prefix = spec.kind;
    std::replace(prefix.begin(), prefix.end(), ':', '_');
    for (const auto& [range, graph] : head.shards) {
      const auto index = static_cast<int64_t>(spec.shards.size());
      HW_TRY(FileEntry file,
             EmitWidths(graph, fmt::format("head_{}_{:02}", prefix, index), head.kind.form));
      spec.shards.push_back({.shard_index = index,
                             .vocab_start = range.begin,
                             .vocab_end = range.end,
                             .file = std::move(file)});
    }
    if (!head.first_ids.empty()) {
      HW_TRY(FileEntry first,
             Emit(head.first, {.head = head.kind.form, .max_seq = plan_.max_seq},
                  fmt::format("head_{}_first{}", prefix, emitter_->GetTraits().shard_suffix),
                  head.first_ids));
      spec.first = FirstRows{.file = std::move(first), .ids = head.first_ids};
    }
    manifest->heads.push_back(std::move(spec));
  }
  return {};
}

Result<FileEntry> WritePlanes(const ConstTensorView& rows, const std::string& rows_digest,
                              std::optional<std::vector<float>> directions,
                              const std::string& directory, const PackOptions& options) {
  lmhead::BuildOptions build{.seed = {},
                             .directions = std::move(directions),
                             .most_directions = options.most_directions,
                             .rows_digest = rows_digest,
                             .progress = nullptr,
                             .cancelled_or_null = options.cancelled_or_null};
  if (options.rotation_seed) {
    build.seed = lmhead::RotationSeed::FromNumber(*options.rotation_seed);
  } else {
    HW_TRY(build.seed, lmhead::RotationSeed::FromSystem());
  }
  const auto num_rows = static_cast<uint64_t>(rows.shape[0]);
  Progress progress("certified head", num_rows, options.show_progress, false, options.progress);
  build.progress = [&](int64_t done) { progress.Update(static_cast<uint64_t>(done), "rows"); };
  HW_TRY(const auto pool,
         ThreadPool::Start(options.threads == 0 ? DefaultThreads() : options.threads));
  HW_TRY(const AlignedBuffer bytes, lmhead::BuildPlanes(rows, build, pool.get()));
  progress.Update(num_rows, "rows");  // whoever encoded the last ones did not say so
  const std::string path = (std::filesystem::path(directory) / kPlanesFileName).string();
  HW_TRY(FileWriter writer, FileWriter::Create(path));
  HW_TRY_VOID(writer.Write(std::span<const std::byte>(bytes.data(), bytes.SizeBytes())));
  FileEntry entry{.path = kPlanesFileName,
                  .bytes = writer.SizeBytes(),
                  .digest = writer.DigestHex(),
                  .blocks = writer.BlockDigestsHex()};
  HW_TRY_VOID(writer.Close());
  return entry;
}

}  // namespace headway::pack
