#include "pack/record_ranges.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/oracle_angles.h"
#include "graph/cut.h"
#include "pack/file_rows.h"
#include "pack/record_goldens.h"
#include "truth/oracle/oracle.h"

namespace headway::pack {
namespace {

// The names of the values that carry the residual stream in a stage: what it takes and all sums.
std::set<std::string> ResidualStream(const graph::Graph& stage) {
  std::set<std::string> names;
  const auto add = [&](graph::ValueId value) {
    names.insert(stage.values[static_cast<size_t>(value)].name);
  };
  for (const graph::ValueId input : stage.inputs) add(input);
  for (const graph::Node& node : stage.nodes) {
    if (node.op == graph::Op::kAdd) add(node.output);
    // The embedding's scale, if any.
    if (node.op == graph::Op::kScale && node.inputs[0] == stage.inputs[0]) add(node.output);
  }
  return names;
}

// What is read of one stage.
class Notes {
 public:
  explicit Notes(const graph::Graph& stage) : residual_stream_(ResidualStream(stage)) {
    for (const graph::Node& node : stage.nodes) {
      if (node.op != graph::Op::kRmsNorm) continue;
      const graph::Value& input = stage.values[static_cast<size_t>(node.inputs[0])];
      const auto group = std::get<graph::RmsNormAttributes>(node.attributes).group;
      norms_.push_back({.input = input.name,
                        .name = stage.values[static_cast<size_t>(node.output)].name,
                        .group = static_cast<size_t>(group == 0 ? input.channels : group)});
    }
  }

  void Take(const oracle::Oracle& oracle, graph::ValueRanges* ranges) const {
    oracle.ForValues([&](const std::string& name, std::span<const double> values) {
      double largest = 0;
      for (const double value : values) largest = std::max(largest, std::abs(value));
      Raise(largest, &ranges->largest[name]);
      if (residual_stream_.count(name) > 0) Raise(largest, &ranges->residual_stream);
      for (const Norm& norm : norms_) {
        if (norm.input == name)
          Raise(LargestLength(values, norm.group), &ranges->normalised[norm.name]);
      }
    });
  }

  // Of a stage that is not run: its input alone.
  void TakeInput(std::span<const double> values, graph::ValueRanges* ranges) const {
    for (const Norm& norm : norms_)
      Raise(LargestLength(values, norm.group), &ranges->normalised[norm.name]);
  }

 private:
  struct Norm {
    std::string input, name;
    size_t group;  // values that are normalised together
  };

  static void Raise(double value, float* noted) {
    *noted = std::max(*noted, static_cast<float>(value));
  }
  static double LargestLength(std::span<const double> values, size_t group) {
    double largest = 0;
    for (size_t begin = 0; begin < values.size(); begin += group) {
      double squares = 0;
      for (const double value : values.subspan(begin, group)) squares += value * value;
      largest = std::max(largest, std::sqrt(squares));
    }
    return largest;
  }

  std::set<std::string> residual_stream_;
  std::vector<Norm> norms_;
};

}  // namespace

Result<graph::ValueRanges> RecordRanges(const gguf::GgufFile& file, const PackPlan& plan,
                                        const PackOptions& options) {
  uint64_t num_weights = 0;
  for (const auto& [range, graph] : plan.layers) {
    for (const graph::Weight& weight : graph.weights)
      num_weights += static_cast<uint64_t>(weight.shape.Rows() * weight.shape.Columns());
  }
  HW_TRY(const std::vector<int32_t> ids,
         GoldenIds(file, plan.model, PositionsFor(static_cast<int64_t>(num_weights)), 0));
  FileRows rows(file, "recording", num_weights, options.show_progress, options.cancelled_or_null);
  const oracle::WeightReader reader = rows.Reader();
  const oracle::OracleOptions exact{.quantise_activations = false, .kv_f16 = false};
  const OracleAngles angles(plan.model, static_cast<int64_t>(ids.size()));
  graph::ValueRanges ranges;
  std::vector<double> x;
  const auto run = [&](graph::Graph stage, const oracle::OracleStep& step) -> Result<void> {
    const Notes notes(stage);
    HW_TRY(oracle::Oracle oracle, oracle::Oracle::Create(std::move(stage), reader, exact));
    HW_TRY(x, oracle.Run(step));
    notes.Take(oracle, &ranges);
    return {};
  };
  HW_TRY_VOID(run(plan.embedding, {.ids = ids}));
  for (const auto& [range, graph] : plan.layers) {
    for (int64_t layer = range.begin; layer < range.end; ++layer) {
      HW_TRY(graph::Graph stage, graph::CutStages(graph, {.begin = layer, .end = layer + 1}));
      HW_TRY_VOID(run(std::move(stage), {.x = x, .rotary = angles.Tables()}));
    }
  }
  const Notes head(plan.head);  // its norm reads what the last layer gave
  head.TakeInput(x, &ranges);
  return ranges;
}

}  // namespace headway::pack
