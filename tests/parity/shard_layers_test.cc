// Fused layers and heads of the tiny models, from emitted shard files, against the oracle. For
// every weight type.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "gguf/gguf_file.h"
#include "graph/cut.h"
#include "model/model.h"
#include "shard_fixture.h"

namespace headway::parity {
namespace {

// Whole shards, token by token. In a chain of ops a value that differs in its last binary32 places
// may round to the neighbouring 8-bit code (or binary16 key), so errors come in jumps. Most tokens
// of one stage see no jump of their own codes, only some of the many keys and values before them:
// one of 500 moves by 2^-11, which is sqrt(2 / 500) * 2^-11 / sqrt(12) = 9e-6 of the attention's
// output. A jump of a code moves what follows, so that more of it jumps; at worst all codes round
// independently of the oracle's: steps of 1 / 127 of a block's largest value (three times the root
// mean square), uniformly distributed, in both: sqrt(2) * 3 / 127 / sqrt(12) = 1e-2. Float weights
// jump in keys and values only: sqrt(2) * 2^-11 / sqrt(12) = 2e-4 at worst. A wrong rotation, mask
// or scale is beyond 1e-1 for most tokens.
constexpr double kNoCodeJumped = 1e-5;

double WorstJumps(bool float_weights) { return float_weights ? 2e-4 : 1e-2; }

// |device - oracle| / |oracle| of each token, ascending.
std::vector<double> TokenErrors(const Outputs& out, size_t channels) {
  std::vector<double> errors;
  for (size_t row = 0; row < out.oracle.size(); row += channels) {
    double difference = 0;
    double squares = 0;
    for (size_t i = row; i < row + channels; ++i) {
      difference += std::pow(static_cast<double>(out.device[i]) - out.oracle[i], 2);
      squares += out.oracle[i] * out.oracle[i];
    }
    errors.push_back(std::sqrt(difference / squares));
  }
  std::sort(errors.begin(), errors.end());
  return errors;
}

class TinyShardTest : public ShardOracleTest,
                      public testing::WithParamInterface<std::tuple<const char*, std::string>> {};

TEST_P(TinyShardTest, LayersAndHead_AgreeWithTheOracle) {
  const auto [shape, type] = GetParam();
  const TestModel model(shape, type);
  const auto file = gguf::GgufFile::Open(model.File());
  ASSERT_TRUE(file);
  const auto config = model::ReadModelConfig(*file);
  ASSERT_TRUE(config);
  num_pairs_ = config->rotary_dim / 2;
  const auto whole = model::BuildGraph(*file, *config);
  const auto source = [&](const std::string& name) { return file->GetTensor(name); };
  const bool is_float = type == "f32" || type == "f16" || type == "bf16";
  const int64_t head = config->num_hidden_layers;
  for (const graph::Range stages : {graph::Range{0, 1}, {1, 2}, {0, 2}, {2, 3}, {head, head + 1}}) {
    const auto shard = graph::CutStages(*whole, stages);
    ASSERT_TRUE(shard) << shard.error().message;
    const Outputs out = RunBoth(*shard, source, {13, 1, 2, 1, 8});
    const auto channels =
        static_cast<size_t>(shard->values[static_cast<size_t>(shard->outputs[0])].channels);
    const std::vector<double> errors = TokenErrors(out, channels);
    // Codes of every layer may jump.
    EXPECT_LT(errors.back(), WorstJumps(is_float) * static_cast<double>(stages.end - stages.begin))
        << stages.begin << ":" << stages.end;
    if (!is_float && stages.end - stages.begin == 1) {
      EXPECT_LT(errors[errors.size() / 2], kNoCodeJumped) << stages.begin << ":" << stages.end;
    }
  }
}

std::string CaseName(const testing::TestParamInfo<TinyShardTest::ParamType>& test) {
  std::string name = std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Types, TinyShardTest,
                         testing::Combine(testing::Values("tiny-phi", "tiny-llama", "tiny-qwen3"),
                                          testing::ValuesIn(AllTypes())),
                         CaseName);

// Their layers differ in what no type touches.
INSTANTIATE_TEST_SUITE_P(Architectures, TinyShardTest,
                         testing::Combine(testing::Values("tiny-llama3", "tiny-qwen2",
                                                          "tiny-gemma2", "tiny-gemma3",
                                                          "tiny-smollm3", "tiny-granite",
                                                          "tiny-ernie4_5", "tiny-exaone4"),
                                          testing::Values("f32", "q8_0")),
                         CaseName);

}  // namespace
}  // namespace headway::parity
