#include "distributed/package_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "base/file_tree.h"
#include "headway/version.h"

namespace headway::distributed {

std::vector<std::string> Identity(const Manifest& manifest) {
  std::vector<std::string> lines = {
      fmt::format("headway {}", kVersion),
      fmt::format("{} of {} layers and {} tokens for the device {}, {} positions",
                  manifest.model.name, manifest.model.num_hidden_layers, manifest.model.vocab_size,
                  manifest.device, manifest.ContextTokens())};
  const auto add = [&lines](const FileEntry& file) {
    lines.push_back(fmt::format("{} with digest {}", file.path, file.digest));
  };
  for (const LayerShard& shard : manifest.layers) add(shard.file);
  for (const HeadSpec& head : manifest.heads) {
    lines.push_back("a head " + head.kind);
    for (const HeadShard& shard : head.shards) add(shard.file);
  }
  return lines;
}

std::string Difference(const std::vector<std::string>& expected,
                       const std::vector<std::string>& found) {
  const auto at = std::mismatch(expected.begin(), expected.end(), found.begin(), found.end());
  if (at.first == expected.end() && at.second == found.end()) return "";
  return fmt::format("expected {}, found {}", at.first == expected.end() ? "no more" : *at.first,
                     at.second == found.end() ? "no more" : *at.second);
}

std::vector<FileEntry> FilesOf(const Hosts& hosts, int rank, const Manifest& manifest,
                               const HeadSpec& head) {
  std::vector<FileEntry> files;
  const Slice layers = hosts.LayersOf(rank, manifest.layers.size());
  for (size_t i = layers.begin; i < layers.end; ++i) files.push_back(manifest.layers[i].file);
  const Slice shards = hosts.HeadOf(rank, head.shards.size());
  for (size_t i = shards.begin; i < shards.end; ++i) files.push_back(head.shards[i].file);
  if (head.planes && !shards.IsEmpty()) files.push_back(*head.planes);
  return files;
}

Result<void> CheckFiles(const std::string& directory, const std::vector<FileEntry>& files) {
  const std::atomic<bool> stop{false};
  for (const FileEntry& file : files) {
    HW_TRY_VOID(CheckTree((std::filesystem::path(directory) / file.path).string(),
                          {.bytes = file.bytes, .digest = file.digest, .blocks = file.blocks},
                          stop));
  }
  return {};
}

}  // namespace headway::distributed
