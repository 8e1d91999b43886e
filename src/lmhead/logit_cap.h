#pragma once

// The soft cap of a model's logits (docs/arithmetic.md) as a search sees it: the planes know the
// products, everything is decided about capped ones. Inside this folder only.

#include <cstdint>

#include "kernels/exp.h"
#include "kernels/kernel_set.h"

namespace headway::lmhead {

class LogitCap {
 public:
  // None: nothing but Exists() may be asked.
  LogitCap() = default;
  // The same for a cap of 0.
  LogitCap(float cap, const kernels::KernelSet& kernels)
      : cap_(cap),
        // The capped bound and the capped logit below it are that far from real numbers in order;
        // and what the addition loses.
        slack_(cap * (2.0F * kernels::kSoftCapError + 0x1p-22F)),
        soft_cap_(kernels.soft_cap) {}

  bool Exists() const { return cap_ > 0.0F; }

  // In place, n of each: estimates, and upper bounds, which stay bounds.
  void Estimates(float* estimates, int64_t n) const { soft_cap_(cap_, n, estimates); }
  void Bounds(float* bounds, int64_t n) const {
    soft_cap_(cap_, n, bounds);
    for (int64_t i = 0; i < n; ++i) bounds[i] += slack_;
  }

 private:
  float cap_ = 0.0F;
  float slack_ = 0.0F;
  void (*soft_cap_)(float cap, int64_t n, float* x) = nullptr;
};

}  // namespace headway::lmhead
