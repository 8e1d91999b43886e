#include "engine/sequence_cache.h"

#include <algorithm>
#include <utility>

#include "engine/rotary_tables.h"

namespace headway {

SequenceCache::SequenceCache(Pipeline* pipeline, const StateOptions& options)
    : pipeline_(pipeline) {
  for (const auto& layer : pipeline->Layers()) states_.push_back(layer->NewState(options));
}

int64_t SequenceCache::KvBytes() const {
  int64_t bytes = 0;
  for (const auto& state : states_) bytes += state->KvBytes();
  return bytes;
}

void SequenceCache::KeepCached(int64_t num_tokens) {
  cached_ = std::max<int64_t>(0, std::min(cached_, num_tokens));
  for (const auto& state : states_) {
    if (state != nullptr) state->KeepPositions(cached_);
  }
}

void SequenceCache::ShareFrom(const SequenceCache& other, int64_t num_tokens) {
  for (size_t i = 0; i < states_.size(); ++i) {
    if (states_[i] != nullptr) states_[i]->ShareFrom(*other.states_[i], num_tokens);
  }
  cached_ = num_tokens;
  long_factors_ = other.long_factors_;
}

bool SequenceCache::FactorsFit(int64_t length) const {
  return UsesLongFactors(pipeline_->model(), length) == long_factors_;
}

bool SequenceCache::ChooseFactors(int64_t length) {
  if (FactorsFit(length)) return false;
  long_factors_ = !long_factors_;
  const bool had_any = cached_ > 0;
  KeepCached(0);
  return had_any;
}

void SequenceCache::FillWithMadeUpKeys(int64_t num_tokens) {
  for (const auto& state : states_) state->FillCache(num_tokens);
  cached_ = num_tokens;
  long_factors_ = UsesLongFactors(pipeline_->model(), num_tokens + 1);
}

}  // namespace headway
