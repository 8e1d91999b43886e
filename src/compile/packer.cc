#include "compile/packer.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>

#include "compile/first_rows.h"

namespace headway::compile {
namespace {

namespace fs = std::filesystem;

// The first file is the shard's own, the others serve other widths.
template <class Shard>
void Assign(std::vector<FileEntry> files, Shard* shard) {
  shard->file = std::move(files.front());
  shard->wider.assign(std::make_move_iterator(files.begin() + 1),
                      std::make_move_iterator(files.end()));
}

}  // namespace

std::string TokensText(const StepWidth& width) {
  return fmt::format("{}{}", width.flexible ? "1.." : "", width.tokens);
}

Result<std::vector<FileEntry>> Packer::EmitWidths(const graph::Graph& shard,
                                                  const std::string& name,
                                                  const std::string& head_kind) {
  std::vector<FileEntry> files;
  for (const StepWidth& width : options_.widths) {
    const std::string suffix =
        width == StepWidth{} ? ""
                             : fmt::format("_t{}{}", width.flexible ? "1to" : "", width.tokens);
    HW_TRY(FileEntry file,
           Emit(shard, {.head_kind = head_kind, .width = width, .max_seq = plan_.max_seq},
                fmt::format("{}{}{}", name, suffix, emitter_->ShardSuffix())));
    files.push_back(std::move(file));
  }
  return files;
}

Result<FileEntry> Packer::Emit(const graph::Graph& shard, const ShardUse& use,
                               const std::string& name, std::span<const int32_t> head_rows) {
  const auto total = static_cast<uint64_t>(graph::WeightBytes(shard));
  const uint64_t before = done_bytes_;
  if (auto finished = construction_.journal.Finished(name)) {
    done_bytes_ = before + total;
    return *std::move(finished);
  }
  const std::atomic<bool>* const cancelled_or_null = options_.cancelled_or_null;
  std::optional<GatheredRows> gathered;
  if (!head_rows.empty()) {
    HW_TRY(const ConstTensorView rows, file_.GetTensor(plan_.head_weight));
    gathered.emplace(rows, head_rows);
  }
  const WeightSource source = [&](const std::string& weight) -> Result<ConstTensorView> {
    if (cancelled_or_null != nullptr && cancelled_or_null->load(std::memory_order_relaxed)) {
      return Fail(ErrorCode::kCancelled, "interrupted while packing; nothing was written");
    }
    if (gathered && weight == plan_.head_weight) return gathered->View();
    return file_.GetTensor(weight);
  };
  const ByteProgress progress = [&](uint64_t bytes) {
    done_bytes_ += bytes;
    progress_.Update(done_bytes_, name);
  };
  const std::string path = (fs::path(construction_.directory.Path()) / name).string();
  HW_TRY(FileEntry entry, emitter_->EmitFor(use, shard, source, path, progress));
  done_bytes_ = before + total;
  entry.path = name;
  if (emitter_->HasWidths() && name.ends_with(emitter_->ShardSuffix()))
    entry.tokens = TokensText(use.width);
  // The shard's source pages will not be read again soon: keep the resident set small.
  file_.Mapping().AdviseDone(0, file_.Mapping().Bytes().size());
  HW_TRY_VOID(construction_.journal.Add(entry));
  return entry;
}

Result<void> Packer::EmitShards(Manifest* manifest) {
  if (plan_.own_embedding) {
    HW_TRY(manifest->embedding,
           Emit(plan_.embedding, {}, fmt::format("embedding{}", emitter_->EmbeddingSuffix())));
  }
  for (const auto& [range, graph] : plan_.layers) {
    HW_TRY(std::vector<FileEntry> files,
           EmitWidths(graph, fmt::format("layers_{:03}_{:03}", range.begin, range.end), ""));
    LayerShard shard{.start = range.begin, .end = range.end, .file = {}};
    Assign(std::move(files), &shard);
    manifest->layers.push_back(std::move(shard));
  }
  for (const PackPlan::Head& head : plan_.heads) {
    HeadSpec spec{.kind = head.kind, .shards = {}};
    std::string prefix = head.kind;
    std::replace(prefix.begin(), prefix.end(), ':', '_');
    const std::string kind = head.kind.substr(0, head.kind.find(':'));
    for (const auto& [range, graph] : head.shards) {
      const auto index = static_cast<int64_t>(spec.shards.size());
      HW_TRY(std::vector<FileEntry> files,
             EmitWidths(graph, fmt::format("head_{}_{:02}", prefix, index), kind));
      HeadShard shard{
          .shard_index = index, .vocab_start = range.begin, .vocab_end = range.end, .file = {}};
      Assign(std::move(files), &shard);
      spec.shards.push_back(std::move(shard));
    }
    if (!head.first_ids.empty()) {
      HW_TRY(FileEntry first,
             Emit(head.first, {.head_kind = kind, .width = {}, .max_seq = plan_.max_seq},
                  fmt::format("head_{}_first{}", prefix, emitter_->ShardSuffix()), head.first_ids));
      spec.first = FirstRows{.file = std::move(first), .ids = head.first_ids};
    }
    manifest->heads.push_back(std::move(spec));
  }
  return {};
}

}  // namespace headway::compile
