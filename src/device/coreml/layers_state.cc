#include "device/coreml/layers_state.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace headway::coreml {
namespace {

constexpr std::string_view kCacheMark = "_cache_";

std::string ColumnsName(std::string cache) {
  return cache.replace(cache.find(kCacheMark), kCacheMark.size(), "_new_");
}

// Columns [1, Hk, d, T] into a cache [1, Hk, d, S].
void AppendColumns(const Array& fresh, int64_t position, int64_t count, HostArray* cache) {
  const mil::Dims& dims = cache->Type().dims;
  fresh.Read([&](const std::byte* first, std::span<const int64_t> strides) {
    const auto* const from = reinterpret_cast<const F16*>(first);
    F16* to = cache->Halves() + position;
    for (int64_t head = 0; head < dims[1]; ++head) {
      for (int64_t c = 0; c < dims[2]; ++c, to += dims[3]) {
        for (int64_t t = 0; t < count; ++t)
          to[t] = from[head * strides[1] + c * strides[2] + t * strides[3]];
      }
    }
  });
}

int64_t NumHalves(const HostArray& array) {
  return mil::NumElements(array.Type().dims).value_or(0);
}

}  // namespace

Caches CachesOf(const LoadedProgram& program) {
  Caches caches;
  for (const mil::NamedType& input : program.main->inputs) {
    const bool outside = !input.type.is_state && input.name.find(kCacheMark) != std::string::npos;
    if (outside) caches[input.name] = input.type.tensor;
  }
  return caches;
}

std::map<std::string, mil::Dims> NewColumnsOf(const Caches& caches, int64_t tokens) {
  std::map<std::string, mil::Dims> columns;
  for (const auto& [name, type] : caches) {
    mil::Dims dims = type.dims;
    dims.back() = tokens;
    columns[ColumnsName(name)] = dims;
  }
  return columns;
}

LayersState::LayersState(Runner* runner, const Caches& caches) : outcome_(Make(runner, caches)) {}

Result<void> LayersState::Make(Runner* runner, const Caches& caches) {
  if (caches.empty()) {
    HW_TRY(states_, runner->NewStates());
    return {};
  }
  for (const auto& [name, type] : caches) {
    HW_TRY(caches_[name], runner->NewArray(type));
  }
  return {};
}

int64_t LayersState::KvBytes() const {
  int64_t bytes = states_ == nullptr ? 0 : states_->Bytes();
  for (const auto& [name, cache] : caches_) {
    if (cache != nullptr) bytes += NumHalves(*cache) * static_cast<int64_t>(sizeof(F16));
  }
  return bytes;
}

void LayersState::ShareFrom(const ShardState& other, int64_t /*num_positions*/) {
  const auto& from = static_cast<const LayersState&>(other);
  if (!outcome_) return;
  outcome_ = from.outcome_;
  if (!outcome_) return;
  if (states_ != nullptr) outcome_ = states_->CopyFrom(*from.states_);
  for (const auto& [name, cache] : caches_)
    std::copy_n(from.caches_.at(name)->Halves(), NumHalves(*cache), cache->Halves());
}

Result<Prediction> LayersState::Ask(const Width& width, const Arrays& inputs,
                                    const Arrays& outputs) {
  HW_TRY_VOID(outcome_);
  if (caches_.empty())
    return Prediction{.inputs = &inputs, .states_or_null = states_.get(), .outputs = &outputs};
  Arrays& columns = columns_[width.tokens];
  if (columns.empty()) {
    for (const auto& [name, dims] : NewColumnsOf(CachesOf(*width.program), width.tokens)) {
      HW_TRY(columns[name], width.program->runner->NewArray({mil::DType::kF16, dims}));
    }
  }
  inputs_ = inputs;
  inputs_.insert(caches_.begin(), caches_.end());
  outputs_ = outputs;
  outputs_.insert(columns.begin(), columns.end());
  return Prediction{.inputs = &inputs_, .outputs = &outputs_};
}

void LayersState::StoreColumns(const Arrays& given, int64_t position, int64_t count) {
  for (const auto& [name, cache] : caches_)
    AppendColumns(*given.at(ColumnsName(name)), position, count, cache.get());
}

}  // namespace headway::coreml
