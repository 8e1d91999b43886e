#include <fmt/format.h>

#include <utility>

#include "device/coreml/shards/attention.h"
#include "device/coreml/shards/ops.h"

namespace headway::mil {
namespace {

// slice_update of `update` into [begin, end) of x.
std::string UpdateRange(FunctionBuilder* f, const std::string& name, const std::string& x,
                        const std::string& update, const Dims& begin, const Dims& end) {
  return f->Op("slice_update", name,
               {{"x", {x}},
                {"update", {update}},
                {"begin", {IntsConstant(begin)}},
                {"end", {IntsConstant(end)}}});
}

}  // namespace

CacheStates::CacheStates(const LayerShardSpec& spec, FunctionBuilder* f) : spec_(spec), f_(f) {
  if (spec.states == StateLayout::kUnified) {
    const Dims dims = {int64_t{2} * spec.num_layers, spec.num_kv_heads, spec.max_seq,
                       spec.head_dim};
    states_.push_back(f->State("kv_cache", DType::kF16, dims));
    return;
  }
  const bool outside = spec.states == StateLayout::kOutside;
  Dims dims = {1, spec.num_kv_heads, spec.max_seq, spec.head_dim};
  if (outside) std::swap(dims[2], dims[3]);
  for (int i = 0; i < spec.num_layers; ++i) {
    for (const char* what : {"k", "v"}) {
      const std::string name = fmt::format("{}_cache_{}", what, spec.first_layer + i);
      states_.push_back(outside ? f->Input(name, DType::kF16, dims)
                                : f->State(name, DType::kF16, dims));
    }
  }
}

std::string CacheStates::Read(bool keys, int layer, const std::string& p) {
  const std::string name = p + (keys ? "k_old" : "v_old");
  if (spec_.states != StateLayout::kUnified) {
    const size_t index = 2 * static_cast<size_t>(layer) + (keys ? 0 : 1);
    if (spec_.states == StateLayout::kOutside) return states_[index];
    return f_->Op("read_state", name, {{"input", {states_[index]}}});
  }
  if (unified_.empty()) unified_ = f_->Op("read_state", "kv_old", {{"input", {states_[0]}}});
  const int64_t at = layer + (keys ? 0 : spec_.num_layers);
  return ops::Slice(f_, name, unified_, 0, at, at + 1);
}

std::string CacheStates::Write(bool keys, int layer, const std::string& p, const std::string& old,
                               const std::string& fresh) {
  const std::string name = p + (keys ? "k_new" : "v_new");
  Dims begin(4, 0);
  if (spec_.states == StateLayout::kPerLayer) {
    const size_t index = 2 * static_cast<size_t>(layer) + (keys ? 0 : 1);
    std::string updated = UpdateRange(f_, name, old, fresh, begin, f_->TypeOf(old).dims);
    f_->Op("write_state", name + "_write_state",
           {{"input", {states_[index]}}, {"data", {updated}}});
    return updated;
  }
  begin[0] = layer + (keys ? 0 : spec_.num_layers);
  Dims end = f_->TypeOf(unified_).dims;
  end[0] = begin[0] + 1;
  unified_ = UpdateRange(f_, name, unified_, fresh, begin, end);
  return fresh;
}

void CacheStates::Finish() {
  if (spec_.states != StateLayout::kUnified) return;
  f_->Op("write_state", "kv_write_state", {{"input", {states_[0]}}, {"data", {unified_}}});
}

}  // namespace headway::mil
