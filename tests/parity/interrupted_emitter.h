#pragma once

// An emitter that does something instead of a shard, and a count of those it made.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/devices.h"
#include "wrapped_emitter.h"

namespace headway::parity {

class InterruptedEmitter final : public WrappedEmitter {
 public:
  // `then` instead of shard `num_shards`, counted from 0.
  InterruptedEmitter(int num_shards, std::function<Result<FileEntry>()> then,
                     const std::string& device = "cpu")
      : WrappedEmitter(*MakeEmitterFor(device)), left_(num_shards), then_(std::move(then)) {}
  Result<FileEntry> Emit(const ShardUse& use, const graph::Graph& shard,
                         const WeightSource& weights, const std::string& path,
                         const ByteProgress& progress) override {
    if (made_ == left_) return then_();
    ++made_;
    return WrappedEmitter::Emit(use, shard, weights, path, progress);
  }
  Result<FileEntry> EmitScreen(const graph::Graph& shard, const lmhead::Planes& planes,
                               const std::vector<StepWidth>& widths,
                               const std::string& path) override {
    if (made_ == left_) return then_();
    ++made_;
    return WrappedEmitter::EmitScreen(shard, planes, widths, path);
  }
  int Made() const { return made_; }

 private:
  int left_;
  int made_ = 0;
  std::function<Result<FileEntry>()> then_;
};

}  // namespace headway::parity
