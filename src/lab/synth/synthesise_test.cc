#include "lab/synth/synthesise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "gguf/gguf_file.h"
#include "lab/synth/model_shape.h"
#include "lab/synth/plan.h"
#include "lab/synth/type_mix.h"
#include "lab/synth/vocabulary.h"
#include "lab/synth/weights.h"
#include "tensor/codec.h"
#include "truth/straightline/straight_line.h"

namespace headway::synth {
namespace {

namespace fs = std::filesystem;

class SynthesiseTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        fs::path(testing::TempDir()) /
        (std::string("synth_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string Make(const SynthSpec& spec, const char* name) const {
    std::string path = (directory_ / name).string();
    const auto made = Synthesise(spec, path, {});
    EXPECT_TRUE(made) << made.error().message;
    return path;
  }

  fs::path directory_;
};

// logits[r] = head row r . hidden
std::vector<double> Logits(const ConstTensorView& head, std::span<const double> hidden) {
  std::vector<double> logits(static_cast<size_t>(head.shape.Rows()));
  std::vector<float> row(hidden.size());
  for (size_t r = 0; r < logits.size(); ++r) {
    DequantiseRow(head.type, head.Row(static_cast<int64_t>(r)), head.shape.Columns(), row.data());
    for (size_t c = 0; c < row.size(); ++c) logits[r] += static_cast<double>(row[c]) * hidden[c];
  }
  return logits;
}

// How many standard deviations of the others logits[index] stands above their mean.
double Deviations(const std::vector<double>& logits, size_t index) {
  const double count = static_cast<double>(logits.size() - 1);
  double sum = 0;
  double squares = 0;
  for (size_t r = 0; r < logits.size(); ++r) {
    if (r == index) continue;
    sum += logits[r];
    squares += logits[r] * logits[r];
  }
  const double mean = sum / count;
  return (logits[index] - mean) / std::sqrt(squares / count - mean * mean);
}

TEST_F(SynthesiseTest, SameSpec_SameBytesForAnyNumberOfThreads) {
  const auto one = FileDigestHex(
      Make({.shape = "tiny-phi", .type = "q8_0", .seed = 7, .num_threads = 1}, "one"));
  const auto three = FileDigestHex(
      Make({.shape = "tiny-phi", .type = "q8_0", .seed = 7, .num_threads = 3}, "three"));
  const auto other = FileDigestHex(
      Make({.shape = "tiny-phi", .type = "q8_0", .seed = 8, .num_threads = 1}, "other"));
  EXPECT_EQ(one.value(), three.value());
  EXPECT_NE(one.value(), other.value());
}

// Pins the generator and every codec: the same file on every machine and compiler. If a change to
// the generator is intended, the new digests are in the failure messages.
TEST_F(SynthesiseTest, KnownSpecs_HaveKnownDigests) {
  const auto digest = [&](const char* shape, const char* type) {
    return FileDigestHex(Make({.shape = shape, .type = type, .seed = 1}, "known")).value();
  };
  EXPECT_EQ(digest("tiny-phi", "q8_0"), "209440c8b208c03b70ac95d1f8009f11");
  EXPECT_EQ(digest("tiny-phi", "q4_k_m"), "4a93093045b235e715b62f0414690fb9");
  EXPECT_EQ(digest("tiny-llama", "q5_0"), "41deb73f43c47d716facbae9e4da0f6e");
}

TEST_F(SynthesiseTest, EveryTypeAndTinyShape_OpensAndDecodes) {
  for (const char* shape :
       {"tiny-phi", "tiny-llama", "tiny-qwen3", "tiny-llama3", "tiny-gemma2", "tiny-gemma3"}) {
    for (const TypeMix& mix : TypeMixes()) {
      const std::string path = Make({.shape = shape, .type = std::string(mix.name)}, "model.gguf");
      const auto file = gguf::GgufFile::Open(path);
      ASSERT_TRUE(file) << file.error().message;
      EXPECT_EQ(file->GetU32("general.file_type").value(), mix.file_type);
      for (const gguf::TensorInfo& info : file->Tensors()) {
        const auto tensor = file->GetTensor(info.name);
        ASSERT_TRUE(tensor) << tensor.error().message;
        std::vector<float> row(static_cast<size_t>(tensor->shape.Columns()));
        DequantiseRow(tensor->type, tensor->Row(tensor->shape.Rows() - 1), tensor->shape.Columns(),
                      row.data());
        for (const float value : row) ASSERT_TRUE(std::isfinite(value)) << info.name;
      }
    }
  }
}

TEST_F(SynthesiseTest, TinyPhi_HasThePhi3KeysAndTensors) {
  const auto file =
      gguf::GgufFile::Open(Make({.shape = "tiny-phi", .type = "q4_k_m"}, "model.gguf"));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->GetString("general.architecture").value(), "phi3");
  EXPECT_EQ(file->GetU32("phi3.block_count").value(), 2U);
  EXPECT_EQ(file->GetU32("phi3.attention.head_count").value(), 4U);
  EXPECT_EQ(file->GetU32("phi3.attention.head_count_kv").value(), 2U);
  EXPECT_EQ(file->GetU32("phi3.rope.dimension_count").value(), 48U);
  EXPECT_EQ(file->GetU32("phi3.rope.scaling.original_context_length").value(), 64U);
  EXPECT_EQ(file->GetF32("phi3.rope.scaling.attn_factor").value(), 1.2247449F);
  EXPECT_EQ(file->GetTensor("blk.1.attn_qkv.weight")->shape, (Shape{512, 256}));
  EXPECT_EQ(file->GetTensor("blk.1.ffn_up.weight")->shape, (Shape{512, 256}));
  EXPECT_EQ(file->GetTensor("rope_factors_long.weight")->shape, (Shape{24}));
  EXPECT_EQ(file->FindTensor("output.weight"), nullptr);
  EXPECT_EQ(file->GetStringArray("tokenizer.ggml.tokens")->size(), 320U);
}

TEST_F(SynthesiseTest, TinyLlama_HasSeparateTensorsAndAHead) {
  const auto file =
      gguf::GgufFile::Open(Make({.shape = "tiny-llama", .type = "q4_0"}, "model.gguf"));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->GetTensor("blk.0.attn_k.weight")->shape, (Shape{128, 256}));
  EXPECT_EQ(file->GetTensor("blk.0.ffn_gate.weight")->shape, (Shape{256, 256}));
  EXPECT_EQ(file->GetTensor("output.weight")->type, DataType::kQ6_K);
  EXPECT_EQ(file->GetTensor("token_embd.weight")->type, DataType::kQ4_0);
}

TEST_F(SynthesiseTest, Parts_HoldTheSameModel) {
  const auto whole =
      gguf::GgufFile::Open(Make({.shape = "tiny-llama", .type = "q4_0"}, "whole.gguf"));
  Make({.shape = "tiny-llama", .type = "q4_0", .parts = 4}, "split.gguf");
  EXPECT_FALSE(fs::exists(directory_ / "split.gguf"));
  const auto split = gguf::GgufFile::Open((directory_ / "split-00003-of-00004.gguf").string());
  ASSERT_TRUE(whole && split) << split.error().message;
  ASSERT_EQ(split->Tensors().size(), whole->Tensors().size());
  EXPECT_EQ(split->NumParts(), 4U);
  std::vector<uint64_t> bytes(4);
  for (const gguf::TensorInfo& tensor : split->Tensors()) {
    bytes[tensor.part] += tensor.size_bytes;
    const auto expected = whole->GetTensor(tensor.name);
    const auto found = split->GetTensor(tensor.name);
    ASSERT_TRUE(expected && found) << tensor.name;
    EXPECT_EQ(std::memcmp(found->data, expected->data, tensor.size_bytes), 0) << tensor.name;
  }
  for (const uint64_t part : bytes) EXPECT_GT(part, 0U);
  for (const gguf::MetadataEntry& entry : whole->Metadata())
    EXPECT_NE(split->Find(entry.key), nullptr) << entry.key;
}

TEST_F(SynthesiseTest, HeadType_IsOfTheHeadAlone) {
  for (const char* shape : {"tiny-phi", "tiny-llama"}) {  // tied, and not
    const auto file = gguf::GgufFile::Open(
        Make({.shape = shape, .type = "q4_0", .head_type = "bf16"}, "model.gguf"));
    ASSERT_TRUE(file) << file.error().message;
    int heads = 0;
    for (const gguf::TensorInfo& tensor : file->Tensors()) {
      heads += tensor.type == DataType::kBF16 ? 1 : 0;
      if (tensor.shape.Rank() == 2 && tensor.name.starts_with("blk.")) {
        EXPECT_EQ(tensor.type, DataType::kQ4_0) << tensor.name;
      }
    }
    EXPECT_EQ(heads, 1) << shape;
  }
}

TEST_F(SynthesiseTest, BadSpecs_SayWhatThereIs) {
  const std::string path = (directory_ / "model.gguf").string();
  const auto message = [&](const SynthSpec& spec) {
    return Synthesise(spec, path, {}).error().message;
  };
  EXPECT_EQ(message({.shape = "phi5"}),
            "synth: unknown shape 'phi5' (expected one of: phi4-mini phi4-mini-head "
            "small-head-heavy tiny-phi test-phi tiny-llama tiny-wide-head tiny-qwen3 tiny-llama3 "
            "tiny-qwen2 gemma2-2b tiny-gemma2 "
            "tiny-gemma3 tiny-smollm3 tiny-granite tiny-ernie4_5 tiny-exaone4)");
  EXPECT_EQ(message({.shape = "tiny-phi", .type = "q9_k"}),
            "synth: unknown type 'q9_k' (expected one of: f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 "
            "q2_k q3_k_m q4_k_m q5_k_m q6_k iq4_nl iq4_xs mxfp4)");
  EXPECT_EQ(message({.shape = "tiny-phi", .head_type = "i8"}),
            "synth: head type 'i8' (expected a weight type whose blocks fill rows of 256, such as "
            "f16, bf16 or q8_0)");
  EXPECT_EQ(message({.shape = "tiny-phi", .margin_sigma = 16.0}),
            "synth: margin 16 (expected more than 0 and less than 15.0, what 256 channels allow)");
  EXPECT_EQ(message({.shape = "tiny-phi", .margin_sigma = 4.0, .distinct_rows = 2}),
            "synth: 2 distinct rows of the head (expected a positive number, and no margin beside "
            "it)");
  EXPECT_EQ(message({.shape = "tiny-phi", .parts = 0}).find("synth: 0 parts (expected 1 to "), 0U);
  EXPECT_EQ(message({.shape = "tiny-phi", .parts = 9999}).find("synth: 9999 parts (expected "), 0U);
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(SynthesiseTest, DistinctRows_FollowEachOtherAgainAndAgain) {
  const auto file = gguf::GgufFile::Open(
      Make({.shape = "tiny-phi", .type = "q8_0", .seed = 5, .distinct_rows = 3}, "model.gguf"));
  ASSERT_TRUE(file) << file.error().message;
  const auto head = file->GetTensor("output.weight");
  ASSERT_TRUE(head);
  const auto bytes = static_cast<size_t>(RowBytes(head->type, head->shape.Columns()));
  const auto equal = [&](int64_t a, int64_t b) {
    return std::memcmp(head->Row(a), head->Row(b), bytes) == 0;
  };
  for (int64_t row = 3; row < head->shape.Rows(); ++row) EXPECT_TRUE(equal(row, row - 3)) << row;
  EXPECT_FALSE(equal(0, 1));
  EXPECT_FALSE(equal(1, 2));
  EXPECT_FALSE(equal(0, 2));
}

// The margin as the straight-line reference sees it: after every token its successor wins, and
// stands M deviations above the others on average.
TEST_F(SynthesiseTest, Margin_IsThatOfTheModelsOwnHiddenStates) {
  for (const char* name : {"tiny-phi", "tiny-llama"}) {
    const ModelShape& shape = *FindShape(name);
    constexpr double kMargin = 10.0;
    const auto file = gguf::GgufFile::Open(
        Make({.shape = name, .type = "q8_0", .seed = 5, .margin_sigma = kMargin}, "model.gguf"));
    ASSERT_TRUE(file) << file.error().message;
    const auto model = straightline::StraightLine::Open(*file);
    ASSERT_TRUE(model) << model.error().message;
    std::vector<int32_t> ids(48);
    for (size_t t = 0; t < ids.size(); ++t) ids[t] = static_cast<int32_t>(t * 37 % 320);
    const auto hidden = model->HiddenStates(ids);
    ASSERT_TRUE(hidden) << hidden.error().message;
    const auto head = file->GetTensor("output.weight");
    ASSERT_TRUE(head);
    const auto channels = static_cast<size_t>(head->shape.Columns());
    double total = 0;
    for (size_t t = 0; t < ids.size(); ++t) {
      const auto logits =
          Logits(*head, std::span<const double>(*hidden).subspan(t * channels, channels));
      const auto winner = std::max_element(logits.begin(), logits.end()) - logits.begin();
      EXPECT_EQ(winner, Successor(shape, ids[t])) << name << " position " << t;
      total += Deviations(logits, static_cast<size_t>(winner));
    }
    EXPECT_NEAR(total / static_cast<double>(ids.size()), kMargin, 0.5) << name;
  }
}

TEST(PlanTest, Successors_VisitEveryToken) {
  for (const ModelShape& shape : Shapes()) {
    int64_t token = 0;
    int64_t steps = 0;
    do {
      token = Successor(shape, token);
      ++steps;
    } while (token != 0);
    EXPECT_EQ(steps, shape.vocab_size);
  }
}

TEST(PlanTest, Phi4Mini_HasTheRealParameterCount) {
  int64_t parameters = 0;
  for (const PlannedTensor& tensor :
       PlanTensors(*FindShape("phi4-mini"), *FindTypeMix("q8_0"), {})) {
    if (tensor.values.empty()) parameters += tensor.shape.Elements();
  }
  EXPECT_EQ(parameters,
            3836021760);  // 200064 * 3072 + 32 * (3072 * 31744 + 8192 * 3072) + 65 * 3072, by hand
}

// llama.cpp's rules: more bits in the first and last eighth of the layers and every third between.
TEST(TypeMixTest, Q4KM_FollowsLlamaCpp) {
  const TypeMix& mix = *FindTypeMix("Q4_K_M");
  std::string pattern;
  for (uint32_t layer = 0; layer < 32; ++layer) {
    const auto type = TypeFor(
        mix, false,
        {.role = TensorRole::kFeedForwardDown, .layer = layer, .num_layers = 32, .columns = 8192});
    pattern += type == DataType::kQ6_K ? '6' : '4';
  }
  EXPECT_EQ(pattern, "66664464464464464464464464466666");
  const TensorPlace head{.role = TensorRole::kEmbedding, .serves_as_head = true, .columns = 3072};
  EXPECT_EQ(TypeFor(mix, false, head), DataType::kQ6_K);
  EXPECT_EQ(TypeFor(mix, true, head), DataType::kQ4_K);
  EXPECT_EQ(TypeFor(*FindTypeMix("q8_0"), false, head), DataType::kQ8_0);
}

TEST(TypeMixTest, LowBitMixes_FollowLlamaCpp) {
  const auto type = [](const char* mix, TensorRole role, uint32_t layer, uint32_t group = 1) {
    return TypeFor(*FindTypeMix(mix), false,
                   {.role = role,
                    .layer = layer,
                    .num_layers = 32,
                    .heads_per_kv_head = group,
                    .columns = 8192});
  };
  EXPECT_EQ(type("q2_k", TensorRole::kOther, 0), DataType::kQ2_K);
  EXPECT_EQ(type("q2_k", TensorRole::kEmbedding, 0), DataType::kQ2_K);
  EXPECT_EQ(type("q2_k", TensorRole::kAttentionV, 0), DataType::kQ3_K);
  EXPECT_EQ(type("q2_k", TensorRole::kAttentionV, 0, 4), DataType::kQ4_K);
  EXPECT_EQ(type("q2_k", TensorRole::kAttentionOutput, 0), DataType::kQ3_K);
  EXPECT_EQ(type("q2_k", TensorRole::kFeedForwardDown, 9), DataType::kQ3_K);
  EXPECT_EQ(type("q3_k_m", TensorRole::kAttentionQkv, 1), DataType::kQ5_K);
  EXPECT_EQ(type("q3_k_m", TensorRole::kAttentionV, 2), DataType::kQ4_K);
  EXPECT_EQ(type("q3_k_m", TensorRole::kAttentionOutput, 2), DataType::kQ4_K);
  EXPECT_EQ(type("q3_k_m", TensorRole::kFeedForwardDown, 1), DataType::kQ5_K);
  EXPECT_EQ(type("q3_k_m", TensorRole::kFeedForwardDown, 2), DataType::kQ4_K);
  EXPECT_EQ(type("q3_k_m", TensorRole::kFeedForwardDown, 5), DataType::kQ3_K);
  EXPECT_EQ(type("iq4_xs", TensorRole::kFeedForwardDown, 3), DataType::kQ5_K);
  EXPECT_EQ(type("iq4_xs", TensorRole::kFeedForwardDown, 4), DataType::kIQ4_XS);
  EXPECT_EQ(type("iq4_nl", TensorRole::kAttentionV, 4, 4), DataType::kQ5_K);
  EXPECT_EQ(type("mxfp4", TensorRole::kFeedForwardDown, 4), DataType::kMXFP4);
  EXPECT_EQ(type("mxfp4", TensorRole::kEmbedding, 0), DataType::kQ8_0);
}

TEST(TypeMixTest, RowsOfNoWholeBlocks_FallBack) {
  const TypeMix& k = *FindTypeMix("q4_k_m");
  EXPECT_EQ(TypeFor(k, false, {.columns = 640}), DataType::kQ5_0);
  EXPECT_EQ(TypeFor(k, false, {.serves_as_head = true, .columns = 640}), DataType::kQ8_0);
  EXPECT_EQ(TypeFor(*FindTypeMix("q4_0"), false, {.serves_as_head = true, .columns = 640}),
            DataType::kQ8_0);
  EXPECT_EQ(TypeFor(*FindTypeMix("q8_0"), false, {.columns = 100}), DataType::kF16);
  EXPECT_EQ(TypeFor(*FindTypeMix("q2_k"), false, {.columns = 640}), DataType::kQ4_0);
  EXPECT_EQ(TypeFor(*FindTypeMix("iq4_xs"), false, {.columns = 640}), DataType::kIQ4_NL);
}

TEST(VocabularyTest, EverySize_HasDistinctTokensAndMergesOfEarlierOnes) {
  for (const uint32_t size : {272U, 320U, 999U, 1000U, 200064U}) {
    const MadeUpVocabulary vocabulary = MakeVocabulary(size);
    ASSERT_EQ(vocabulary.tokens.size(), size);
    ASSERT_EQ(vocabulary.token_types.size(), size);
    const std::set<std::string> distinct(vocabulary.tokens.begin(), vocabulary.tokens.end());
    EXPECT_EQ(distinct.size(), size);
    std::set<std::string> known(vocabulary.tokens.begin(), vocabulary.tokens.begin() + 256);
    for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
      const std::string& merge = vocabulary.merges[rank];
      const size_t blank = merge.find(' ');
      const std::string left = merge.substr(0, blank);
      const std::string right = merge.substr(blank + 1);
      ASSERT_TRUE(known.contains(left) && known.contains(right)) << merge;
      ASSERT_EQ(vocabulary.tokens[256 + rank], left + right);
      known.insert(left + right);
    }
  }
  const MadeUpVocabulary real = MakeVocabulary(200064);
  EXPECT_EQ(real.tokens[199999], "<|endoftext|>");
  EXPECT_EQ(real.tokens[200019], "<|assistant|>");
  EXPECT_EQ(real.tokens[200020], "<|end|>");
  EXPECT_EQ(real.tokens[200021], "<|user|>");
  EXPECT_EQ(real.end_of_text_id, 199999U);
}

TEST(WeightsTest, Draw_HasTheMomentsAskedForAndDependsOnTheIndexOnly) {
  constexpr uint64_t kCount = 100000;
  const uint64_t key = StreamKey(3, "blk.0.attn_qkv.weight");
  std::vector<float> x(kCount);
  DrawWeights(key, 0, kCount, {.mean = 1.0F, .standard_deviation = 0.5F}, x.data());
  double sum = 0;
  double squares = 0;
  for (const float value : x) {
    sum += static_cast<double>(value);
    squares += std::pow(static_cast<double>(value) - 1.0, 2);
  }
  // Four standard errors.
  EXPECT_NEAR(sum / kCount, 1.0, 4 * 0.5 / std::sqrt(kCount));
  EXPECT_NEAR(squares / kCount, 0.25, 4 * 0.25 * std::sqrt(1.7 / kCount));
  std::vector<float> tail(10);
  DrawWeights(key, kCount - 10, 10, {.mean = 1.0F, .standard_deviation = 0.5F}, tail.data());
  EXPECT_TRUE(std::equal(tail.begin(), tail.end(), x.end() - 10));
  EXPECT_NE(key, StreamKey(4, "blk.0.attn_qkv.weight"));
  EXPECT_NE(key, StreamKey(3, "blk.1.attn_qkv.weight"));
}

}  // namespace
}  // namespace headway::synth
