// What the CPU backend computes from an emitted shard file against the oracle on the same stored
// weights. First op by op with derived bounds, then whole fused layers and the head of the tiny
// models, for every weight type.

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/aligned_buffer.h"
#include "gguf/gguf_file.h"
#include "graph/builder.h"
#include "graph/passes.h"
#include "model/model.h"
#include "oracle/oracle.h"
#include "partition/partition.h"
#include "tensor/codec.h"
#include "test_model.h"

namespace headway::parity {
namespace {

using graph::Graph;
using graph::ValueId;

constexpr double kUnit = 0x1p-24;  // rounding to binary32: |rounded - x| <= kUnit |x|

// Higham's gamma: n roundings in a row change a sum of products by at most Gamma(n) times the sum
// of absolute products.
double Gamma(double n) { return n * kUnit / (1 - n * kUnit); }

// Stored tensors by name, for the emitter and the oracle alike.
class StoredTensors {
 public:
  graph::WeightId Add(graph::Builder* b, const std::string& name, DataType type, int64_t rows,
                      int64_t columns) {
    std::normal_distribution<float> normal(0, 1.0F / std::sqrt(static_cast<float>(columns)));
    std::vector<float> values(static_cast<size_t>(rows * columns));
    for (float& value : values) value = normal(random_);
    return Set(b, name, type, Shape{rows, columns}, values);
  }
  graph::WeightId Set(graph::Builder* b, const std::string& name, DataType type, const Shape& shape,
                      const std::vector<float>& values) {
    const int64_t row_bytes = RowBytes(type, shape.Columns());
    Tensor& tensor = tensors_[name];
    tensor = {type, shape, std::vector<std::byte>(static_cast<size_t>(shape.Rows() * row_bytes))};
    for (int64_t row = 0; row < shape.Rows(); ++row) {
      QuantiseRow(type, values.data() + row * shape.Columns(), shape.Columns(),
                  tensor.bytes.data() + row * row_bytes);
    }
    return b->AddWeight({.name = name, .type = type, .shape = shape});
  }

  Result<ConstTensorView> View(const std::string& name) const {
    const Tensor& tensor = tensors_.at(name);
    return ConstTensorView{.type = tensor.type,
                           .shape = tensor.shape,
                           .row_stride_bytes = RowBytes(tensor.type, tensor.shape.Columns()),
                           .data = tensor.bytes.data(),
                           .name = name};
  }

 private:
  struct Tensor {
    DataType type;
    Shape shape;
    std::vector<std::byte> bytes;
  };
  std::mt19937_64 random_{5};
  std::map<std::string, Tensor> tensors_;
};

oracle::WeightReader ReaderOf(WeightSource source) {
  return [source = std::move(source)](const std::string& name, int64_t row_begin, int64_t num_rows,
                                      std::span<float> out) -> Result<void> {
    HW_TRY(const ConstTensorView view, source(name));
    const int64_t columns = view.shape.Columns();
    for (int64_t row = 0; row < num_rows; ++row) {
      DequantiseRow(view.type, view.Row(row_begin + row), columns, out.data() + row * columns);
    }
    return {};
  };
}

// The output of one step, from the device and from the oracle.
struct Outputs {
  std::vector<float> device;
  std::vector<double> oracle;
};

class ShardOracleTest : public testing::Test {
 protected:
  // Emits the shard to a file, loads it and runs both for consecutive steps of the given widths
  // over random inputs.
  Outputs RunBoth(const Graph& shard, const WeightSource& source,
                  const std::vector<int64_t>& widths, double size = 1.0) {
    const std::string path = directory_.Path("test.shard");
    const auto emitter = MakeEmitterFor("cpu");
    const auto emitted = (*emitter)->Emit(shard, source, path, [](uint64_t) {});
    EXPECT_TRUE(emitted) << emitted.error().message;
    const auto loaded = opened_->backend->Load(path);
    EXPECT_TRUE(loaded) << loaded.error().message;
    auto oracle = oracle::Oracle::Create(shard, ReaderOf(source));
    EXPECT_TRUE(oracle) << oracle.error().message;
    const auto state = (*loaded)->NewState(64);
    AlignedBuffer scratch(static_cast<size_t>((*loaded)->ScratchBytes()));
    const int64_t D = shard.values[static_cast<size_t>(shard.inputs[0])].channels;
    const int64_t N = shard.values[static_cast<size_t>(shard.outputs[0])].channels;
    std::mt19937_64 random(3);
    std::normal_distribution<float> normal(0, static_cast<float>(size));
    Outputs outputs;
    int64_t position = 0;
    for (const int64_t T : widths) {
      std::vector<float> x(static_cast<size_t>(T * D));
      for (float& value : x) value = normal(random);
      Tables(position, T);
      std::vector<float> y(static_cast<size_t>(T * N));
      (*loaded)->Run({.num_tokens = T,
                      .first_position = position,
                      .input = x.data(),
                      .output = y.data(),
                      .output_stride = N,
                      .rotary_cos = cos_.data(),
                      .rotary_sin = sin_.data(),
                      .scratch = scratch.data()},
                     state.get());
      outputs.device.insert(outputs.device.end(), y.begin(), y.end());
      // The same binary32 tables: rounding them is the runtime's business.
      const std::vector<double> cos(cos_.begin(), cos_.end());
      const std::vector<double> sin(sin_.begin(), sin_.end());
      const auto expected = oracle->Run({.x = std::vector<double>(x.begin(), x.end()),
                                         .first_position = position,
                                         .rotary_cos = cos,
                                         .rotary_sin = sin});
      EXPECT_TRUE(expected) << expected.error().message;
      outputs.oracle.insert(outputs.oracle.end(), expected->begin(), expected->end());
      inputs_.insert(inputs_.end(), x.begin(), x.end());
      position += T;
    }
    return outputs;
  }

  void Tables(int64_t first, int64_t num_tokens) {
    cos_.clear();
    sin_.clear();
    for (int64_t t = 0; t < num_tokens; ++t) {
      for (int64_t i = 0; i < num_pairs_; ++i) {
        const double angle =
            static_cast<double>(first + t) *
            std::pow(100.0, -static_cast<double>(i) / static_cast<double>(num_pairs_));
        cos_.push_back(static_cast<float>(std::cos(angle)));
        sin_.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }

  const TestModel model_{"tiny-phi", "f32"};  // for its machine; the shards come from the tests
  const std::unique_ptr<OpenedModel> opened_ =
      OpenPackage(model_.Pack("2", {"full:1"}), {.threads = 1});
  TemporaryDirectory directory_;
  std::vector<float> inputs_;  // of all steps
  std::vector<float> cos_;
  std::vector<float> sin_;
  int64_t num_pairs_ = 1;
};

// A product alone: both sides round the same binary32 input to the same 8-bit codes, so only the
// products' own roundings stay. Quantised: per block two fused steps, one rounding each, and at
// most three more in the factors of a step; the oracle's weights carry one. Terms: a weight is code
// * scale + offset, both at most the block's largest weight in size up to a factor of two (the
// synthetic blocks have code 0 or the largest code at their extremes), so 4 max|w| |x| bounds a
// term of both. Float: a chain of D / 4 and two additions.
TEST_F(ShardOracleTest, Product_WithinItsRoundings) {
  constexpr int64_t kRows = 48;
  constexpr int64_t kColumns = 512;
  constexpr int64_t kTokens = 11;
  for (const DataType type : {DataType::kF32, DataType::kF16, DataType::kBF16, DataType::kQ8_0,
                              DataType::kQ4_0, DataType::kQ4_1, DataType::kQ5_0, DataType::kQ5_1,
                              DataType::kQ4_K, DataType::kQ5_K, DataType::kQ6_K}) {
    graph::Builder b;
    StoredTensors tensors;
    inputs_.clear();
    const ValueId x = b.Input("x", kColumns);
    b.Output(b.Linear("y", x, tensors.Add(&b, "w", type, kRows, kColumns)));
    const auto source = [&](const std::string& name) { return tensors.View(name); };
    const Outputs out = RunBoth(*b.Finish(), source, {kTokens});
    std::vector<float> w(kRows * kColumns);
    ASSERT_TRUE(ReaderOf(source)("w", 0, kRows, w));
    double worst = 0;
    for (size_t t = 0; t < kTokens; ++t) {
      for (size_t n = 0; n < kRows; ++n) {
        double bound = 0;
        for (size_t block = 0; block < kColumns; block += 32) {
          double largest = 0;
          double products = 0;
          double activations = 0;
          for (size_t c = block; c < block + 32; ++c) {
            const double weight = std::fabs(static_cast<double>(w[n * kColumns + c]));
            const double activation = std::fabs(static_cast<double>(inputs_[t * kColumns + c]));
            largest = std::max(largest, weight);
            products += weight * activation;
            activations += activation;
          }
          bound += IsQuantised(type) ? 4 * largest * activations : products;
        }
        bound *= Gamma(IsQuantised(type) ? 2 * kColumns / 32 + 4 : kColumns / 4 + 2);
        const double error =
            std::fabs(static_cast<double>(out.device[t * kRows + n]) - out.oracle[t * kRows + n]);
        ASSERT_LE(error, bound) << Traits(type).name << " t " << t << " n " << n;
        worst = std::max(worst, error / bound);
      }
    }
    EXPECT_GT(worst, 0.0) << Traits(type).name;  // the comparison compares something
  }
}

// The matrix that changes nothing: every product is a value times one, every other term an exact
// zero.
ValueId Identity(graph::Builder* b, StoredTensors* tensors, ValueId x, int64_t n) {
  std::vector<float> one(static_cast<size_t>(n * n));
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) one[i * static_cast<size_t>(n) + i] = 1.0F;
  return b->Linear("identity", x, tensors->Set(b, "one", DataType::kF32, Shape{n, n}, one));
}

// Norm: D / 16 + 4 roundings in the sum of squares count half in its root, then five more. SwiGLU:
// exp is within one last place (two units); its sum, quotient and product round once each. Together
// below 16 + D / 32 units, relative.
TEST_F(ShardOracleTest, NormAndSwiGlu_WithinTheirRoundings) {
  constexpr int64_t kChannels = 96;
  graph::Builder b;
  StoredTensors tensors;
  std::vector<float> gains(kChannels);
  for (size_t c = 0; c < gains.size(); ++c) gains[c] = 0.5F + 0.01F * static_cast<float>(c);
  const auto gain = tensors.Set(&b, "gain", DataType::kF32, Shape{kChannels}, gains);
  const ValueId x = b.Input("x", kChannels);
  const ValueId y = b.RmsNorm("n", x, gain, 1e-5F);
  b.Output(Identity(&b, &tensors, b.Mul("product", b.Silu("silu", y), x), kChannels));
  const auto source = [&](const std::string& name) { return tensors.View(name); };
  const auto fused = graph::RunPasses(*b.Finish(), graph::DefaultPasses());
  const Outputs out = RunBoth(*fused, source, {7}, 3.0);
  for (size_t i = 0; i < out.device.size(); ++i) {
    // silu multiplies a relative error of its argument by at most 1 + |x|.
    const double argument = std::fabs(static_cast<double>(inputs_[i]));
    const double bound =
        (16 + kChannels / 32.0) * kUnit * (2 + 3 * argument) * std::fabs(out.oracle[i]) + 1e-30;
    ASSERT_NEAR(static_cast<double>(out.device[i]), out.oracle[i], bound) << i;
  }
}

// Attention without rotary: keys and values round to the same binary16. With |error of a score| <=
// e, a softmax weight is off by a factor of at most exp(2e); each of its sums rounds once a
// position.
TEST_F(ShardOracleTest, Attention_WithinItsRoundings) {
  constexpr int64_t kHeads = 4;
  constexpr int64_t kKvHeads = 2;
  constexpr int64_t kDim = 16;
  constexpr int64_t kPositions = 40;
  for (const int64_t window : {0, 1, 5, 16, 17}) {
    graph::Builder b;
    StoredTensors tensors;
    const ValueId x = b.Input("x", (kHeads + 2 * kKvHeads) * kDim);
    const graph::AttentionAttributes attributes{.layer = 0,
                                                .num_heads = kHeads,
                                                .num_kv_heads = kKvHeads,
                                                .head_dim = kDim,
                                                .window = window,
                                                .scale = 0.25F};
    const ValueId q = b.Slice("q", x, 0, kHeads * kDim);
    const ValueId k = b.Slice("k", x, kHeads * kDim, (kHeads + kKvHeads) * kDim);
    const ValueId v = b.Slice("v", x, (kHeads + kKvHeads) * kDim, (kHeads + 2 * kKvHeads) * kDim);
    b.Output(Identity(&b, &tensors, b.Attention("a", q, k, v, attributes), kHeads * kDim));
    const auto source = [&](const std::string& name) { return tensors.View(name); };
    inputs_.clear();
    const Outputs out = RunBoth(*b.Finish(), source, {1, 19, 3, 1, 16}, 2.0);
    // Inputs are below 6 standard deviations of 2: a score below 16 * 12 * 12 * 0.25 in absolute
    // terms.
    double largest = 0;
    for (const float value : inputs_)
      largest = std::max(largest, std::fabs(static_cast<double>(value)));
    const double score = kDim * largest * largest * 0.25;
    const double score_error = Gamma(kDim + 2) * score + 2 * kUnit * score;
    const double bound = (2 * score_error + Gamma(2 * kPositions + 8)) * largest * 1.01;
    ASSERT_EQ(out.device.size(), static_cast<size_t>(kPositions * kHeads * kDim));
    for (size_t i = 0; i < out.device.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(out.device[i]), out.oracle[i], bound)
          << "window " << window << " " << i;
    }
  }
}

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
  const auto whole = graph::RunPasses(*model::BuildGraph(*file, *config), graph::DefaultPasses());
  const auto source = [&](const std::string& name) { return file->GetTensor(name); };
  const bool is_float = type == "f32" || type == "f16" || type == "bf16";
  for (const partition::Range stages : {partition::Range{0, 1}, {1, 2}, {0, 2}, {2, 3}}) {
    const auto shard = partition::CutStages(*whole, stages);
    ASSERT_TRUE(shard) << shard.error().message;
    const Outputs out = RunBoth(*shard, source, {13, 1, 2, 1, 8});
    const auto channels =
        static_cast<size_t>(shard->values[static_cast<size_t>(shard->outputs[0])].channels);
    const std::vector<double> errors = TokenErrors(out, channels);
    EXPECT_LT(errors.back(), WorstJumps(is_float)) << stages.begin << ":" << stages.end;
    if (!is_float && stages.end - stages.begin == 1) {
      EXPECT_LT(errors[errors.size() / 2], kNoCodeJumped) << stages.begin << ":" << stages.end;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, TinyShardTest,
                         testing::Combine(testing::Values("tiny-phi", "tiny-llama"),
                                          testing::ValuesIn(AllTypes())),
                         [](const auto& test) {
                           std::string name =
                               std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace headway::parity
