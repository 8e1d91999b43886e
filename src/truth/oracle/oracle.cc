#include "truth/oracle/oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "truth/oracle/ops.h"

namespace headway::oracle {
namespace {

constexpr size_t kTokens = 4;  // multiplied with a row of weights at once

tl::unexpected<Error> BadStep(const std::string& what, const std::string& expected, int64_t found) {
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("oracle: {}: expected {}, found {}", what, expected, found));
}

void Append(const std::vector<double>& from, int64_t kept, bool half, std::vector<double>* to) {
  to->resize(static_cast<size_t>(kept));
  for (const double value : from) to->push_back(half ? RoundToHalf(value) : value);
}

}  // namespace

Result<Oracle> Oracle::Create(graph::Graph graph, WeightReader weights, OracleOptions options) {
  HW_TRY_VOID(graph::Verify(graph));
  if (graph.inputs.size() != 1 || graph.outputs.size() != 1) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("oracle: expected a graph with one input and one output, found {} and {}",
                    graph.inputs.size(), graph.outputs.size()));
  }
  return Oracle(std::move(graph), std::move(weights), options);
}

// The number of tokens T of a step that fits the graph.
Result<int64_t> Oracle::CheckStep(const OracleStep& step) const {
  const graph::Value& input = graph_.values[static_cast<size_t>(graph_.inputs[0])];
  const auto num_values = static_cast<int64_t>(step.x.size());
  const int64_t T =
      input.is_ids ? static_cast<int64_t>(step.ids.size()) : num_values / input.channels;
  if (T < 1 || (!input.is_ids && num_values % input.channels != 0)) {
    return BadStep(input.name, fmt::format("rows of {}", input.channels),
                   input.is_ids ? T : num_values);
  }
  if (step.first_position < 0 || step.first_position > cached_) {
    return BadStep("first position", fmt::format("0 to {}", cached_), step.first_position);
  }
  for (const graph::Node& node : graph_.nodes) {
    const auto* rotary = std::get_if<graph::RotaryAttributes>(&node.attributes);
    if (rotary == nullptr) continue;
    const auto number = static_cast<size_t>(rotary->table);
    if (number >= step.rotary.size()) {
      return BadStep("rotary tables", fmt::format("table {}", number),
                     static_cast<int64_t>(step.rotary.size()));
    }
    for (const auto table : {step.rotary[number].cos, step.rotary[number].sin}) {
      const auto size = static_cast<int64_t>(table.size());
      if (size != T * (rotary->n_rot / 2)) {
        return BadStep("rotary table", fmt::format("{} values", T * (rotary->n_rot / 2)), size);
      }
    }
  }
  return T;
}

Result<std::vector<double>> Oracle::Run(const OracleStep& step) {
  HW_TRY(const int64_t T, CheckStep(step));
  values_.assign(graph_.values.size(), {});
  values_[static_cast<size_t>(graph_.inputs[0])] = step.x;
  for (const graph::Node& node : graph_.nodes) {
    HW_TRY(values_[static_cast<size_t>(node.output)], RunNode(node, step, T));
  }
  cached_ = step.first_position + T;
  return values_[static_cast<size_t>(graph_.outputs[0])];
}

Result<std::vector<double>> Oracle::RunNode(const graph::Node& node, const OracleStep& step,
                                            int64_t num_tokens) {
  switch (node.op) {
    case graph::Op::kEmbedding:
      return Embed(node, step.ids);
    case graph::Op::kRmsNorm: {
      HW_TRY(const std::vector<float> gain, ReadRows(node.weights[0], 0, 1));
      return RmsNorm(Input(node, 0), gain,
                     static_cast<double>(std::get<graph::RmsNormAttributes>(node.attributes).eps));
    }
    case graph::Op::kLinear:
      return Linear(node, Input(node, 0), num_tokens);
    case graph::Op::kBias: {
      HW_TRY(const std::vector<float> vector, ReadRows(node.weights[0], 0, 1));
      return AddBias(Input(node, 0), vector);
    }
    case graph::Op::kSlice: {
      const auto& slice = std::get<graph::SliceAttributes>(node.attributes);
      const int64_t channels = graph_.values[static_cast<size_t>(node.inputs[0])].channels;
      return Slice(Input(node, 0), channels, slice.begin, slice.end);
    }
    case graph::Op::kRotary: {
      const auto& rotary = std::get<graph::RotaryAttributes>(node.attributes);
      const RotaryTable& table = step.rotary[static_cast<size_t>(rotary.table)];
      return Rotary(Input(node, 0), num_tokens, rotary, table.cos, table.sin);
    }
    case graph::Op::kAttention:
      return Attend(node, step.first_position);
    case graph::Op::kAdd:
      return Add(Input(node, 0), Input(node, 1));
    case graph::Op::kGate:
      return Gate(std::get<graph::GateAttributes>(node.attributes).activation, Input(node, 0),
                  Input(node, 1));
    case graph::Op::kScale:
      return Scale(Input(node, 0),
                   static_cast<double>(std::get<graph::ScaleAttributes>(node.attributes).factor));
    case graph::Op::kTop1:
      return Top1(Input(node, 0), num_tokens);
    case graph::Op::kBlockMax:
      return BlockMax(Input(node, 0), num_tokens,
                      std::get<graph::BlockMaxAttributes>(node.attributes).rows);
  }
  return Fail(ErrorCode::kInvalidInput, "oracle: expected an op of the table, found another");
}

// `row` counts from the weight's own first row.
Result<std::vector<float>> Oracle::ReadRows(graph::WeightId id, int64_t row,
                                            int64_t num_rows) const {
  const graph::Weight& weight = graph_.weights[static_cast<size_t>(id)];
  std::vector<float> rows(static_cast<size_t>(num_rows * weight.shape.Columns()));
  HW_TRY_VOID(weights_(weight.name, weight.row_begin + row, num_rows, rows));
  return rows;
}

Result<std::vector<double>> Oracle::Embed(const graph::Node& node,
                                          std::span<const int32_t> ids) const {
  const int64_t num_rows = graph_.weights[static_cast<size_t>(node.weights[0])].shape[0];
  std::vector<double> out;
  for (const int32_t id : ids) {
    if (id < 0 || id >= num_rows)
      return BadStep("token", fmt::format("an id from 0 to {}", num_rows - 1), id);
    HW_TRY(const std::vector<float> row, ReadRows(node.weights[0], id, 1));
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

Result<std::vector<double>> Oracle::Linear(const graph::Node& node, std::vector<double> x,
                                           int64_t num_tokens) const {
  const graph::Weight& weight = graph_.weights[static_cast<size_t>(node.weights[0])];
  const auto D = static_cast<size_t>(weight.shape.Columns());
  const auto N = static_cast<size_t>(weight.shape[0]);
  const auto T = static_cast<size_t>(num_tokens);
  if (options_.quantise_activations && IsQuantised(weight.type)) x = RoundToBlocks(std::move(x));
  std::vector<double> y(T * N);
  for (size_t n = 0; n < N;
       ++n) {  // one row at a time: a matrix of any size runs in a little memory
    HW_TRY(const std::vector<float> w, ReadRows(node.weights[0], static_cast<int64_t>(n), 1));
    // Four tokens at a time: a sum waits 4 cycles for its last addition, four sums fill the gap.
    // Each token's own sum stays in channel order.
    for (size_t begin = 0; begin < T; begin += kTokens) {
      const size_t count = std::min(kTokens, T - begin);
      std::array<const double*, kTokens> token{};  // a missing token repeats the last one
      for (size_t i = 0; i < kTokens; ++i) token[i] = &x[(begin + std::min(i, count - 1)) * D];
      std::array<double, kTokens> sum{};
      for (size_t c = 0; c < D; ++c) {
        for (size_t i = 0; i < kTokens; ++i) sum[i] += static_cast<double>(w[c]) * token[i][c];
      }
      for (size_t i = 0; i < count; ++i) y[(begin + i) * N + n] = sum[i];
    }
  }
  return SoftCap(std::move(y), static_cast<double>(graph::SoftCapOf(node)));
}

std::vector<double> Oracle::Attend(const graph::Node& node, int64_t first_position) {
  const auto& a = std::get<graph::AttentionAttributes>(node.attributes);
  Cache& cache = caches_[a.layer];
  const int64_t kept = first_position * a.num_kv_heads * a.head_dim;
  Append(Input(node, 1), kept, options_.kv_f16, &cache.keys);
  Append(Input(node, 2), kept, options_.kv_f16, &cache.values);
  return Attention(Input(node, 0), cache.keys, cache.values, first_position, a);
}

}  // namespace headway::oracle
