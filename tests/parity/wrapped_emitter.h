#pragma once

// Another emitter with something between it and the packer: tests override what they disturb.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "device/emitter.h"

namespace headway::parity {

class WrappedEmitter : public Emitter, public ScreenEmitter {
 public:
  explicit WrappedEmitter(std::unique_ptr<Emitter> emitter)
      : Emitter(emitter->GetTraits()), emitter_(std::move(emitter)) {}
  std::string Settings() const override { return emitter_->Settings(); }
  std::string Weights() const override { return emitter_->Weights(); }
  void Learn(const graph::ValueRanges& ranges) override { emitter_->Learn(ranges); }
  float ResidualScale() const override { return emitter_->ResidualScale(); }
  Result<FileEntry> Emit(const ShardUse& use, const graph::Graph& shard,
                         const WeightSource& weights, const std::string& path,
                         const ByteProgress& progress) override {
    return emitter_->Emit(use, shard, weights, path, progress);
  }
  ScreenEmitter* Screens() override { return emitter_->Screens() == nullptr ? nullptr : this; }
  Result<FileEntry> EmitScreen(const graph::Graph& shard, const lmhead::Planes& planes,
                               const std::vector<StepWidth>& widths,
                               const std::string& path) override {
    return emitter_->Screens()->EmitScreen(shard, planes, widths, path);
  }
  Result<FileEntry> EmitRows(const graph::Graph& head, const WeightSource& weights,
                             const FileEntry* embedding_or_null, const std::string& path) override {
    return emitter_->Screens()->EmitRows(head, weights, embedding_or_null, path);
  }

 private:
  std::unique_ptr<Emitter> emitter_;
};

}  // namespace headway::parity
