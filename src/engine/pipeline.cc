#include "engine/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace headway {
namespace {

// A shard of the right size may still hold another graph: what it takes and gives must be what the
// manifest says.
Result<void> CheckInterface(const LoadedShard& shard, const ShardInterface& expected,
                            const std::string& file) {
  const ShardInterface& found = shard.Interface();
  if (found.input_channels == expected.input_channels &&
      found.output_channels == expected.output_channels &&
      (found.rotary_dim == 0 || found.rotary_dim == expected.rotary_dim) &&
      found.rotary_tables <= expected.rotary_tables &&
      found.residual_scale == expected.residual_scale &&
      (found.max_positions == 0 || found.max_positions >= expected.max_positions)) {
    return {};
  }
  if (found.max_positions != 0 && found.max_positions < expected.max_positions) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: expected a shard for {} positions, found one for {}", file,
                            expected.max_positions, found.max_positions));
  }
  if (found.residual_scale != expected.residual_scale) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: expected a shard that holds hidden states times {}, as the "
                            "manifest says, found one times {}",
                            file, expected.residual_scale, found.residual_scale));
  }
  return Fail(
      ErrorCode::kCorrupt,
      fmt::format("{}: expected a shard from {} to {} channels with rotary width {} in {} tables, "
                  "found {} to {} with {} in {}",
                  file, expected.input_channels, expected.output_channels, expected.rotary_dim,
                  expected.rotary_tables, found.input_channels, found.output_channels,
                  found.rotary_dim, found.rotary_tables));
}

// The table that embeddings are read from; null: the device gives none.
Result<void> CheckRows(const RowTable* table, int64_t num_rows, int64_t columns,
                       const std::string& file) {
  if (table != nullptr && table->NumRows() >= num_rows && table->Columns() == columns) return {};
  return Fail(ErrorCode::kCorrupt,
              fmt::format("{}: expected {} rows of {} channels to read embeddings from, found {} "
                          "of {}",
                          file, num_rows, columns, table == nullptr ? 0 : table->NumRows(),
                          table == nullptr ? 0 : table->Columns()));
}

// The planes of a certified head, as the loader brings files into memory.
Result<lmhead::Planes> OpenPlanes(const std::string& path, const HeadSpec& head,
                                  const ModelConfig& model, const ShardLoader& loader) {
  std::error_code error;
  const uint64_t bytes = std::filesystem::file_size(path, error);
  HW_TRY(lmhead::Planes planes,
         lmhead::Planes::Open(path, RowsDigest(head), !error && loader.CopiesIntoMemory(bytes),
                              loader.Pool()));
  if (planes.NumRows() != model.vocab_size || planes.Shape().channels != model.hidden_size) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: expected planes of {} rows of {} channels, found {} of {}", path,
                            model.vocab_size, model.hidden_size, planes.NumRows(),
                            planes.Shape().channels));
  }
  return planes;
}

}  // namespace

Result<const HeadSpec*> ChooseHead(const Manifest& manifest, const std::string& kind,
                                   const std::string& directory) {
  if (kind.empty()) return &manifest.heads.front();
  std::string available;
  for (const HeadSpec& head : manifest.heads) {
    if (head.kind == kind) return &head;
    available += (available.empty() ? "" : ", ") + head.kind;
  }
  return Fail(
      ErrorCode::kInvalidInput,
      fmt::format("{}: expected a package with the head {}, found {}", directory, kind, available));
}

Result<std::shared_ptr<Pipeline>> Pipeline::Open(const std::string& directory, ShardLoader* loader,
                                                 const std::string& head_kind,
                                                 bool verify_contents) {
  std::shared_ptr<Pipeline> pipeline(new Pipeline);
  pipeline->directory_ = directory;
  pipeline->device_ = &loader->GetDevice();
  HW_TRY(pipeline->manifest_, OpenManifest(directory, verify_contents));
  const Manifest& manifest = pipeline->manifest_;
  if (const std::string_view name = loader->GetDevice().traits.name; manifest.device != name) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: expected a package for the device {}, found {}", directory, name,
                            manifest.device));
  }
  const auto path_of = [&](const FileEntry& file) {
    return (std::filesystem::path(directory) / file.path).string();
  };
  const auto paths_of = [&](const auto& shard) {
    std::vector<std::string> paths = {path_of(shard.file)};
    for (const FileEntry& file : shard.wider) paths.push_back(path_of(file));
    return paths;
  };
  const int64_t D = manifest.model.hidden_size;
  for (const LayerShard& shard : manifest.layers) {
    HW_TRY(auto layers, loader->LoadLayers(paths_of(shard)));
    HW_TRY_VOID(CheckInterface(*layers,
                               {.input_channels = D,
                                .output_channels = D,
                                .rotary_dim = manifest.model.rotary_dim,
                                .max_positions = manifest.ContextTokens(),
                                .rotary_tables = manifest.model.NumRotaryTables(),
                                .residual_scale = manifest.residual_scale},
                               shard.file.path));
    pipeline->layers_.push_back(std::move(layers));
  }
  HW_TRY(const HeadSpec* head, ChooseHead(manifest, head_kind, directory));
  LoadedHead& loaded = pipeline->head_;
  loaded.kind = head->kind;
  loaded.specs = head->shards;
  const std::string embedding = manifest.embedding ? path_of(*manifest.embedding) : "";
  const auto load_head = [&](std::span<const std::string> paths, int64_t first_row,
                             bool screened) -> Result<std::unique_ptr<LoadedHeadShard>> {
    if (!screened) return loader->LoadHead({.paths = paths});
    return loader->LoadHead({.paths = paths,
                             .rows = path_of(*head->rows),
                             .embedding = embedding,
                             .first_row = first_row});
  };
  for (const HeadShard& shard : head->shards) {
    HW_TRY(auto part, load_head(paths_of(shard), shard.vocab_start, head->rows.has_value()));
    const int64_t rows = shard.vocab_end - shard.vocab_start;
    const int64_t outputs = part->Interface().is_top1 ? 2 : rows;
    // Rows that are screened are multiplied by the host.
    HW_TRY_VOID(CheckInterface(*part,
                               {.input_channels = D,
                                .output_channels = outputs,
                                .residual_scale = head->rows ? 1.0F : manifest.residual_scale},
                               shard.file.path));
    if (!manifest.embedding) HW_TRY_VOID(CheckRows(part->Rows(), rows, D, shard.file.path));
    loaded.shards.push_back(std::move(part));
  }
  if (head->planes) {
    HW_TRY(loaded.planes, OpenPlanes(path_of(*head->planes), *head, manifest.model, *loader));
  }
  if (head->first) {
    const std::string path = path_of(head->first->file);
    HW_TRY(loaded.first, load_head({&path, 1}, 0, false));
    const auto rows = static_cast<int64_t>(head->first->ids.size());
    HW_TRY_VOID(CheckInterface(*loaded.first, {.input_channels = D, .output_channels = rows},
                               head->first->file.path));
    loaded.first_ids = head->first->ids;
  }
  if (manifest.embedding) {
    HW_TRY(pipeline->embedding_, loader->LoadEmbedding(embedding));
    HW_TRY_VOID(CheckRows(pipeline->embedding_.get(), manifest.model.vocab_size, D,
                          manifest.embedding->path));
  }
  return pipeline;
}

void Pipeline::EmbedToken(int32_t id, float* out) const {
  if (embedding_ != nullptr) {
    embedding_->ReadRow(id, out);
    return;
  }
  const auto after =
      std::upper_bound(head_.specs.begin(), head_.specs.end(), int64_t{id},
                       [](int64_t row, const HeadShard& shard) { return row < shard.vocab_start; });
  const auto index = static_cast<size_t>(after - head_.specs.begin()) - 1;
  head_.shards[index]->Rows()->ReadRow(id - head_.specs[index].vocab_start, out);
}

}  // namespace headway
