#pragma once

// Softmax weights as integers. exp(logit - max) is stored in units of 2^-40, so sums of them are
// exact and do not depend on the order or the number of threads. Used by the top-p cut and by
// log-probabilities; docs/sampling.md has the definition.

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace headway::sampling {

// A logit at distance d = max - logit falls in bucket floor(32 d): buckets are ordered like logits,
// best first. From 32 nats on, everything is in the last bucket: such a token weighs less than
// 2^-46 of the best, and has mass 0. A histogram of masses takes 8 KB, a quarter of the first-level
// cache.
inline constexpr int32_t kNumBuckets = 1024;
inline constexpr float kBucketsPerNat = 32.0F;
inline constexpr float kLargestDistance = 32.0F;
inline constexpr uint64_t kMassOne = uint64_t{1} << 40;
// Sums of that many masses stay below 2^63.
inline constexpr int64_t kLargestVocabulary = int64_t{1} << 23;

class SoftmaxMass {
 public:
  SoftmaxMass() {
    for (int b = 0; b + 1 < kNumBuckets; ++b) {
      scale_[static_cast<size_t>(b)] =
          static_cast<float>(std::ldexp(std::exp(-b / double{kBucketsPerNat}), 40));
    }
    scale_.back() = 0.0F;
  }

  // The distance, kept inside the buckets. On the bits, where order is that of integers, and with
  // plain conditionals: so compilers vectorise it. (A NaN, rejected long before, ends somewhere
  // inside.)
  static float Clamp(float distance) {
    constexpr int32_t kMost = std::bit_cast<int32_t>(kLargestDistance);
    const int32_t bits = std::bit_cast<int32_t>(distance);
    const int32_t below = bits < kMost ? bits : kMost;
    return std::bit_cast<float>(below > 0 ? below : 0);
  }

  static int32_t Bucket(float clamped) {
    const auto bucket = static_cast<int32_t>(clamped * kBucketsPerNat);
    return bucket < kNumBuckets - 1 ? bucket : kNumBuckets - 1;
  }

  // exp(-r) for the rest r of the distance inside its bucket, 0 <= r <= 1/32: the third-order
  // Taylor polynomial is off by at most r^4 / 24 = 4e-8, less than binary32's rounding.
  static float RestFactor(float clamped, int32_t bucket) {
    const float rest = clamped - static_cast<float>(bucket) * (1.0F / kBucketsPerNat);  // exact
    return 1.0F - rest * (1.0F - rest * (0.5F - rest * (1.0F / 6.0F)));
  }

  // At most kMassOne; exactly that at distance 0. By way of a signed integer, whose conversion is
  // one instruction.
  uint64_t Mass(int32_t bucket, float rest_factor) const {
    return static_cast<uint64_t>(
        static_cast<int64_t>(scale_[static_cast<size_t>(bucket)] * rest_factor));
  }

  uint64_t Mass(float distance) const {
    const float clamped = Clamp(distance);
    const int32_t bucket = Bucket(clamped);
    return Mass(bucket, RestFactor(clamped, bucket));
  }

 private:
  std::array<float, kNumBuckets> scale_;  // exp(-b / 32) * 2^40
};

}  // namespace headway::sampling
