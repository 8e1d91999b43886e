#include "engine/integrity.h"

#include <filesystem>
#include <set>
#include <utility>

#include "base/exhaustion.h"

namespace headway {

IntegrityCheck::IntegrityCheck(const std::string& directory, const Manifest& manifest,
                               const HeadSpec& head, const Placement* placement_or_null) {
  std::set<std::string> once;  // heads share shards
  const auto add = [&](const FileEntry& file) {
    if (!once.insert(file.path).second) return;
    if (placement_or_null != nullptr && !placement_or_null->Reads(file)) return;
    files_.emplace_back(
        (std::filesystem::path(directory) / file.path).string(),
        TreeDigest{.bytes = file.bytes, .digest = file.digest, .blocks = file.blocks});
  };
  const auto add_all = [&add](const auto& shard) {
    add(shard.file);
    for (const FileEntry& file : shard.wider) add(file);
  };
  add(manifest.tokenizer);
  if (manifest.embedding) add(*manifest.embedding);
  for (const LayerShard& shard : manifest.layers) add_all(shard);
  for (const HeadShard& shard : head.shards) add_all(shard);
  if (head.planes) add(*head.planes);
  if (head.first) add(head.first->file);
  if (head.rows) add(*head.rows);
  if (auto started = StartThread("integrity", [this] { Read(); }); started) {
    thread_ = *std::move(started);
  } else {
    Read();
  }
}

IntegrityCheck::~IntegrityCheck() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void IntegrityCheck::Read() {
  for (const auto& file : files_) {
    if (stop_.load(std::memory_order_relaxed)) break;
    const Result<void> same =
        OrOutOfMemory(file.first, [&] { return CheckTree(file.first, file.second, stop_); });
    if (same) continue;
    error_ = same.error();
    failed_.store(true, std::memory_order_release);
    break;
  }
  done_.store(true, std::memory_order_release);
  done_.notify_all();
}

Result<void> IntegrityCheck::SoFar() const {
  if (!failed_.load(std::memory_order_acquire)) return {};
  return tl::unexpected<Error>(error_);
}

Result<void> IntegrityCheck::Wait() const {
  done_.wait(false, std::memory_order_acquire);
  return SoFar();
}

}  // namespace headway
