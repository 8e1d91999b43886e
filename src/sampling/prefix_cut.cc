#include "sampling/prefix_cut.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "sampling/ranges.h"

namespace headway::sampling {
namespace {

// Blocks small enough for the stack and the first-level cache, long enough for the compiler's
// vector loops.
constexpr size_t kLogitsAtOnce = 256;
// Blocks that are skipped when they hold no token of the wanted bucket; small, since most then hold
// none.
constexpr size_t kGatherBlock = 64;
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

// Bucket and rest factor of each logit. The compiler makes vectors of it: no branch, no table.
__attribute__((always_inline)) inline void BucketsOfInline(const float* logits, size_t n, float max,
                                                           int32_t* bucket, float* factor) {
  for (size_t i = 0; i < n; ++i) {
    const float distance = SoftmaxMass::Clamp(max - logits[i]);
    bucket[i] = SoftmaxMass::Bucket(distance);
    factor[i] = SoftmaxMass::RestFactor(distance, bucket[i]);
  }
}

void BucketsOf(const float* logits, size_t n, float max, int32_t* bucket, float* factor) {
  BucketsOfInline(logits, n, max, bucket, factor);
}

// The same in eight lanes instead of four; the same bits, as nothing is fused.
#if defined(__x86_64__)
__attribute__((target("avx2"))) void BucketsOfAvx2(const float* logits, size_t n, float max,
                                                   int32_t* bucket, float* factor) {
  BucketsOfInline(logits, n, max, bucket, factor);
}
bool HasAvx2() { return __builtin_cpu_supports("avx2") != 0; }
#else
constexpr auto BucketsOfAvx2 = BucketsOf;
constexpr bool HasAvx2() { return false; }
#endif

}  // namespace

PrefixCutter::PrefixCutter(int64_t vocab_size, ThreadPool& pool)
    : pool_(pool),
      histograms_(static_cast<size_t>(pool.NumThreads())),
      candidates_(static_cast<size_t>(vocab_size)),
      thread_found_(static_cast<size_t>(pool.NumThreads())) {
  HW_CHECK(vocab_size > 0 && vocab_size <= kLargestVocabulary, "masses must not overflow");
}

template <bool kMass, bool kCount>
void PrefixCutter::AddTo(Histogram* histogram, std::span<const float> logits, float max) const {
  std::array<int32_t, kLogitsAtOnce> bucket;
  std::array<float, kLogitsAtOnce> factor;
  const auto buckets_of = HasAvx2() ? BucketsOfAvx2 : BucketsOf;
  for (size_t begin = 0; begin < logits.size(); begin += kLogitsAtOnce) {
    const size_t n = std::min(kLogitsAtOnce, logits.size() - begin);
    const float* const block = logits.data() + begin;
    buckets_of(block, n, max, bucket.data(), factor.data());
    for (size_t i = 0; i < n; ++i) {
      const auto b = static_cast<size_t>(bucket[i]);
      if constexpr (kMass) histogram->mass[b] += mass_.Mass(bucket[i], factor[i]);
      if constexpr (kCount) ++histogram->count[b];
    }
  }
}

void PrefixCutter::BuildHistogram(std::span<const float> logits, float max, bool with_mass,
                                  bool with_count) {
  ForEachRange(pool_, logits.size(), [&](size_t thread, size_t begin, size_t end) {
    Histogram* const histogram = &histograms_[thread];
    histogram->mass.fill(0);
    histogram->count.fill(0);
    const auto mine = logits.subspan(begin, end - begin);
    if (with_mass && with_count) {
      AddTo<true, true>(histogram, mine, max);
    } else if (with_mass) {
      AddTo<true, false>(histogram, mine, max);
    } else {
      AddTo<false, true>(histogram, mine, max);
    }
  });
  Histogram& sum = histograms_.front();
  for (size_t thread = 1; thread < histograms_.size(); ++thread) {
    for (size_t b = 0; b < kNumBuckets; ++b) {
      sum.mass[b] += histograms_[thread].mass[b];
      sum.count[b] += histograms_[thread].count[b];
    }
  }
}

uint64_t PrefixCutter::HistogramMass() const {
  const auto& mass = histograms_.front().mass;
  return std::accumulate(mass.begin(), mass.end(), uint64_t{0});
}

uint64_t PrefixCutter::TotalMass(std::span<const float> logits, float max) {
  BuildHistogram(logits, max, true, false);
  return HistogramMass();
}

Cut PrefixCutter::Find(std::span<const float> logits, float max, int64_t top_k, float top_p) {
  const bool cuts_count = top_k > 0 && top_k < static_cast<int64_t>(logits.size());
  const bool cuts_mass = top_p < 1.0F;
  if (!cuts_count && !cuts_mass) return {};
  BuildHistogram(logits, max, cuts_mass, cuts_count);
  Prefix kept;
  if (cuts_count) {
    kept = CutWhere(logits, max, Measure::kCount, static_cast<uint64_t>(top_k));
  } else {
    kept.mass = HistogramMass();
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
    const Amount here = histograms_.front().At(bucket);
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
    for (size_t block = begin; block < end; block += kGatherBlock) {
      const size_t block_end = std::min(block + kGatherBlock, end);
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
