#pragma once

// Loads the shards of a package that stand in this process, and stand-ins for the others. Files that
// are none of its shards (a draft model's, say) are loaded as ever. Used by Cluster.

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "device/device.h"
#include "distributed/remote_head.h"
#include "distributed/remote_layers.h"

namespace headway::distributed {

// By path, the place of each shard in its list.
struct ShardPaths {
  std::map<std::string, size_t> layers = {};
  std::map<std::string, size_t> head = {};
};

class PlacedLoader final : public ShardLoader {
 public:
  // `lazy` loads what another rank runs. `group`: null where all of the head is here. Both must
  // outlive the loader and everything it loads.
  PlacedLoader(std::unique_ptr<ShardLoader> own, std::unique_ptr<ShardLoader> lazy,
               ShardPaths paths, LayerRing* ring, HeadGroup* group)
      : ShardLoader(own->GetDevice(), own->Pool()),
        own_(std::move(own)),
        lazy_(std::move(lazy)),
        paths_(std::move(paths)),
        ring_(*ring),
        group_(group) {}

  std::string_view Computer() const override { return own_->Computer(); }
  bool IsDevice() const override { return own_->IsDevice(); }

  Result<std::unique_ptr<LoadedLayerShard>> LoadLayers(
      std::span<const std::string> paths) override {
    const auto found = paths_.layers.find(paths.front());
    if (found == paths_.layers.end()) return own_->LoadLayers(paths);
    HW_TRY(auto here, (ring_.IsOwn(found->second) ? own_ : lazy_)->LoadLayers(paths));
    return std::make_unique<PlacedLayers>(found->second, std::move(here), &ring_);
  }

  // What rank 0 runs of a divided head, its HeadPart has loaded.
  Result<std::unique_ptr<LoadedHeadShard>> LoadHead(const HeadFiles& files) override {
    const auto found = paths_.head.find(files.paths.front());
    if (found == paths_.head.end() || group_ == nullptr) return own_->LoadHead(files);
    HW_TRY(auto here, lazy_->LoadHead(files));
    return std::make_unique<PlacedHead>(found->second, std::move(here), group_);
  }

  Result<std::unique_ptr<RowTable>> LoadEmbedding(const std::string& path) override {
    return own_->LoadEmbedding(path);
  }
  // Planes, of which every rank reads a part.
  bool CopiesIntoMemory(uint64_t bytes) const override {
    return group_ == nullptr && own_->CopiesIntoMemory(bytes);
  }

 private:
  const std::unique_ptr<ShardLoader> own_;
  const std::unique_ptr<ShardLoader> lazy_;
  const ShardPaths paths_;
  LayerRing& ring_;
  HeadGroup* const group_;
};

}  // namespace headway::distributed
