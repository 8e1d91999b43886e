#include "engine/stored_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "engine/devices.h"

namespace headway {
namespace {

// Consecutive rows of one weight in one shard.
struct StoredRange {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t columns = 0;
  size_t shard = 0;
};

class RowsByWeight {
 public:
  void Add(StoredShard shard) {
    for (const graph::Weight& weight : shard.graph.weights) {
      ranges_[weight.name].push_back({.begin = weight.row_begin,
                                      .end = weight.row_begin + weight.shape.Rows(),
                                      .columns = weight.shape.Columns(),
                                      .shard = shards_.size()});
    }
    shards_.push_back(std::move(shard));
  }

  Result<void> Read(const std::string& name, int64_t row, int64_t num_rows,
                    std::span<float> out) const {
    const auto found = ranges_.find(name);
    while (num_rows > 0) {
      const StoredRange* range = nullptr;
      if (found != ranges_.end()) {
        const auto at =
            std::find_if(found->second.begin(), found->second.end(),
                         [row](const StoredRange& r) { return row >= r.begin && row < r.end; });
        if (at != found->second.end()) range = &*at;
      }
      if (range == nullptr) {
        return Fail(
            ErrorCode::kCorrupt,
            fmt::format("weight '{}': expected a shard with row {}, found none", name, row));
      }
      const int64_t count = std::min(num_rows, range->end - row);
      const auto width = static_cast<size_t>(count * range->columns);
      HW_TRY_VOID(shards_[range->shard].weights(name, row, count, out.first(width)));
      out = out.subspan(width);
      row += count;
      num_rows -= count;
    }
    return {};
  }

 private:
  std::vector<StoredShard> shards_;
  std::map<std::string, std::vector<StoredRange>> ranges_;
};

std::string PathOf(const std::string& directory, const FileEntry& file) {
  return (std::filesystem::path(directory) / file.path).string();
}

}  // namespace

Result<StoredShard> OpenStoredHead(const Device& device, const std::string& directory,
                                   const Manifest& manifest, const HeadSpec& head,
                                   const HeadShard& shard) {
  const std::string path = PathOf(directory, shard.file);
  if (!head.rows) return device.open_stored(path, "", "");
  const std::string embedding =
      manifest.embedding ? PathOf(directory, *manifest.embedding) : std::string();
  return device.open_stored(path, PathOf(directory, *head.rows), embedding);
}

Result<oracle::WeightReader> OpenStoredWeights(const std::string& directory,
                                               const Manifest& manifest) {
  HW_TRY(const Device* const device, FindDevice(manifest.device));
  if (!device->StoresOwnRows()) return oracle::WeightReader();
  const auto weights = std::make_shared<RowsByWeight>();
  for (const LayerShard& shard : manifest.layers) {
    HW_TRY(auto stored, device->open_stored(PathOf(directory, shard.file), "", ""));
    weights->Add(std::move(stored));
  }
  const HeadSpec& head = manifest.heads.front();
  for (const HeadShard& shard : head.shards) {
    HW_TRY(auto stored, OpenStoredHead(*device, directory, manifest, head, shard));
    weights->Add(std::move(stored));
  }
  return oracle::WeightReader(
      [weights](const std::string& name, int64_t row, int64_t num_rows, std::span<float> out) {
        return weights->Read(name, row, num_rows, out);
      });
}

}  // namespace headway
