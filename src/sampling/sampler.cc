#include "sampling/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"
#include "sampling/penalties.h"
#include "sampling/ranges.h"

namespace headway::sampling {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Tokens per look at the cut, and how few survivors are drawn one by one: a call for one token
// costs about as much as 32 lanes' worth of a vector call.
constexpr size_t kBlock = 1024;
constexpr int32_t kFew = 32;

// The better of two winners of disjoint ranges; ties go to the lower id.
kernels::ArgMax Better(const kernels::ArgMax& a, const kernels::ArgMax& b) {
  if (a.index < 0 || b.index < 0) return a.index < 0 ? b : a;
  if (a.value != b.value) return a.value > b.value ? a : b;
  return a.index < b.index ? a : b;
}

// Sets every logit that `keeps` refuses to -infinity. By masks: compilers do not turn a choice that
// hangs on a comparison of floats into vector code, but this they do.
template <class F>
void KeepOnly(std::span<float> logits, const F& keeps) {
  constexpr auto kBanned = std::bit_cast<int32_t>(kMinusInfinity);
  for (float& logit : logits) {
    const int32_t keep = -static_cast<int32_t>(keeps(logit));
    const auto bits = std::bit_cast<int32_t>(logit);
    logit = std::bit_cast<float>((bits & keep) | (kBanned & ~keep));
  }
}

void KeepSurvivors(std::span<float> block, int64_t first_id, const Cut& cut) {
  const float least = cut.logit;
  const auto num_ties_kept = static_cast<size_t>(
      std::clamp<int64_t>(cut.last_id - first_id + 1, 0, static_cast<int64_t>(block.size())));
  KeepOnly(block.first(num_ties_kept), [least](float logit) { return logit >= least; });
  KeepOnly(block.subspan(num_ties_kept), [least](float logit) { return logit > least; });
}

size_t TouchedCapacity(const SamplingParams& params, int64_t vocab_size) {
  const int64_t penalised =
      params.repeat_last_n < 0 ? vocab_size : std::min<int64_t>(params.repeat_last_n, vocab_size);
  return static_cast<size_t>(penalised) + params.logit_bias.size();
}

}  // namespace

Sampler::Sampler(SamplingParams params, int64_t vocab_size, const kernels::KernelSet& kernels,
                 ThreadPool& pool)
    : params_(std::move(params)),
      kernels_(kernels),
      pool_(pool),
      cutter_(vocab_size, pool),
      filters_(HasFilters(params_)),
      allowed_(params_.allow_ids),
      seen_(static_cast<size_t>(vocab_size + 63) / 64),
      thread_best_(static_cast<size_t>(pool.NumThreads())) {
  HW_CHECK(Validate(params_, vocab_size).has_value(), "sampling parameters are validated first");
  if (params_.temperature > 0.0F) inverse_temperature_ = 1.0F / params_.temperature;
  std::sort(allowed_.begin(), allowed_.end());
  allowed_.erase(std::unique(allowed_.begin(), allowed_.end()), allowed_.end());
  allowed_logits_.resize(allowed_.size());
  touched_.reserve(TouchedCapacity(params_, vocab_size));
}

Sampler::Choice Sampler::Sample(std::span<float> logits, uint64_t position,
                                std::span<const int32_t> history, bool want_logprob,
                                std::span<const uint64_t> mask) noexcept {
  HW_DCHECK((logits.size() + 63) / 64 == seen_.size(), "logits of the whole vocabulary");
  const double log_normaliser = want_logprob ? LogNormaliser(logits) : 0.0;
  Change(logits, history, mask);

  // Filters never remove the best token, so greedy needs none of them.
  Choice choice;
  const bool greedy = params_.temperature == 0.0F;
  if (greedy || filters_) {
    const kernels::ArgMax best = Largest(logits);
    if (best.value == kMinusInfinity) {
      choice.token = allowed_.empty() ? 0 : allowed_.front();
    } else {
      choice.token = greedy ? static_cast<int32_t>(best.index) : Draw(logits, best.value, position);
    }
  } else {
    choice.token = Draw(logits, 0.0F, position);
  }
  choice.logit = RawLogit(logits, choice.token);
  if (want_logprob) choice.logprob = static_cast<float>(choice.logit - log_normaliser);
  return choice;
}

// Steps 1 to 3.
void Sampler::Change(std::span<float> logits, std::span<const int32_t> history,
                     std::span<const uint64_t> mask) {
  touched_.clear();
  Penalise(logits, history);
  AddBias(logits);
  KeepAllowed(logits);
  if (!mask.empty()) KeepMasked(logits, mask);
}

// Each id of the window once.
void Sampler::Penalise(std::span<float> logits, std::span<const int32_t> history) {
  if (!HasPenalties(params_)) return;
  const std::span<const int32_t> window = PenaltyWindow(params_, history);
  for (const int32_t id : window) {
    const auto i = static_cast<size_t>(id);
    if (id < 0 || i >= logits.size()) continue;
    const uint64_t bit = uint64_t{1} << (i % 64);
    if ((seen_[i / 64] & bit) != 0) continue;
    seen_[i / 64] |= bit;
    touched_.push_back({.id = id, .raw_logit = logits[i], .count = 1});
  }
  if (HasCountedPenalties(params_)) CountTouched(window);
  for (const Touched& touched : touched_) {
    seen_[static_cast<size_t>(touched.id) / 64] = 0;
    logits[static_cast<size_t>(touched.id)] =
        PenalisedLogit(params_, touched.raw_logit, touched.count);
  }
}

void Sampler::CountTouched(std::span<const int32_t> window) {
  const auto by_id = [](const Touched& a, const Touched& b) { return a.id < b.id; };
  std::sort(touched_.begin(), touched_.end(), by_id);
  for (Touched& touched : touched_) touched.count = 0;
  for (const int32_t id : window) {
    const Touched wanted{.id = id, .raw_logit = 0.0F, .count = 0};
    const auto found = std::lower_bound(touched_.begin(), touched_.end(), wanted, by_id);
    if (found != touched_.end() && found->id == id) ++found->count;
  }
}

void Sampler::AddBias(std::span<float> logits) {
  for (const auto& [id, bias] : params_.logit_bias) {
    float& logit = logits[static_cast<size_t>(id)];
    touched_.push_back({.id = id, .raw_logit = logit, .count = 0});
    logit += bias;
  }
}

void Sampler::KeepAllowed(std::span<float> logits) {
  if (allowed_.empty()) return;
  for (size_t i = 0; i < allowed_.size(); ++i) {
    allowed_logits_[i] = logits[static_cast<size_t>(allowed_[i])];
  }
  std::fill(logits.begin(), logits.end(), kMinusInfinity);
  for (size_t i = 0; i < allowed_.size(); ++i) {
    logits[static_cast<size_t>(allowed_[i])] = allowed_logits_[i];
  }
}

void Sampler::KeepMasked(std::span<float> logits, std::span<const uint64_t> mask) {
  for (size_t word = 0; word * 64 < logits.size(); ++word) {
    const uint64_t bits = mask[word];
    if (bits == ~uint64_t{0}) continue;
    const auto block = logits.subspan(word * 64, std::min<size_t>(64, logits.size() - word * 64));
    for (size_t i = 0; i < block.size(); ++i) {
      if ((bits >> i & 1) == 0) block[i] = kMinusInfinity;
    }
  }
}

kernels::ArgMax Sampler::Largest(std::span<const float> logits) {
  ForEachRange(pool_, logits.size(), [&](size_t thread, size_t begin, size_t end) {
    const auto first_id = static_cast<int64_t>(begin);
    kernels::ArgMax best =
        kernels_.argmax(logits.data() + begin, static_cast<int64_t>(end - begin));
    if (best.index >= 0) best.index += first_id;
    thread_best_[thread] = best;
  });
  kernels::ArgMax best;
  for (const kernels::ArgMax& other : thread_best_) best = Better(best, other);
  return best;
}

float Sampler::Logprob(std::span<const float> logits, int32_t id) {
  return static_cast<float>(logits[static_cast<size_t>(id)] - LogNormaliser(logits));
}

// ln of the sum of exp(logit), off by at most V * 2^-40 in the sum.
double Sampler::LogNormaliser(std::span<const float> logits) {
  const float max = Largest(logits).value;
  if (max == kMinusInfinity) return 0.0;
  const uint64_t total = cutter_.TotalMass(logits, max);
  return max + std::log(static_cast<double>(total) / static_cast<double>(kMassOne));
}

// Where steps 4 to 6 end the ranking. max: the largest logit.
Cut Sampler::FindCut(std::span<const float> logits, float max) {
  const Cut cut = cutter_.Find(logits, max, params_.top_k, params_.top_p);
  if (params_.min_p <= 0.0F) return cut;
  const auto log_min_p = static_cast<float>(std::log(static_cast<double>(params_.min_p)));
  return Stricter(cut, {.logit = max + log_min_p});
}

// The Gumbel-max draw among the tokens that the filters keep. max: the largest logit (used by the
// filters only).
int32_t Sampler::Draw(std::span<float> logits, float max, uint64_t position) {
  const Cut cut = filters_ ? FindCut(logits, max) : Cut{};
  ForEachRange(pool_, logits.size(), [&](size_t thread, size_t begin, size_t end) {
    thread_best_[thread] = DrawFromRange(logits.subspan(begin, end - begin),
                                         static_cast<int64_t>(begin), cut, position);
  });
  kernels::ArgMax best;
  for (const kernels::ArgMax& other : thread_best_) best = Better(best, other);
  if (best.value == kMinusInfinity && !allowed_.empty()) return allowed_.front();
  return static_cast<int32_t>(best.index);
}

// Blocks with many survivors are drawn from together: the longer the range, the fewer of its logits
// may still be the largest.
kernels::ArgMax Sampler::DrawFromRange(std::span<float> logits, int64_t first_id, const Cut& cut,
                                       uint64_t position) const {
  if (!filters_) return DrawFromAll(logits, first_id, position);
  kernels::ArgMax best;
  size_t run = 0;  // first logit of the blocks that wait to be drawn from
  for (size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const auto block = logits.subspan(begin, std::min(kBlock, logits.size() - begin));
    const int64_t block_id = first_id + static_cast<int64_t>(begin);
    int32_t survivors = 0;  // equal logits beyond the cut's id included: enough to choose the way
    for (const float logit : block) survivors += static_cast<int32_t>(logit >= cut.logit);
    if (survivors > kFew) {
      KeepSurvivors(block, block_id, cut);
      continue;
    }
    best = Better(best, DrawFromAll(logits.subspan(run, begin - run),
                                    first_id + static_cast<int64_t>(run), position));
    run = begin + block.size();
    if (survivors > 0) {
      best = Better(best, DrawFromFew(block, block_id, cut, survivors, position));
    }
  }
  return Better(best,
                DrawFromAll(logits.subspan(run), first_id + static_cast<int64_t>(run), position));
}

kernels::ArgMax Sampler::DrawFromAll(std::span<const float> logits, int64_t first_id,
                                     uint64_t position) const {
  kernels::ArgMax best =
      kernels_.gumbel_argmax(logits.data(), static_cast<int64_t>(logits.size()),
                             inverse_temperature_, params_.seed, position, first_id);
  if (best.index >= 0) best.index += first_id;
  return best;
}

kernels::ArgMax Sampler::DrawFromFew(std::span<const float> block, int64_t first_id, const Cut& cut,
                                     int32_t survivors, uint64_t position) const {
  kernels::ArgMax best;
  for (size_t i = 0; survivors > 0; ++i) {
    if (!(block[i] >= cut.logit)) continue;
    --survivors;
    const int64_t id = first_id + static_cast<int64_t>(i);
    if (cut.Keeps(block[i], id)) {
      best = Better(best, DrawFromAll(block.subspan(i, 1), id, position));
    }
  }
  return best;
}

// The model's logit of `token`: as it stands, unless a penalty or bias changed it (the first record
// is the oldest).
float Sampler::RawLogit(std::span<const float> logits, int32_t token) const {
  for (const Touched& touched : touched_) {
    if (touched.id == token) return touched.raw_logit;
  }
  return logits[static_cast<size_t>(token)];
}

}  // namespace headway::sampling
