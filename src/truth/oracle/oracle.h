#pragma once

// The oracle: interprets a graph in double precision, node by node. What it says is right by
// definition, and every device's shards are compared with it. It can imitate the two roundings that
// devices make on purpose (8-bit activations before quantised products, 16-bit keys and values), so
// that a comparison sees everything else. Slow; for tests and gates.

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace headway::oracle {

// Writes rows [row_begin, row_begin + num_rows) of the model file's tensor `name` to `out`,
// dequantised; a vector is one row.
//   out: [num_rows, columns] f32
using WeightReader = std::function<Result<void>(const std::string& name, int64_t row_begin,
                                                int64_t num_rows, std::span<float> out)>;

struct OracleOptions {
  // Blocks of 32 to 8 bits before products with quantised weights.
  bool quantise_activations = true;
  bool kv_f16 = true;  // keys and values are kept in binary16
};

// What rotary turns T tokens by; [T, n_rot / 2] each, attention factor included.
struct RotaryTable {
  std::span<const double> cos;
  std::span<const double> sin;
};

// T consecutive tokens.
struct OracleStep {
  std::vector<double> x = {};     // [T, D]: the graph's input, when it takes values
  std::vector<int32_t> ids = {};  // [T]: when it takes token ids
  // Of the first token; what the cache holds from there on is forgotten.
  int64_t first_position = 0;
  std::vector<RotaryTable> rotary = {};  // by RotaryAttributes::table; empty without rotary
};

class Oracle {
 public:
  // `graph` has one input and one output. Errors: kInvalidInput (a graph that does not verify).
  static Result<Oracle> Create(graph::Graph graph, WeightReader weights,
                               OracleOptions options = {});

  // The graph's output [T, N]. Keys and values of these tokens are kept for later steps. Errors:
  // kInvalidInput (an input, id, position or table that does not fit the graph); those of the
  // WeightReader.
  Result<std::vector<double>> Run(const OracleStep& step);

  // Calls see(name, values) with every value of the last Run(), its input included.
  template <class See>
  void ForValues(const See& see) const {
    for (size_t i = 0; i < values_.size(); ++i) {
      if (!values_[i].empty()) see(graph_.values[i].name, std::span<const double>(values_[i]));
    }
  }

 private:
  struct Cache {  // of one layer: [positions, Hk * d]
    std::vector<double> keys;
    std::vector<double> values;
  };

  Oracle(graph::Graph graph, WeightReader weights, OracleOptions options)
      : graph_(std::move(graph)), weights_(std::move(weights)), options_(options) {}

  Result<int64_t> CheckStep(const OracleStep& step) const;
  Result<std::vector<double>> RunNode(const graph::Node& node, const OracleStep& step,
                                      int64_t num_tokens);
  Result<std::vector<float>> ReadRows(graph::WeightId id, int64_t row, int64_t num_rows) const;
  Result<std::vector<double>> Embed(const graph::Node& node, std::span<const int32_t> ids) const;
  Result<std::vector<double>> Linear(const graph::Node& node, std::vector<double> x,
                                     int64_t num_tokens) const;
  std::vector<double> Attend(const graph::Node& node, int64_t first_position);
  const std::vector<double>& Input(const graph::Node& node, size_t i) const {
    return values_[static_cast<size_t>(node.inputs[i])];
  }

  graph::Graph graph_;
  WeightReader weights_;
  OracleOptions options_;
  std::vector<std::vector<double>> values_;  // of the current step, by graph::ValueId
  std::map<int64_t, Cache> caches_;          // by layer
  int64_t cached_ = 0;                       // positions
};

}  // namespace headway::oracle
