#pragma once

// A loaded shard of the LM head: hidden states in; logits of its rows, their maxima, or its best
// token out.

#include <cstddef>
#include <functional>
#include <span>

#include "device/loaded_shard.h"
#include "device/remote_head.h"
#include "device/row_table.h"

namespace headway {

class LoadedHeadShard;

// One shard of a head in a step that runs all of them.
struct HeadRun {
  LoadedHeadShard* shard = nullptr;
  StepArgs args;
};
// Told after each shard, in order, on the thread that called: for counters.
using HeadShardDone = std::function<void(size_t shard)>;

class LoadedHeadShard : public LoadedShard {
 public:
  // Runs all shards of the head that this is the first shard of, on the same input and scratch,
  // with the results and errors of Run() on each.
  virtual Result<void> RunHead(std::span<const HeadRun> runs, const HeadShardDone& done) noexcept {
    for (size_t i = 0; i < runs.size(); ++i) {
      HW_TRY_VOID(runs[i].shard->Run(runs[i].args));
      done(i);
    }
    return {};
  }
  // Null: all shards run in this process. Where there is one, RunHead() takes any of the shards.
  virtual RemoteHead* Remote() { return nullptr; }
  // Null: its rows come only all at once.
  virtual RowStrips* Strips() { return nullptr; }
  // Null: it is no program for signs.
  virtual SignScreen* Screen() { return nullptr; }
  // Null: the matrix is in the program alone.
  virtual const RowTable* Rows() const { return nullptr; }

 protected:
  using LoadedShard::LoadedShard;
};

}  // namespace headway
