#pragma once

// Runs a shard twice: on the cpu device from an emitted file, and in the oracle.

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "graph/builder.h"
#include "graph/graph.h"
#include "model_fixture.h"
#include "truth/oracle/oracle.h"

namespace headway::parity {

// Stored tensors by name, for the emitter and the oracle alike.
class StoredTensors {
 public:
  // Normal values with the standard deviation 1 / sqrt(columns).
  graph::WeightId Add(graph::Builder* b, const std::string& name, DataType type, int64_t rows,
                      int64_t columns);
  graph::WeightId Set(graph::Builder* b, const std::string& name, DataType type, const Shape& shape,
                      const std::vector<float>& values);

  // Valid while this object lives.
  Result<ConstTensorView> View(const std::string& name) const;

 private:
  struct Tensor {
    DataType type;
    Shape shape;
    std::vector<std::byte> bytes;
  };
  std::mt19937_64 random_{5};
  std::map<std::string, Tensor> tensors_;
};

// What the oracle reads: the emitter's weights, dequantised.
oracle::WeightReader ReaderOf(WeightSource source);

// The output of some steps, [T, N].
struct Outputs {
  std::vector<float> device;
  std::vector<double> oracle;
};

class ShardOracleTest : public testing::Test {
 protected:
  // Emits the shard to a file, loads it, and runs both for consecutive steps of the given widths
  // over normal inputs of that standard deviation.
  Outputs RunBoth(const graph::Graph& shard, const WeightSource& source,
                  const std::vector<int64_t>& widths, double deviation = 1.0);

  std::vector<float> inputs_;  // of all steps
  int64_t num_pairs_ = 1;      // of the rotary tables

 private:
  void FillTables(int64_t first, int64_t num_tokens);

  const TestModel model_{"tiny-phi", "f32"};  // for its machine; the shards come from the tests
  const std::unique_ptr<OpenedModel> opened_ =
      OpenPackage(model_.Pack("2", {"full:1"}), {.threads = 1});
  TemporaryDirectory directory_;
  std::vector<float> cos_;
  std::vector<float> sin_;
};

}  // namespace headway::parity
