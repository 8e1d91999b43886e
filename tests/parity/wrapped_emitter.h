#pragma once

// Another emitter with something between it and the packer: tests override what they disturb.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "device/device.h"

namespace headway::parity {

class WrappedEmitter : public Emitter {
 public:
  explicit WrappedEmitter(std::unique_ptr<Emitter> emitter) : emitter_(std::move(emitter)) {}
  std::string_view Device() const override { return emitter_->Device(); }
  std::string Settings() const override { return emitter_->Settings(); }
  std::string Weights() const override { return emitter_->Weights(); }
  std::vector<std::string> HeadKinds() const override { return emitter_->HeadKinds(); }
  bool HasWidths() const override { return emitter_->HasWidths(); }
  int64_t DefaultMaxSeq() const override { return emitter_->DefaultMaxSeq(); }
  std::string_view EmbeddingSuffix() const override { return emitter_->EmbeddingSuffix(); }
  std::string_view ShardSuffix() const override { return emitter_->ShardSuffix(); }
  bool KeepsTiedEmbedding() const override { return emitter_->KeepsTiedEmbedding(); }
  bool ScreensOnDevice() const override { return emitter_->ScreensOnDevice(); }
  Result<FileEntry> Emit(const graph::Graph& shard, const WeightSource& weights,
                         const std::string& path, const ByteProgress& progress) override {
    return EmitFor({}, shard, weights, path, progress);
  }
  Result<FileEntry> EmitFor(const ShardUse& use, const graph::Graph& shard,
                            const WeightSource& weights, const std::string& path,
                            const ByteProgress& progress) override {
    return emitter_->EmitFor(use, shard, weights, path, progress);
  }
  Result<FileEntry> EmitScreen(const ShardUse& use, const graph::Graph& shard,
                               const lmhead::Planes& planes, const std::string& path) override {
    return emitter_->EmitScreen(use, shard, planes, path);
  }
  Result<FileEntry> EmitRows(const graph::Graph& head, const WeightSource& weights,
                             const FileEntry* embedding_or_null, const std::string& path) override {
    return emitter_->EmitRows(head, weights, embedding_or_null, path);
  }

 private:
  std::unique_ptr<Emitter> emitter_;
};

}  // namespace headway::parity
