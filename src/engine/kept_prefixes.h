#pragma once

// Conversations that ended, kept for those that begin alike: their keys and values need not be
// computed again. The least recently used go first.

#include <cstdint>
#include <list>
#include <memory>
#include <span>

#include "engine/sequence.h"

namespace headway {

// Tokens at the beginning of both.
int64_t CommonTokens(std::span<const int32_t> a, std::span<const int32_t> b);

class KeptPrefixes {
 public:
  // Takes a sequence in, and drops those that say no more than it does.
  void Add(std::unique_ptr<Sequence> sequence);

  // The one that has most of the beginning of `tokens`, stored as `kv`, and how many it has; null
  // and 0: none. Counts as used.
  std::pair<const Sequence*, int64_t> Find(std::span<const int32_t> tokens, KvType kv);

  // Drops the least recently used. Requires that there is one.
  void DropOldest();
  bool Empty() const { return kept_.empty(); }
  int64_t Count() const { return static_cast<int64_t>(kept_.size()); }
  // Whose keys and values are kept; what several share counts for each.
  int64_t NumTokens() const { return num_tokens_; }

 private:
  using Sequences = std::list<std::unique_ptr<Sequence>>;
  Sequences::iterator Drop(Sequences::iterator at);

  Sequences kept_;  // the most recently used first
  int64_t num_tokens_ = 0;
};

}  // namespace headway
