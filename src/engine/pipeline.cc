#include "engine/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace headway {
namespace {

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

// A shard of the right size may still hold another graph: what it takes and gives must be what the
// manifest says.
Result<void> CheckInterface(const Executable& shard, const ShardInterface& expected,
                            const std::string& file) {
  const ShardInterface found = shard.Interface();
  if (found.input_channels == expected.input_channels &&
      found.output_channels == expected.output_channels &&
      (found.rotary_dim == 0 || found.rotary_dim == expected.rotary_dim) &&
      found.matrix_rows >= expected.matrix_rows &&
      (found.max_positions == 0 || found.max_positions >= expected.max_positions)) {
    return {};
  }
  if (found.max_positions != 0 && found.max_positions < expected.max_positions) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: expected a shard for {} positions, found one for {}", file,
                            expected.max_positions, found.max_positions));
  }
  return Fail(
      ErrorCode::kCorrupt,
      fmt::format("{}: expected a shard from {} to {} channels with rotary width {}, found {} to "
                  "{} with {}",
                  file, expected.input_channels, expected.output_channels, expected.rotary_dim,
                  found.input_channels, found.output_channels, found.rotary_dim));
}

}  // namespace

Result<std::shared_ptr<Pipeline>> Pipeline::Open(const std::string& directory, Backend* backend,
                                                 const std::string& head_kind,
                                                 bool verify_contents) {
  std::shared_ptr<Pipeline> pipeline(new Pipeline);
  pipeline->directory_ = directory;
  HW_TRY(pipeline->manifest_, OpenManifest(directory, verify_contents));
  const Manifest& manifest = pipeline->manifest_;
  if (manifest.device != backend->Device()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: expected a package for the device {}, found {}", directory,
                            backend->Device(), manifest.device));
  }
  const auto path_of = [&](const FileEntry& file) {
    return (std::filesystem::path(directory) / file.path).string();
  };
  const auto paths_of = [&](const auto& shard) {
    std::vector<std::string> paths = {path_of(shard.file)};
    for (const FileEntry& file : shard.wider) paths.push_back(path_of(file));
    return paths;
  };
  const auto load = [&](const auto& shard) { return backend->LoadWidths(paths_of(shard)); };
  const int64_t D = manifest.model.hidden_size;
  for (const LayerShard& shard : manifest.layers) {
    HW_TRY(auto executable, load(shard));
    HW_TRY_VOID(CheckInterface(*executable,
                               {.input_channels = D,
                                .output_channels = D,
                                .rotary_dim = manifest.model.rotary_dim,
                                .max_positions = manifest.ContextTokens()},
                               shard.file.path));
    pipeline->layers_.push_back(std::move(executable));
  }
  HW_TRY(const HeadSpec* head, ChooseHead(manifest, head_kind, directory));
  pipeline->head_.kind = head->kind;
  pipeline->head_.specs = head->shards;
  const std::string embedding = manifest.embedding ? path_of(*manifest.embedding) : "";
  const auto load_head = [&](const HeadShard& shard) {
    if (!head->rows) return load(shard);
    return backend->LoadScreened(paths_of(shard), path_of(*head->rows), embedding,
                                 shard.vocab_start);
  };
  for (const HeadShard& shard : head->shards) {
    HW_TRY(auto executable, load_head(shard));
    const int64_t rows = shard.vocab_end - shard.vocab_start;
    const int64_t outputs = executable->Interface().is_top1 ? 2 : rows;
    HW_TRY_VOID(CheckInterface(*executable, {D, outputs, 0, manifest.embedding ? 0 : rows},
                               shard.file.path));
    pipeline->head_.shards.push_back(std::move(executable));
  }
  if (head->planes) {
    const std::string path = (std::filesystem::path(directory) / head->planes->path).string();
    HW_TRY(lmhead::Planes planes, backend->LoadPlanes(path, RowsDigest(*head)));
    if (planes.NumRows() != manifest.model.vocab_size || planes.Shape().channels != D) {
      return Fail(
          ErrorCode::kCorrupt,
          fmt::format("{}: expected planes of {} rows of {} channels, found {} of {}", path,
                      manifest.model.vocab_size, D, planes.NumRows(), planes.Shape().channels));
    }
    pipeline->head_.planes = std::move(planes);
  }
  if (head->first) {
    const auto rows = static_cast<int64_t>(head->first->ids.size());
    HW_TRY(pipeline->head_.first, backend->Load(path_of(head->first->file)));
    HW_TRY_VOID(CheckInterface(*pipeline->head_.first, {D, rows, 0, 0}, head->first->file.path));
    pipeline->head_.first_ids = head->first->ids;
  }
  if (manifest.embedding) {
    HW_TRY(pipeline->embedding_, backend->Load(path_of(*manifest.embedding)));
    HW_TRY_VOID(CheckInterface(*pipeline->embedding_, {0, D, 0, manifest.model.vocab_size},
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
  head_.shards[index]->ReadRow(id - head_.specs[index].vocab_start, out);
}

}  // namespace headway
