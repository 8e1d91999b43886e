#pragma once

// Which rank has which part of a model: `--hosts layers:2,head:4`. Ranks count from 0; rank 0 drives
// all others and has the first layers. Layers stand on the first ranks, the head on the last ones,
// so that 2 + 4 parts fill from 4 ranks (the head's ranks have layers, too) to 6.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headway::distributed {

// Items [begin, end) of a list.
struct Slice {
  size_t begin = 0;
  size_t end = 0;
  bool Has(size_t i) const { return i >= begin && i < end; }
  bool IsEmpty() const { return begin >= end; }
};

class Hosts {
 public:
  // Errors: kInvalidInput (not layers:L,head:H; a number of ranks that does not fit them).
  static Result<Hosts> Parse(std::string_view text, int num_ranks);

  int NumRanks() const { return num_ranks_; }
  int LayerParts() const { return layers_; }
  int HeadParts() const { return head_; }

  int RankOfLayers(int part) const { return part; }
  int RankOfHead(int part) const { return num_ranks_ - head_ + part; }
  bool HasLayers(int rank) const { return rank < layers_; }
  bool HasHead(int rank) const { return rank >= num_ranks_ - head_; }
  std::vector<int> HeadRanks() const;

  // Of `num_shards` shards, whole ones, those that a rank runs.
  Slice LayersOf(int rank, size_t num_shards) const;
  Slice HeadOf(int rank, size_t num_shards) const;
  // That every part has a shard. Errors: kInvalidInput.
  Result<void> CheckShards(size_t num_layer_shards, size_t num_head_shards) const;

  // "rank 3 (layers 4 of 4, head 1 of 2)"
  std::string NameOf(int rank) const;

 private:
  Hosts(int num_ranks, int layers, int head)
      : num_ranks_(num_ranks), layers_(layers), head_(head) {}

  int num_ranks_;
  int layers_;
  int head_;
};

}  // namespace headway::distributed
