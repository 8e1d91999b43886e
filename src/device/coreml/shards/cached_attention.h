#pragma once

// What both forms of attention do alike, on heads at axis 1 and channels at axis 2: turning,
// blending fresh rows into the cache, scores. Inside this folder only.

#include <memory>
#include <string>

#include "device/coreml/shards/attention.h"

namespace headway::mil {

class CachedAttention : public LayerAttention {
 public:
  void Finish() override { cache_->Finish(); }

 protected:
  // The constructors of the forms declare inputs and states and set what is below.
  CachedAttention(const LayerShardSpec& spec, FunctionBuilder* f) : s_(spec), f_(f) {}

  // Halves (lo, hi) of the first R channels become (lo cos - hi sin, hi cos + lo sin); channels
  // past R pass. x: [1, heads, d] or [1, heads, d, T]. Eleven ops, nine when all channels turn.
  // `name`: of the result.
  std::string Rotate(const std::string& p, const std::string& x, const std::string& name);

  // cache * keep + what Added() makes of `fresh`, written back: [1, Hk, S, d]. Six ops with the
  // read and the update. Outside the program: cache and `fresh` side by side, [1, Hk, d, S + T], and
  // `fresh` is an output. One op.
  std::string Store(bool keys, int layer, const std::string& p, const std::string& fresh);
  // The fresh rows at their positions and zeros elsewhere, [1, Hk, S, d]. One op.
  virtual std::string Added(const std::string& name, const std::string& fresh) = 0;

  // Cached keys and values are [1, Hk, d, positions], not [1, Hk, positions, d].
  bool Columns() const { return s_.states == StateLayout::kOutside; }

  // Softmax over S of the scaled and masked products of queries and keys. Four ops; six with a cap.
  std::string Scores(const std::string& p, const std::string& q, const std::string& k,
                     bool transpose_q);

  // Per head or batched, as the specification asks.
  std::string Mix(const std::string& p, const std::string& q, const std::string& keys,
                  const std::string& values);
  virtual std::string PerHead(const std::string& p, const std::string& q, const std::string& keys,
                              const std::string& values) = 0;
  virtual std::string Batched(const std::string& p, const std::string& q, const std::string& keys,
                              const std::string& values) = 0;

  int64_t QueryWidth() const { return s_.num_heads * s_.head_dim; }
  int64_t KvWidth() const { return s_.num_kv_heads * s_.head_dim; }
  int64_t Group() const { return s_.num_heads / s_.num_kv_heads; }

  const LayerShardSpec& s_;
  FunctionBuilder* f_;
  LayerForm form_;  // of the layer that is being appended
  std::string mask_, write_, keep_, cos_, sin_;
  std::unique_ptr<CacheStates> cache_;
};

}  // namespace headway::mil
