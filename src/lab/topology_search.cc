#include "lab/topology_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "lab/measure/turns.h"

namespace headway::lab {

std::optional<Cover> CheapestCover(const std::vector<ShardEdge>& edges, int64_t num_layers) {
  // best[i]: the cheapest cover of [0, i).
  std::vector<std::optional<Cover>> best(static_cast<size_t>(num_layers) + 1);
  best[0] = Cover{};
  std::vector<ShardEdge> sorted = edges;
  std::sort(sorted.begin(), sorted.end(),
            [](const ShardEdge& a, const ShardEdge& b) { return a.begin < b.begin; });
  for (const ShardEdge& edge : sorted) {
    if (edge.begin < 0 || edge.end <= edge.begin || edge.end > num_layers) continue;
    const std::optional<Cover>& before = best[static_cast<size_t>(edge.begin)];
    if (!before) continue;
    std::optional<Cover>& after = best[static_cast<size_t>(edge.end)];
    const double ns = before->ns + edge.ns;
    const bool fewer = after && ns == after->ns && before->edges.size() + 1 < after->edges.size();
    if (after && ns >= after->ns && !fewer) continue;
    Cover cover = *before;
    cover.edges.push_back(edge);
    cover.ns = ns;
    after = std::move(cover);
  }
  return best.back();
}

TopologyFinding SearchTopology(const Results& results) {
  using Key = std::pair<int64_t, int64_t>;
  std::map<Key, std::vector<double>> times;
  std::set<Key> failed;
  double layer_bytes = 0;
  for (const VariantResult& variant : results.variants) {
    std::vector<const ShardFacts*> layers;
    for (const ShardFacts& shard : variant.shards) {
      if (!shard.is_head) layers.push_back(&shard);
    }
    double bytes = 0;
    for (size_t i = 0; i < layers.size(); ++i) {
      const Key key{layers[i]->begin, layers[i]->end};
      bytes += static_cast<double>(layers[i]->bytes);
      if (layers[i]->failed) failed.insert(key);
      if (variant.status != Status::kReady || variant.spec.batch_tokens != 1) continue;
      for (const Sample& sample : variant.samples) {
        if (i < sample.layer_shard_ns.size()) times[key].push_back(sample.layer_shard_ns[i]);
      }
    }
    if (bytes > 0 && (layer_bytes == 0 || bytes < layer_bytes)) layer_bytes = bytes;
  }
  TopologyFinding finding;
  for (const auto& [key, values] : times) {
    if (failed.count(key) != 0 || values.empty()) continue;
    finding.measured.push_back(
        {.begin = key.first, .end = key.second, .ns = measure::Summarise(values).median});
  }
  for (const Key& key : failed)
    finding.failed.push_back({.begin = key.first, .end = key.second, .ns = 0});
  finding.cheapest = CheapestCover(finding.measured, results.num_layers);
  if (!results.bandwidth.empty())
    finding.bound_ns = layer_bytes / measure::Summarise(results.bandwidth).median * 1e9;
  return finding;
}

std::string Text(const Cover& cover) {
  std::string text;
  for (const ShardEdge& edge : cover.edges)
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", edge.begin, edge.end);
  return text;
}

}  // namespace headway::lab
