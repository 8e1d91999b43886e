// Layer shards on disk against the oracle on the weights they store: Phi and Llama layers, every
// option of the lowering, every width, every weight format. What is left between the two is fp16.

#include <cmath>
#include <filesystem>
#include <utility>

#include "engine/rotary_tables.h"
#include "gguf/gguf_file.h"
#include "graph/cut.h"
#include "lab/synth/synthesise.h"
#include "model/model.h"
#include "shard_fixture.h"

namespace headway::coreml {
namespace {

// Relative RMS error of what `num_layers` layers add to their input. A layer rounds about 30 values
// in a chain, by at most 2^-11 each; as independent errors sqrt(30 L) 2^-11, and twice that for the
// roundings that are not independent.
double Fp16Bound(int64_t num_layers) {
  return 2 * std::sqrt(30.0 * static_cast<double>(num_layers)) * 0x1p-11;
}

struct Source {
  gguf::GgufFile file;
  ModelConfig config;
  graph::Graph layers;  // all of the model's
};

class CoremlLayersTest : public CoremlShardTest {
 protected:
  Source Open(const std::string& shape) const {
    const std::string path = directory_.Path(shape + ".gguf");
    const auto made = synth::Synthesise({.shape = shape, .type = "q8_0", .seed = 3}, path, nullptr);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    auto file = gguf::GgufFile::Open(path);
    const auto config = model::ReadModelConfig(*file);
    const auto graph = model::BuildGraph(*file, *config);
    auto layers = graph::CutStages(*graph, {.begin = 0, .end = config->num_hidden_layers});
    EXPECT_TRUE(layers.has_value()) << layers.error().message;
    return {*std::move(file), *config, *std::move(layers)};
  }

  // Teacher-forced steps of these widths; the error of what the layers add to their input.
  double ErrorOf(const Source& source, const EmitterOptions& options,
                 const std::vector<StepWidth>& widths, const std::vector<int64_t>& steps) {
    const WeightSource weights = [&](const std::string& name) {
      return source.file.GetTensor(name);
    };
    const auto paths = Emit(source.layers, weights, options, {}, widths);
    const auto shard = LoadLayers(paths);
    if (shard == nullptr) return 1;
    auto reference = OpenStoredShard(paths.front());
    EXPECT_TRUE(reference.has_value()) << reference.error().message;
    EXPECT_EQ(reference->graph, source.layers);
    auto oracle =
        oracle::Oracle::Create(reference->graph, reference->weights, RoundingsOf(kDevice.traits));
    const auto state = shard->NewState({.capacity_tokens = 32});
    const int64_t D = source.config.hidden_size;
    RotaryTables tables(source.config, kMostTokens);
    std::vector<float> added;
    std::vector<double> expected;
    int64_t position = 0;
    for (const int64_t T : steps) {
      std::vector<float> x(static_cast<size_t>(T * D));
      for (size_t i = 0; i < x.size(); ++i)
        x[i] =
            0.03125F * static_cast<float>((static_cast<int64_t>(i * 37) + position * 11) % 61 - 30);
      const std::vector<float> y = RunStep(shard.get(), state.get(), position, x, &tables);
      const auto angles = static_cast<size_t>(T * (source.config.rotary_dim / 2));
      std::vector<std::vector<double>> numbers;
      for (int64_t i = 0; i < source.config.NumRotaryTables(); ++i) {
        for (const float* table : {tables.Cos(), tables.Sin()}) {
          const float* const first = table + i * tables.TableStride();
          numbers.emplace_back(first, first + angles);
        }
      }
      oracle::OracleStep step{.x = {x.begin(), x.end()}, .first_position = position};
      for (size_t i = 0; i < numbers.size(); i += 2)
        step.rotary.push_back({.cos = numbers[i], .sin = numbers[i + 1]});
      const auto right = oracle->Run(step);
      EXPECT_TRUE(right.has_value()) << right.error().message;
      for (size_t i = 0; i < x.size(); ++i) {
        added.push_back(y[i] - x[i]);
        expected.push_back((*right)[i] - static_cast<double>(x[i]));
      }
      position += T;
    }
    const double error = RelativeError(added, expected);
    const double bound = Fp16Bound(source.config.num_hidden_layers);
    std::printf("    %s: relative RMS error %.5f, bound %.5f\n",
                mil::NameOf(options.weights).c_str(), error, bound);
    EXPECT_LE(error, bound);
    return error;
  }

  // One conversation's step on x [T, D]; `tables` are that step's afterwards.
  static std::vector<float> RunStep(LoadedLayerShard* shard, ShardState* state, int64_t position,
                                    const std::vector<float>& x, RotaryTables* tables) {
    const int64_t D = shard->Interface().input_channels;
    const int64_t T = static_cast<int64_t>(x.size()) / D;
    std::vector<float> y(x.size());
    tables->Fill(position, T, false);
    const StepRow row{.state = state, .first_position = position, .num_tokens = T};
    const auto ran = shard->Run({.num_tokens = T,
                                 .rows = {&row, 1},
                                 .input = x.data(),
                                 .output = y.data(),
                                 .output_stride = D,
                                 .rotary_cos = tables->Cos(),
                                 .rotary_sin = tables->Sin(),
                                 .rotary_table_stride = tables->TableStride()});
    EXPECT_TRUE(ran.has_value()) << ran.error().message;
    return y;
  }

  static constexpr int64_t kMostTokens = 16;
};

TEST_F(CoremlLayersTest, EveryOption_StaysWithinFp16OfTheOracle) {
  const std::vector<int64_t> steps = {1, 1, 4, 3, 7, 1};
  for (const char* shape : {"tiny-phi", "tiny-llama"}) {
    const Source source = Open(shape);
    for (const mil::StateLayout states :
         {mil::StateLayout::kPerLayer, mil::StateLayout::kUnified, mil::StateLayout::kOutside}) {
      for (const mil::AttentionForm attention :
           {mil::AttentionForm::kPerHead, mil::AttentionForm::kBatched}) {
        for (const std::vector<StepWidth>& widths :
             {std::vector<StepWidth>{{1, false}}, std::vector<StepWidth>{{1, false}, {4, false}},
              std::vector<StepWidth>{{4, false}}, std::vector<StepWidth>{{4, true}}}) {
          if (states == mil::StateLayout::kOutside && widths.back().flexible) continue;
          SCOPED_TRACE(std::string(shape) + ", states " + std::to_string(static_cast<int>(states)) +
                       ", attention " + std::to_string(static_cast<int>(attention)) + ", widths " +
                       std::to_string(widths.size()) + " of " +
                       std::to_string(widths.back().tokens));
          EmitterOptions options;
          options.states = states;
          options.attention = attention;
          ErrorOf(source, options, widths, steps);
        }
      }
    }
  }
}

// All architectures, over windows of 8 positions where they have them, steps that begin and end in
// them, and caches inside and outside.
TEST_F(CoremlLayersTest, EveryArchitecture_StaysWithinFp16OfTheOracle) {
  const std::vector<int64_t> steps = {1, 4, 4, 3, 1, 5, 1};
  for (const char* shape : {"tiny-llama3", "tiny-qwen2", "tiny-qwen3", "tiny-gemma2", "tiny-gemma3",
                            "tiny-smollm3", "tiny-granite", "tiny-ernie4_5", "tiny-exaone4"}) {
    const Source source = Open(shape);
    for (const mil::StateLayout states : {mil::StateLayout::kUnified, mil::StateLayout::kOutside}) {
      for (const mil::AttentionForm attention :
           {mil::AttentionForm::kPerHead, mil::AttentionForm::kBatched}) {
        SCOPED_TRACE(std::string(shape) + ", states " + std::to_string(static_cast<int>(states)) +
                     ", attention " + std::to_string(static_cast<int>(attention)));
        EmitterOptions options;
        options.states = states;
        options.attention = attention;
        ErrorOf(source, options, {{1, false}, {4, false}}, steps);
      }
    }
    ErrorOf(source, {}, {{4, true}}, steps);
  }
}

// A factor on the residual stream changes no bit that fp16 does not lose anyhow.
TEST_F(CoremlLayersTest, ResidualScale_IsUndoneOutside) {
  for (const char* shape :
       {"tiny-llama", "tiny-gemma2", "tiny-gemma3", "tiny-granite", "tiny-exaone4"}) {
    SCOPED_TRACE(shape);
    const Source source = Open(shape);
    EmitterOptions options;
    options.residual_scale = 0x1p-4F;
    ErrorOf(source, options, {{1, false}, {4, false}}, {1, 4, 3, 1});
  }
}

TEST_F(CoremlLayersTest, EveryWeightFormat_StaysWithinFp16OfTheOracleOnTheSameWeights) {
  const Source source = Open("tiny-llama");
  for (const char* name :
       {"fp16", "int8", "lut1", "lut2", "lut3", "lut4", "lut6", "lut8", "int4-blockwise"}) {
    const auto format = ParseWeightFormat(name);
    ASSERT_TRUE(format.has_value()) << name;
    EXPECT_EQ(mil::NameOf(*format), name);
    EmitterOptions options;
    options.weights = *format;
    ErrorOf(source, options, {{1, false}}, {1, 1, 1, 1});
  }
  EXPECT_EQ(ParseWeightFormat("int5").error().code, ErrorCode::kInvalidInput);
}

// Also with a cache that the host keeps, and shares until one of two conversations goes on.
TEST_F(CoremlLayersTest, TruncatedSequence_IsRunAgainWithTheSameBits) {
  const Source source = Open("tiny-phi");
  const WeightSource weights = [&](const std::string& name) { return source.file.GetTensor(name); };
  for (const mil::StateLayout layout : {mil::StateLayout::kPerLayer, mil::StateLayout::kOutside}) {
    EmitterOptions options;
    options.states = layout;
    const auto shard = LoadLayers(Emit(source.layers, weights, options, {}, {{1, false}}));
    ASSERT_NE(shard, nullptr);
    const int64_t D = source.config.hidden_size;
    const auto state = shard->NewState({.capacity_tokens = 32});
    const auto other = shard->NewState({.capacity_tokens = 32});
    RotaryTables tables(source.config, 1);
    const auto run = [&](int64_t position, float size, ShardState* with) {
      return RunStep(shard.get(), with, position, std::vector<float>(static_cast<size_t>(D), size),
                     &tables);
    };
    run(0, 0.5F, state.get());
    other->ShareFrom(*state, 1);
    const std::vector<float> second = run(1, 0.25F, state.get());
    run(2, 1.0F, state.get());
    run(1, -3.0F, state.get());
    EXPECT_EQ(run(1, 0.25F, state.get()), second);
    run(0, 2.0F, state.get());
    EXPECT_EQ(run(1, 0.25F, other.get()), second);
  }
}

// Functions of one program, and programs of their own as earlier versions wrote them.
TEST_F(CoremlLayersTest, WidthsInOneProgram_ComputeWhatProgramsOfTheirOwnDo) {
  const Source source = Open("tiny-phi");
  const WeightSource weights = [&](const std::string& name) { return source.file.GetTensor(name); };
  std::vector<std::string> apart = Emit(source.layers, weights, {}, {}, {{1, false}});
  const std::vector<std::string> wide = Emit(source.layers, weights, {}, {}, {{4, false}});
  apart.insert(apart.end(), wide.begin(), wide.end());
  const std::vector<std::string> joined =
      Emit(source.layers, weights, {}, {}, {{1, false}, {4, false}});
  ASSERT_EQ(joined.size(), 1U);
  const auto weights_of = [](const std::string& path) {
    return std::filesystem::file_size(path + "/Data/com.apple.CoreML/weights/weight.bin");
  };
  EXPECT_EQ(weights_of(joined.front()), weights_of(apart.front()));
  const int64_t D = source.config.hidden_size;
  RotaryTables tables(source.config, kMostTokens);
  std::vector<std::vector<float>> outputs;
  for (const std::vector<std::string>& paths : {apart, joined}) {
    const auto shard = LoadLayers(paths);
    ASSERT_NE(shard, nullptr);
    const auto state = shard->NewState({.capacity_tokens = 32});
    std::vector<float> all;
    for (const auto& [position, T] : {std::pair<int64_t, int64_t>{0, 4}, {4, 1}, {5, 3}, {8, 5}}) {
      std::vector<float> x(static_cast<size_t>(T * D));
      for (size_t i = 0; i < x.size(); ++i) x[i] = 0.0625F * static_cast<float>(i % 31) - 1.0F;
      const std::vector<float> y = RunStep(shard.get(), state.get(), position, x, &tables);
      all.insert(all.end(), y.begin(), y.end());
    }
    outputs.push_back(std::move(all));
  }
  EXPECT_EQ(outputs.front(), outputs.back());
}

TEST_F(CoremlLayersTest, ConversationsOfOneStep_GetWhatEachGetsAlone) {
  const Source source = Open("tiny-phi");
  const WeightSource weights = [&](const std::string& name) { return source.file.GetTensor(name); };
  const auto shard = LoadLayers(Emit(source.layers, weights, {}, {}, {{1, false}, {2, false}}));
  ASSERT_NE(shard, nullptr);
  const int64_t D = source.config.hidden_size;
  // A prompt of three tokens and one of a single one, then a token of each.
  const std::vector<std::vector<StepRow>> steps = {
      {{.first_position = 0, .num_tokens = 3}, {.first_position = 0, .num_tokens = 1}},
      {{.first_position = 3, .num_tokens = 1}, {.first_position = 1, .num_tokens = 1}}};
  RotaryTables tables(source.config, kMostTokens);
  const auto run = [&](bool together) {
    std::vector<std::unique_ptr<ShardState>> states;
    for (int i = 0; i < 2; ++i) states.push_back(shard->NewState({.capacity_tokens = 32}));
    std::vector<float> outputs;
    for (const std::vector<StepRow>& step : steps) {
      std::vector<StepRow> rows = step;
      int64_t num_tokens = 0;
      for (size_t i = 0; i < rows.size(); ++i) {
        rows[i].state = states[i].get();
        tables.Fill(rows[i].first_position, rows[i].num_tokens, false, num_tokens);
        num_tokens += rows[i].num_tokens;
      }
      std::vector<float> x(static_cast<size_t>(num_tokens * D));
      for (size_t i = 0; i < x.size(); ++i) x[i] = 0.0625F * static_cast<float>(i % 29) - 1.0F;
      std::vector<float> y(x.size());
      const int64_t pairs = source.config.rotary_dim / 2;
      int64_t first = 0;
      for (size_t i = 0; i < rows.size(); i += together ? rows.size() : 1) {
        const auto some = std::span<const StepRow>(rows).subspan(i, together ? rows.size() : 1);
        const int64_t count = together ? num_tokens : rows[i].num_tokens;
        EXPECT_TRUE(shard
                        ->Run({.num_tokens = count,
                               .rows = some,
                               .input = x.data() + first * D,
                               .output = y.data() + first * D,
                               .output_stride = D,
                               .rotary_cos = tables.Cos() + first * pairs,
                               .rotary_sin = tables.Sin() + first * pairs})
                        .has_value());
        first += count;
      }
      outputs.insert(outputs.end(), y.begin(), y.end());
    }
    return outputs;
  };
  EXPECT_EQ(run(true), run(false));
}

}  // namespace
}  // namespace headway::coreml
