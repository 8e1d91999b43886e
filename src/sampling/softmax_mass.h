#pragma once

// Softmax weights as integers. exp(logit - max) is stored in units of 2^-40, so sums of them are
// exact and do not depend on the order or the number of threads. Used by the top-p cut and by
// log-probabilities; docs/sampling.md has the definition.

#include <array>
#include <cmath>
#include <cstdint>

namespace headway::sampling {

// A logit at distance d = max - logit falls in bucket floor(64 d): buckets are ordered like logits,
// best first. From 32 nats on, everything is in the last bucket: such a token weighs less than
// 2^-46 of the best, and has mass 0.
inline constexpr int kNumBuckets = 2048;
inline constexpr float kBucketsPerNat = 64.0F;
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

  // The distance, kept inside the buckets; NaN (only from input that was rejected before) goes to
  // the far end.
  static float Clamp(float distance) {
    const float below = distance < 32.0F ? distance : 32.0F;
    return below > 0.0F ? below : 0.0F;
  }

  static int32_t Bucket(float clamped) {
    const float bucket = clamped * kBucketsPerNat;  // exact: a power of two
    return static_cast<int32_t>(bucket < kNumBuckets - 1 ? bucket : kNumBuckets - 1);
  }

  // exp(-r) for the rest r of the distance inside its bucket, 0 <= r <= 1/64: the third-order
  // Taylor polynomial is off by at most r^4 / 24 = 2.5e-9, below binary32's rounding.
  static float RestFactor(float clamped, int32_t bucket) {
    const float rest = clamped - static_cast<float>(bucket) * (1.0F / kBucketsPerNat);  // exact
    return 1.0F - rest * (1.0F - rest * (0.5F - rest * (1.0F / 6.0F)));
  }

  // At most kMassOne; exactly that at distance 0. Fits a signed integer, whose conversion is one
  // instruction.
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
  std::array<float, kNumBuckets> scale_;  // exp(-b / 64) * 2^40
};

}  // namespace headway::sampling
