#pragma once

// Finds where a ranking of the vocabulary is cut, without sorting it. The ranking is "larger logit
// first, then lower id"; top-k and top-p keep a prefix of it. A histogram over the distance to the
// best logit finds the bucket of the cut, a radix search inside that bucket finds the token. Used
// by Sampler; knows neither noise nor temperature.

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "sampling/softmax_mass.h"

namespace headway::sampling {

// Integers in the order of floats; both zeros have one key, as they compare equal.
inline uint32_t OrderKey(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value + 0.0F);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}
inline float FromOrderKey(uint32_t key) {
  return std::bit_cast<float>((key & 0x80000000U) != 0 ? key & 0x7fffffffU : ~key);
}

// The last token of a prefix: kept are all larger logits, and equal ones up to id `last_id`.
struct Cut {
  float logit = -std::numeric_limits<float>::infinity();
  int32_t last_id = std::numeric_limits<int32_t>::max();

  bool Keeps(float other_logit, int64_t id) const {
    return other_logit > logit || (other_logit == logit && id <= last_id);
  }
};

// The cut that keeps fewer tokens.
inline Cut Stricter(const Cut& a, const Cut& b) {
  if (a.logit != b.logit) return a.logit > b.logit ? a : b;
  return a.last_id < b.last_id ? a : b;
}

class PrefixCutter {
 public:
  // Allocates everything; `pool` must outlive this object. 0 < vocab_size <= kLargestVocabulary.
  PrefixCutter(int64_t vocab_size, ThreadPool& pool);

  // The total mass of exp(logit - max), in units of 2^-40.
  uint64_t TotalMass(std::span<const float> logits, float max);

  // The cut after the best top_k tokens (0: off) and, among those, after the smallest prefix whose
  // share of the mass is at least top_p (1: off). max: the largest logit, finite. No allocation.
  Cut Find(std::span<const float> logits, float max, int64_t top_k, float top_p);

 private:
  struct Amount {
    uint64_t mass = 0;
    uint64_t count = 0;
    void Add(const Amount& other) {
      mass += other.mass;
      count += other.count;
    }
  };
  enum class Measure { kCount, kMass };
  struct Candidate {
    uint32_t key;
    int32_t id;
  };
  struct Found {  // the part of candidates_ that one thread filled
    const Candidate* begin;
    const Candidate* end;
  };
  struct Prefix {
    Cut cut;
    uint64_t mass = 0;  // of the tokens kept
  };

  static uint64_t Of(Measure measure, const Amount& amount) {
    return measure == Measure::kCount ? amount.count : amount.mass;
  }
  struct Histogram {
    std::array<uint64_t, kNumBuckets> mass;
    std::array<uint32_t, kNumBuckets> count;
    Amount At(int32_t bucket) const {
      return {mass[static_cast<size_t>(bucket)], count[static_cast<size_t>(bucket)]};
    }
  };

  template <bool kMass, bool kCount>
  void AddTo(Histogram* histogram, std::span<const float> logits, float max) const;
  void BuildHistogram(std::span<const float> logits, float max, bool with_mass, bool with_count);
  uint64_t HistogramMass() const;
  Prefix CutWhere(std::span<const float> logits, float max, Measure measure, uint64_t target);
  void GatherBucket(std::span<const float> logits, float max, int32_t bucket);
  void Narrow(float max, Measure measure, uint64_t target, Amount* before);
  Amount AmountOf(const Candidate& candidate, float max) const;

  SoftmaxMass mass_;
  ThreadPool& pool_;
  std::vector<Histogram> histograms_;  // [threads]; the first holds the sum
  std::vector<Candidate> candidates_;  // [V]; the first num_candidates_ are in use, ids ascending
  std::vector<Found> thread_found_;    // [threads]
  int64_t num_candidates_ = 0;
};

}  // namespace headway::sampling
