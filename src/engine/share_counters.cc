#include "engine/share_counters.h"

#include <algorithm>

namespace headway {
namespace {

constexpr uint64_t Counters::*kWhole[] = {
    &Counters::embed_ns,         &Counters::rope_mask_ns,    &Counters::layers_ns,
    &Counters::head_predict_ns,  &Counters::head_fallbacks,  &Counters::head_predict_shard_work_ns,
    &Counters::head_planes_read, &Counters::layers_meetings, &Counters::head_meetings};
constexpr uint64_t Counters::*kShared[] = {&Counters::layers_bytes_read, &Counters::head_bytes_read,
                                           &Counters::head_rows_computed};

void Add(const std::vector<uint64_t>& from, std::vector<uint64_t>* to) {
  for (size_t i = 0; i < from.size(); ++i) (*to)[i] += from[i];
}

}  // namespace

Counters NoCounts(const Pipeline& pipeline) {
  Counters counters;
  counters.layer_shard_ns.assign(pipeline.Layers().size(), 0);
  counters.head_shard_ns.assign(pipeline.Head().shards.size(), 0);
  return counters;
}

void ClearCounts(Counters* counters) {
  for (const auto field : kWhole) counters->*field = 0;
  for (const auto field : kShared) counters->*field = 0;
  std::fill(counters->layer_shard_ns.begin(), counters->layer_shard_ns.end(), 0);
  std::fill(counters->head_shard_ns.begin(), counters->head_shard_ns.end(), 0);
}

void AddShare(const Counters& pass, size_t num_rows, Counters* to) {
  for (const auto field : kWhole) to->*field += pass.*field;
  for (const auto field : kShared) to->*field += pass.*field / num_rows;
  Add(pass.layer_shard_ns, &to->layer_shard_ns);
  Add(pass.head_shard_ns, &to->head_shard_ns);
}

}  // namespace headway
