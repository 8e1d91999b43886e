#pragma once

// The keys and values that a package's layers keep of one conversation, and how many positions they
// hold.

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/pipeline.h"

namespace headway {

class SequenceCache {
 public:
  // The same state for every shard, which must be able to store its form of keys and values.
  // `pipeline` must outlive this object.
  SequenceCache(Pipeline* pipeline, const StateOptions& options);

  int64_t KvBytes() const;
  // What shard `shard` keeps.
  ShardState* Of(size_t shard) const { return states_[shard].get(); }

  // Positions whose keys and values are there.
  int64_t NumCached() const { return cached_; }
  // A step stored those of the next `num_tokens` positions.
  void Extend(int64_t num_tokens) { cached_ += num_tokens; }
  // Forgets what is cached from position `num_tokens` on.
  void KeepCached(int64_t num_tokens);
  // Becomes the first `num_tokens` positions of `other`, a cache of the same pipeline and form of
  // keys and values that has as many.
  void ShareFrom(const SequenceCache& other, int64_t num_tokens);

  // The rotary factors that the cache is built with.
  bool HasLongFactors() const { return long_factors_; }
  // Whether sequences of `length` tokens use them.
  bool FactorsFit(int64_t length) const;
  // Takes the factors of such sequences. True when the cache had to be forgotten because its keys
  // were rotated with the others.
  bool ChooseFactors(int64_t length);

  // For benchmarks: made-up keys and values of `num_tokens` positions, for sequences of one more.
  void FillWithMadeUpKeys(int64_t num_tokens);

 private:
  Pipeline* const pipeline_;
  std::vector<std::unique_ptr<ShardState>> states_;
  int64_t cached_ = 0;
  bool long_factors_ = false;
};

}  // namespace headway
