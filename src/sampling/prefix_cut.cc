#include "sampling/prefix_cut.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "sampling/ranges.h"

namespace headway::sampling {
namespace {

// Blocks small enough for the stack and the first-level cache, long enough for the compiler's
// vector loops.
constexpr size_t kBlock = 64;
// Below that many candidates, sorting is quicker than another histogram.
constexpr int64_t kSortedDirectly = 64;
constexpr size_t kSubBuckets = 256;

// The largest key whose logit lies in `bucket` or a later (worse) one. Buckets never decrease when
// logits do, since subtraction and multiplication round monotonically; so bisection over the keys
// is exact.
uint32_t LargestKeyFrom(int32_t bucket, float max) {
  uint32_t inside = OrderKey(-std::numeric_limits<float>::infinity());  // in the last bucket
  uint32_t above = OrderKey(max);
  const auto reaches = [&](uint32_t key) {
    return SoftmaxMass::Bucket(SoftmaxMass::Clamp(max - FromOrderKey(key))) >= bucket;
  };
  if (reaches(above)) return above;
  while (above - inside > 1) {
    const uint32_t middle = inside + (above - inside) / 2;
    (reaches(middle) ? inside : above) = middle;
  }
  return inside;
}

}  // namespace

PrefixCutter::PrefixCutter(int64_t vocab_size, ThreadPool& pool)
    : pool_(pool),
      thread_buckets_(static_cast<size_t>(pool.NumThreads()) * kNumBuckets),
      candidates_(static_cast<size_t>(vocab_size)),
      thread_found_(static_cast<size_t>(pool.NumThreads())) {
  HW_CHECK(vocab_size > 0 && vocab_size <= kLargestVocabulary, "masses must not overflow");
}

template <bool kWithMass>
void PrefixCutter::AddRange(std::span<const float> logits, float max, Amount* buckets) const {
  std::array<int32_t, kBlock> bucket;
  std::array<float, kBlock> factor;
  for (size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const size_t n = std::min(kBlock, logits.size() - begin);
    const float* const block = logits.data() + begin;
    for (size_t i = 0; i < n; ++i) {  // vector code: no branch, no table
      const float distance = SoftmaxMass::Clamp(max - block[i]);
      bucket[i] = SoftmaxMass::Bucket(distance);
      factor[i] = SoftmaxMass::RestFactor(distance, bucket[i]);
    }
    for (size_t i = 0; i < n; ++i) {
      Amount& amount = buckets[bucket[i]];
      if constexpr (kWithMass) amount.mass += mass_.Mass(bucket[i], factor[i]);
      ++amount.count;
    }
  }
}

void PrefixCutter::BuildHistogram(std::span<const float> logits, float max, bool with_mass) {
  ForEachRange(pool_, logits.size(), [&](size_t thread, size_t begin, size_t end) {
    Amount* const buckets = thread_buckets_.data() + thread * kNumBuckets;
    std::fill(buckets, buckets + kNumBuckets, Amount{});
    const auto mine = logits.subspan(begin, end - begin);
    if (with_mass) {
      AddRange<true>(mine, max, buckets);
    } else {
      AddRange<false>(mine, max, buckets);
    }
  });
  for (size_t i = kNumBuckets; i < thread_buckets_.size(); ++i) {
    thread_buckets_[i % kNumBuckets].Add(thread_buckets_[i]);
  }
}

uint64_t PrefixCutter::TotalMass(std::span<const float> logits, float max) {
  BuildHistogram(logits, max, true);
  uint64_t total = 0;
  for (int b = 0; b < kNumBuckets; ++b) total += thread_buckets_[static_cast<size_t>(b)].mass;
  return total;
}

Cut PrefixCutter::Find(std::span<const float> logits, float max, int64_t top_k, float top_p) {
  const bool cuts_count = top_k > 0 && top_k < static_cast<int64_t>(logits.size());
  const bool cuts_mass = top_p < 1.0F;
  if (!cuts_count && !cuts_mass) return {};
  BuildHistogram(logits, max, cuts_mass);
  Prefix kept;
  if (cuts_count) {
    kept = CutWhere(logits, max, Measure::kCount, static_cast<uint64_t>(top_k));
  } else {
    for (int b = 0; b < kNumBuckets; ++b) kept.mass += thread_buckets_[static_cast<size_t>(b)].mass;
  }
  if (!cuts_mass) return kept.cut;
  const double target = std::ceil(static_cast<double>(top_p) * static_cast<double>(kept.mass));
  // At most all of it, whatever double's rounding of a mass above 2^53 says; the best token alone
  // weighs 2^40.
  const uint64_t mass = std::clamp<uint64_t>(static_cast<uint64_t>(target), 1, kept.mass);
  return CutWhere(logits, max, Measure::kMass, mass).cut;
}

// The shortest prefix whose count or mass reaches `target`, which all tokens together do reach.
PrefixCutter::Prefix PrefixCutter::CutWhere(std::span<const float> logits, float max,
                                            Measure measure, uint64_t target) {
  Amount before;
  int32_t bucket = 0;
  while (bucket + 1 < kNumBuckets) {
    const Amount& here = thread_buckets_[static_cast<size_t>(bucket)];
    if (Of(measure, before) + Of(measure, here) >= target) break;
    before.Add(here);
    ++bucket;
  }
  GatherBucket(logits, max, bucket);
  Narrow(max, measure, target, &before);
  Prefix prefix;
  for (int64_t i = 0; i < num_candidates_; ++i) {
    const Candidate& candidate = candidates_[static_cast<size_t>(i)];
    before.Add(AmountOf(candidate, max));
    prefix.cut = {.logit = FromOrderKey(candidate.key), .last_id = candidate.id};
    if (Of(measure, before) >= target) break;
  }
  prefix.mass = before.mass;
  return prefix;
}

// Collects the tokens of one bucket, ids ascending.
void PrefixCutter::GatherBucket(std::span<const float> logits, float max, int32_t bucket) {
  const float high = FromOrderKey(LargestKeyFrom(bucket, max));
  const float low = bucket + 1 < kNumBuckets ? FromOrderKey(LargestKeyFrom(bucket + 1, max) + 1)
                                             : -std::numeric_limits<float>::infinity();
  ForEachRange(pool_, logits.size(), [&](size_t thread, size_t begin, size_t end) {
    Candidate* const first = candidates_.data() + begin;
    Candidate* out = first;
    for (size_t block = begin; block < end; block += kBlock) {
      const size_t block_end = std::min(block + kBlock, end);
      int32_t hits = 0;  // most blocks have none: a vector loop tells
      for (size_t i = block; i < block_end; ++i) {
        hits += static_cast<int32_t>(logits[i] >= low) & static_cast<int32_t>(logits[i] <= high);
      }
      for (size_t i = block; hits > 0; ++i) {
        if (!(logits[i] >= low && logits[i] <= high)) continue;
        *out++ = {.key = OrderKey(logits[i]), .id = static_cast<int32_t>(i)};
        --hits;
      }
    }
    thread_found_[thread] = {.begin = first, .end = out};
  });
  Candidate* out = candidates_.data();
  for (const Found& found : thread_found_) out = std::copy(found.begin, found.end, out);
  num_candidates_ = out - candidates_.data();
}

PrefixCutter::Amount PrefixCutter::AmountOf(const Candidate& candidate, float max) const {
  return {.mass = mass_.Mass(max - FromOrderKey(candidate.key)), .count = 1};
}

// Keeps narrowing the candidates to the part where the cut is, until they are few (then sorted by
// rank) or all equal (then ids ascending is the rank). Each round divides the range of keys by 256:
// four rounds at most.
void PrefixCutter::Narrow(float max, Measure measure, uint64_t target, Amount* before) {
  Candidate* const first = candidates_.data();
  while (num_candidates_ > 0) {
    Candidate* const last = first + num_candidates_;
    uint32_t low = first->key;
    uint32_t high = first->key;
    for (const Candidate* c = first; c != last; ++c) {
      low = std::min(low, c->key);
      high = std::max(high, c->key);
    }
    if (low == high) return;
    if (num_candidates_ <= kSortedDirectly) {
      std::sort(first, last, [](const Candidate& a, const Candidate& b) {
        return a.key != b.key ? a.key > b.key : a.id < b.id;
      });
      return;
    }
    const int shift = std::max(0, static_cast<int>(std::bit_width(high - low)) - 8);
    const auto part_of = [&](const Candidate& c) {
      return static_cast<size_t>((high - c.key) >> shift);
    };
    std::array<Amount, kSubBuckets> parts{};
    for (const Candidate* c = first; c != last; ++c) parts[part_of(*c)].Add(AmountOf(*c, max));
    size_t part = 0;
    while (part + 1 < kSubBuckets && Of(measure, *before) + Of(measure, parts[part]) < target) {
      before->Add(parts[part++]);
    }
    num_candidates_ =
        std::remove_if(first, last, [&](const Candidate& c) { return part_of(c) != part; }) - first;
  }
}

}  // namespace headway::sampling
