#pragma once

// How one conversation chooses its tokens: the parameters of its sampling, and what a certified head
// must find and prove for them. Heads serve many conversations; what is one's own stands here.

#include <bit>
#include <cstdint>
#include <optional>

#include "base/thread_pool.h"
#include "engine/pipeline.h"
#include "kernels/kernel_set.h"
#include "lmhead/certificate.h"
#include "sampling/sampler.h"
#include "sampling/sparse_sampler.h"

namespace headway {

// What became of the last choices that a certified head searched for. A conversation whose choices
// mostly fall back pays for both heads.
class FallbackWindow {
 public:
  void Add(bool fell_back) {
    last_ = last_ << 1U | (fell_back ? 1U : 0U);
    ++num_choices_;
    exceeded_ |= num_choices_ >= kChoices && std::popcount(last_) > kMostFallbacks;
  }
  // Whether more than kMostFallbacks of some kChoices in a row fell back: once so, for good.
  bool Exceeded() const { return exceeded_; }

  static constexpr int kChoices = 64;
  static constexpr int kMostFallbacks = 32;  // above it the full head alone takes less time

 private:
  uint64_t last_ = 0;  // a bit a choice
  uint64_t num_choices_ = 0;
  bool exceeded_ = false;
};

struct CertifiedOptions {
  lmhead::CertificateMode mode;
  int64_t audit_every = 0;  // run the full head, too, on every n-th choice; 0: never
  bool may_switch = true;   // to the full head for good, by FallbackWindow
};

struct ChoiceOptions {
  sampling::SamplingParams sampling;
  bool want_logprobs = false;       // choices come with their log-probability
  CertifiedOptions certified = {};  // of a certified head
};

struct ChoiceRules {
  // `options.sampling` passes Validate(); `pool` must outlive this object. Allocates all that
  // choosing needs.
  ChoiceRules(const ChoiceOptions& options, const Pipeline& pipeline,
              const kernels::KernelSet& kernels, ThreadPool* pool);

  sampling::Sampler sampler;
  bool want_logprobs;
  CertifiedOptions certified;
  // For heads that compute few rows (certified and reduced ones); else empty.
  std::optional<sampling::SparseSampler> sparse;
  sampling::SparseGoal goal;
  FallbackWindow fallbacks;
  uint64_t num_searched = 0;  // choices that a certified head searched for: which ones it audits
};

}  // namespace headway
