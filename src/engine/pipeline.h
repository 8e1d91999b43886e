#pragma once

// An opened package: its manifest and its loaded shards. Immutable and shared by sessions.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "device/device.h"
#include "lmhead/planes.h"
#include "manifest/manifest.h"

namespace headway {

// One loaded head: the shards that together cover the vocabulary.
struct LoadedHead {
  std::string kind;
  std::vector<HeadShard> specs;
  std::vector<std::unique_ptr<LoadedHeadShard>> shards;
  std::optional<lmhead::Planes> planes = std::nullopt;  // certified and reduced heads
  // Reduced heads: rows computed first, and their ids in that order.
  std::unique_ptr<LoadedHeadShard> first = nullptr;
  std::vector<int32_t> first_ids = {};
};

// The head of that kind, or the first where `kind` is empty. Errors: kInvalidInput, naming those
// that there are.
Result<const HeadSpec*> ChooseHead(const Manifest& manifest, const std::string& kind,
                                   const std::string& directory);

class Pipeline {
 public:
  // Opens DIRECTORY with `loader`, which must outlive the pipeline. `head_kind` chooses among the
  // package's heads; empty takes the first. Errors: those of OpenManifest and ShardLoader;
  // kInvalidInput when the package is for another device or lacks the head (naming those it has).
  static Result<std::shared_ptr<Pipeline>> Open(const std::string& directory, ShardLoader* loader,
                                                const std::string& head_kind, bool verify_contents);

  const Manifest& manifest() const { return manifest_; }
  const ModelConfig& model() const { return manifest_.model; }
  const Device& device() const { return *device_; }
  const std::string& Directory() const { return directory_; }
  std::vector<std::unique_ptr<LoadedLayerShard>>& Layers() { return layers_; }
  const std::vector<std::unique_ptr<LoadedLayerShard>>& Layers() const { return layers_; }
  LoadedHead& Head() { return head_; }
  const LoadedHead& Head() const { return head_; }

  // Writes the embedding of token `id` as f32 [D].
  void EmbedToken(int32_t id, float* out) const;

 private:
  Pipeline() = default;

  const Device* device_ = nullptr;
  std::string directory_;
  Manifest manifest_;
  std::vector<std::unique_ptr<LoadedLayerShard>> layers_;
  std::unique_ptr<RowTable> embedding_;  // null: tied, read from the head's rows
  LoadedHead head_;
};

}  // namespace headway
