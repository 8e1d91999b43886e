#include "truth/straightline/straight_line.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gguf/gguf_writer.h"

namespace headway::straightline {
namespace {

using Tensor = std::vector<float>;

// A tiny model in memory: 2 layers, 4 heads of 8 over 2 key-value heads, rotary on 6 of 8 channels.
struct Tiny {
  static constexpr int64_t kDim = 32, kHeads = 4, kKvHeads = 2, kHeadDim = 8, kHidden = 48;
  static constexpr int64_t kVocab = 40, kRotary = 6, kLayers = 2;

  std::string architecture = "phi3";
  std::map<std::string, uint32_t> numbers;  // more keys, without the architecture's prefix
  std::map<std::string, float> floats;
  std::map<std::string, std::string> strings;
  int64_t num_layers = kLayers;
  std::map<std::string, std::pair<Shape, Tensor>> tensors;

  explicit Tiny(uint32_t seed = 1) : random_(seed) {
    Add("token_embd.weight", Shape{kVocab, kDim});
    Add("output_norm.weight", Shape{kDim});
    for (int64_t l = 0; l < kLayers; ++l) {
      const std::string block = "blk." + std::to_string(l) + ".";
      Add(block + "attn_norm.weight", Shape{kDim});
      Add(block + "attn_qkv.weight", Shape{(kHeads + 2 * kKvHeads) * kHeadDim, kDim});
      Add(block + "attn_output.weight", Shape{kDim, kHeads * kHeadDim});
      Add(block + "ffn_norm.weight", Shape{kDim});
      Add(block + "ffn_up.weight", Shape{2 * kHidden, kDim});
      Add(block + "ffn_down.weight", Shape{kDim, kHidden});
    }
  }

  void Add(const std::string& name, const Shape& shape) {
    std::normal_distribution<float> normal(0, 0.3F);
    Tensor values(static_cast<size_t>(shape.Elements()));
    for (float& value : values) value = normal(random_);
    tensors[name] = {shape, values};
  }
  void Set(const std::string& name, const Tensor& values) {
    tensors[name] = {Shape{static_cast<int64_t>(values.size())}, values};
  }
  void AddLongRope(float short_factor, float long_factor, uint32_t original) {
    Set("rope_factors_short.weight", Tensor(kRotary / 2, short_factor));
    Set("rope_factors_long.weight", Tensor(kRotary / 2, long_factor));
    numbers["rope.scaling.original_context_length"] = original;
  }

  std::vector<std::byte> Bytes() const {
    gguf::GgufWriter writer;
    const std::string prefix = architecture + ".";
    writer.AddString("general.architecture", architecture);
    writer.AddU32(prefix + "context_length", 64);
    writer.AddU32(prefix + "embedding_length", kDim);
    writer.AddU32(prefix + "block_count", static_cast<uint32_t>(num_layers));
    writer.AddU32(prefix + "feed_forward_length", kHidden);
    writer.AddU32(prefix + "attention.head_count", kHeads);
    writer.AddU32(prefix + "attention.head_count_kv", kKvHeads);
    writer.AddF32(prefix + "attention.layer_norm_rms_epsilon", 1e-5F);
    writer.AddU32(prefix + "rope.dimension_count", kRotary);
    for (const auto& [key, value] : numbers) writer.AddU32(prefix + key, value);
    for (const auto& [key, value] : floats) writer.AddF32(prefix + key, value);
    for (const auto& [key, value] : strings) writer.AddString(prefix + key, value);
    for (const auto& [name, tensor] : tensors) {
      writer.AddTensor(name, DataType::kF32, tensor.first);
    }
    auto bytes = writer.HeaderBytes();
    EXPECT_TRUE(bytes.has_value());
    for (const auto& [name, tensor] : tensors) {
      const auto data = std::as_bytes(std::span(tensor.second));
      bytes->insert(bytes->end(), data.begin(), data.end());
      while (bytes->size() % 32 != 0) bytes->push_back(std::byte{0});
    }
    return *bytes;
  }

 private:
  std::mt19937 random_;
};

// All logits [T * V], or the error's message.
struct Outcome {
  std::vector<double> logits;
  std::string message;
};

Outcome Evaluate(const Tiny& model, const std::vector<int32_t>& ids) {
  const std::vector<std::byte> bytes = model.Bytes();
  const auto file = gguf::GgufFile::Parse(bytes, "tiny.gguf");
  if (!file) return {{}, file.error().message};
  const auto line = StraightLine::Open(*file);
  if (!line) return {{}, line.error().message};
  Outcome outcome;
  const auto done = line->Forward(ids, [&](int64_t, std::span<const double> logits) {
    outcome.logits.insert(outcome.logits.end(), logits.begin(), logits.end());
  });
  if (!done) outcome.message = done.error().message;
  return outcome;
}

std::vector<int32_t> Ids(int n) {
  std::vector<int32_t> ids(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) ids[static_cast<size_t>(i)] = (i * 7 + 3) % int32_t{Tiny::kVocab};
  return ids;
}

double LargestDifference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]));
  }
  return largest;
}

// The same model with Llama's names: separate matrices, and rotated channels in adjacent pairs.
Tiny AsLlama(const Tiny& phi) {
  Tiny llama = phi;
  llama.architecture = "llama";
  for (int64_t l = 0; l < Tiny::kLayers; ++l) {
    const std::string block = "blk." + std::to_string(l) + ".";
    const auto slice = [&](const std::string& name, int64_t first, int64_t rows) {
      const Tensor& from = phi.tensors.at(block + name).second;
      return std::pair(Shape{rows, Tiny::kDim}, Tensor(from.begin() + first * Tiny::kDim,
                                                       from.begin() + (first + rows) * Tiny::kDim));
    };
    const auto in_pairs = [&](int64_t first, int64_t heads) {
      auto tensor = slice("attn_qkv.weight", first, heads * Tiny::kHeadDim);
      const Tensor halves = tensor.second;
      for (int64_t h = 0; h < heads; ++h) {
        for (int64_t i = 0; i < Tiny::kRotary; ++i) {
          const int64_t to = h * Tiny::kHeadDim + (i < 3 ? 2 * i : 2 * (i - 3) + 1);
          const auto row = halves.begin() + (h * Tiny::kHeadDim + i) * Tiny::kDim;
          std::copy(row, row + Tiny::kDim, tensor.second.begin() + to * Tiny::kDim);
        }
      }
      return tensor;
    };
    llama.tensors[block + "attn_q.weight"] = in_pairs(0, Tiny::kHeads);
    llama.tensors[block + "attn_k.weight"] = in_pairs(32, Tiny::kKvHeads);
    llama.tensors[block + "attn_v.weight"] = slice("attn_qkv.weight", 48, 16);
    llama.tensors[block + "ffn_gate.weight"] = slice("ffn_up.weight", 0, Tiny::kHidden);
    llama.tensors[block + "ffn_up.weight"] = slice("ffn_up.weight", Tiny::kHidden, Tiny::kHidden);
    llama.tensors.erase(block + "attn_qkv.weight");
  }
  return llama;
}

TEST(StraightLine, WithoutLayersWork_LogitsAreTheNormalisedEmbeddingTimesItself) {
  Tiny model;
  for (auto& [name, tensor] : model.tensors) {
    if (name.ends_with("attn_output.weight") || name.ends_with("ffn_down.weight")) {
      std::fill(tensor.second.begin(), tensor.second.end(), 0.0F);
    }
  }
  const Outcome outcome = Evaluate(model, {5});
  const Tensor& embedding = model.tensors.at("token_embd.weight").second;
  const Tensor& gain = model.tensors.at("output_norm.weight").second;
  double squares = 0;
  for (size_t c = 0; c < 32; ++c) squares += std::pow(double{embedding[size_t{5} * 32 + c]}, 2);
  const double rms = std::sqrt(squares / 32 + double{1e-5F});
  for (size_t v = 0; v < 40; ++v) {
    double expected = 0;
    for (size_t c = 0; c < 32; ++c) {
      expected += double{embedding[size_t{5} * 32 + c]} / rms * double{gain[c]} *
                  double{embedding[v * 32 + c]};
    }
    EXPECT_NEAR(outcome.logits[v], expected, 1e-12);
  }
}

TEST(StraightLine, PhiAndItsLlamaForm_GiveEqualLogits) {
  const Tiny phi;
  const Outcome a = Evaluate(phi, Ids(20));
  const Outcome b = Evaluate(AsLlama(phi), Ids(20));
  ASSERT_EQ(a.message + b.message, "");
  EXPECT_LT(LargestDifference(a.logits, b.logits), 1e-11);
}

// Qwen 3 turns halves, so that Phi's rows fit as they are. Its norms take the size of q and k away:
// each head by itself, so that one head of q may be scaled alone.
TEST(StraightLine, Qwen3_NormsEachHeadOfQAndK) {
  const Tiny phi;
  Tiny qwen = phi;
  qwen.architecture = "qwen3";
  const auto rows = [&](const std::string& name, int64_t first, int64_t count) {
    const Tensor& from = phi.tensors.at(name).second;
    return std::pair(Shape{count, Tiny::kDim}, Tensor(from.begin() + first * Tiny::kDim,
                                                      from.begin() + (first + count) * Tiny::kDim));
  };
  for (int64_t l = 0; l < Tiny::kLayers; ++l) {
    const std::string block = "blk." + std::to_string(l) + ".";
    qwen.tensors[block + "attn_q.weight"] = rows(block + "attn_qkv.weight", 0, 32);
    qwen.tensors[block + "attn_k.weight"] = rows(block + "attn_qkv.weight", 32, 16);
    qwen.tensors[block + "attn_v.weight"] = rows(block + "attn_qkv.weight", 48, 16);
    qwen.tensors[block + "ffn_gate.weight"] = rows(block + "ffn_up.weight", 0, Tiny::kHidden);
    qwen.tensors[block + "ffn_up.weight"] =
        rows(block + "ffn_up.weight", Tiny::kHidden, Tiny::kHidden);
    qwen.Set(block + "attn_q_norm.weight", Tensor(Tiny::kHeadDim, 1.5F));
    qwen.Set(block + "attn_k_norm.weight", Tensor(Tiny::kHeadDim, 0.5F));
    qwen.tensors.erase(block + "attn_qkv.weight");
  }
  const Outcome normed = Evaluate(qwen, Ids(20));
  ASSERT_EQ(normed.message, "");
  EXPECT_GT(LargestDifference(normed.logits, Evaluate(phi, Ids(20)).logits), 0.01);
  Tensor& q = qwen.tensors["blk.0.attn_q.weight"].second;
  for (int64_t i = 0; i < Tiny::kHeadDim * Tiny::kDim; ++i) q[static_cast<size_t>(i)] *= 64.0F;
  const Outcome scaled = Evaluate(qwen, Ids(20));
  EXPECT_LT(LargestDifference(scaled.logits, normed.logits), 1e-3);  // eps is not scaled along
  for (float& gain : qwen.tensors["blk.0.attn_q_norm.weight"].second) gain *= 2.0F;
  EXPECT_GT(LargestDifference(Evaluate(qwen, Ids(20)).logits, normed.logits), 0.01);
}

TEST(StraightLine, LaterTokens_DoNotChangeEarlierLogits) {
  std::vector<int32_t> ids = Ids(12);
  const Outcome a = Evaluate(Tiny(), ids);
  ids.back() = 1;
  const Outcome b = Evaluate(Tiny(), ids);
  const std::vector<double> before_a(a.logits.begin(), a.logits.begin() + ptrdiff_t{11} * 40);
  const std::vector<double> before_b(b.logits.begin(), b.logits.begin() + ptrdiff_t{11} * 40);
  EXPECT_EQ(before_a, before_b);
  EXPECT_GT(LargestDifference(a.logits, b.logits), 0.01);
}

TEST(StraightLine, WindowOfOne_TheHistoryIsIrrelevant) {
  // Every token sees itself only: its weight is 1, its position cancels.
  Tiny model;
  model.numbers["attention.sliding_window"] = 1;
  const Outcome alone = Evaluate(model, {9});
  const Outcome late = Evaluate(model, {1, 2, 3, 9});
  const std::vector<double> last(late.logits.end() - 40, late.logits.end());
  EXPECT_LT(LargestDifference(alone.logits, last), 1e-12);
}

TEST(StraightLine, WindowAsLongAsTheSequence_ChangesNothing) {
  Tiny model;
  const Outcome whole = Evaluate(model, Ids(10));
  model.numbers["attention.sliding_window"] = 10;
  EXPECT_EQ(Evaluate(model, Ids(10)).logits, whole.logits);
  model.numbers["attention.sliding_window"] = 9;  // position 9 no longer sees position 0
  const Outcome nine = Evaluate(model, Ids(10));
  EXPECT_GT(LargestDifference(nine.logits, whole.logits), 1e-6);
  const std::vector<double> a(nine.logits.begin(), nine.logits.end() - 40);
  const std::vector<double> b(whole.logits.begin(), whole.logits.end() - 40);
  EXPECT_EQ(a, b);
}

TEST(StraightLine, LongRope_TheSequencesLengthChoosesTheFactorsOfAllPositions) {
  Tiny both;
  both.AddLongRope(1.25F, 4.0F, 8);
  Tiny only_short;
  only_short.AddLongRope(1.25F, 1.25F, 8);
  Tiny only_long;
  only_long.AddLongRope(4.0F, 4.0F, 8);
  EXPECT_EQ(Evaluate(both, Ids(8)).logits, Evaluate(only_short, Ids(8)).logits);
  EXPECT_EQ(Evaluate(both, Ids(9)).logits, Evaluate(only_long, Ids(9)).logits);
}

TEST(StraightLine, LongRopeWithoutAttentionFactor_DerivesHuggingFaces) {
  Tiny given;
  given.AddLongRope(1.0F, 2.0F, 8);
  given.floats["rope.scaling.attn_factor"] =
      static_cast<float>(std::sqrt(1 + std::log(64.0 / 8) / std::log(8.0)));  // sqrt(2)
  Tiny derived;
  derived.AddLongRope(1.0F, 2.0F, 8);
  EXPECT_LT(LargestDifference(Evaluate(given, Ids(5)).logits, Evaluate(derived, Ids(5)).logits),
            1e-6);
  given.floats["rope.scaling.attn_factor"] = 1.0F;
  EXPECT_GT(LargestDifference(Evaluate(given, Ids(5)).logits, Evaluate(derived, Ids(5)).logits),
            1e-3);
}

TEST(StraightLine, LinearScaling_IsADivisorOfThePosition) {
  Tiny scaled;
  scaled.floats["rope.scaling.factor"] = 4.0F;
  Tiny factors;  // the same angles by way of Llama 3's table
  factors.Set("rope_freqs.weight", Tensor(3, 4.0F));
  EXPECT_LT(LargestDifference(Evaluate(scaled, Ids(9)).logits, Evaluate(factors, Ids(9)).logits),
            1e-12);
  EXPECT_GT(LargestDifference(Evaluate(scaled, Ids(9)).logits, Evaluate(Tiny(), Ids(9)).logits),
            1e-3);
}

TEST(StraightLine, OutputMatrix_ReplacesTheEmbeddingInTheHead) {
  Tiny model;
  const Outcome tied = Evaluate(model, Ids(3));
  model.tensors["output.weight"] = model.tensors["token_embd.weight"];
  EXPECT_EQ(Evaluate(model, Ids(3)).logits, tied.logits);
  for (float& value : model.tensors["output.weight"].second) value *= -1.0F;
  EXPECT_EQ(Evaluate(model, Ids(3)).logits[7], -tied.logits[7]);
}

TEST(StraightLine, Mistakes_AreNamed) {
  EXPECT_EQ(Evaluate(Tiny(), {1, 40}).message,
            "straightline: token 1: expected an id from 0 to 39, found 40");
  Tiny bert;
  bert.architecture = "bert";
  EXPECT_EQ(
      Evaluate(bert, {1}).message,
      "straightline: tiny.gguf: architecture 'bert' unsupported (supported: phi3, llama, qwen2, "
      "qwen3, gemma2, gemma3, smollm3, granite, ernie4_5, exaone4)");
  Tiny shape;
  shape.Add("blk.1.ffn_down.weight", Shape{Tiny::kDim, 50});
  EXPECT_EQ(Evaluate(shape, {1}).message,
            "straightline: tiny.gguf: tensor 'blk.1.ffn_down.weight': expected weights of shape "
            "[32, 48], found F32 [32, 50]");
  Tiny bias;
  bias.Add("blk.0.attn_qkv.bias", Shape{63});
  EXPECT_EQ(
      Evaluate(bias, {1}).message,
      "straightline: tiny.gguf: tensor 'blk.0.attn_qkv.bias': expected weights of shape [64], "
      "found F32 [63]");
}

TEST(StraightLine, Biases_AreAddedToTheirProducts) {
  const Outcome none = Evaluate(Tiny(), Ids(6));
  Tiny fused;
  fused.Add("blk.1.attn_qkv.bias", Shape{64});
  const Outcome one = Evaluate(fused, Ids(6));
  EXPECT_GT(LargestDifference(one.logits, none.logits), 1e-2);
  Tiny llama = AsLlama(Tiny());
  llama.Set("blk.1.attn_v.bias", Tensor(16, 0.0F));
  EXPECT_LT(LargestDifference(Evaluate(llama, Ids(6)).logits, none.logits), 1e-12);
  // The weights of a softmax sum to one: a bias of v is a bias of what attention gives.
  const Tensor& fused_bias = fused.tensors.at("blk.1.attn_qkv.bias").second;
  Tiny values;
  Tensor only_v(64, 0.0F);
  std::copy(fused_bias.begin() + 48, fused_bias.end(), only_v.begin() + 48);
  values.Set("blk.1.attn_qkv.bias", only_v);
  Tiny output;
  Tensor bo(Tiny::kDim, 0.0F);
  const Tensor& wo = output.tensors.at("blk.1.attn_output.weight").second;
  for (size_t r = 0; r < bo.size(); ++r) {
    for (size_t c = 0; c < 32; ++c) bo[r] += wo[r * 32 + c] * only_v[48 + c / 16 * 8 + c % 8];
  }
  output.Set("blk.1.attn_output.bias", bo);
  EXPECT_LT(LargestDifference(Evaluate(values, Ids(6)).logits, Evaluate(output, Ids(6)).logits),
            1e-5);
}

// Granite's constants can be put into the weights of a Llama.
TEST(StraightLine, GraniteScales_AreThoseOfScaledWeights) {
  Tiny granite = AsLlama(Tiny());
  granite.architecture = "granite";
  granite.floats = {{"embedding_scale", 4.0F},
                    {"attention.scale", 0.25F},
                    {"residual_scale", 0.5F},
                    {"logit_scale", 8.0F}};
  Tiny llama = AsLlama(Tiny());
  const auto scale = [&](const std::string& name, float factor) {
    for (float& value : llama.tensors.at(name).second) value *= factor;
  };
  llama.tensors["output.weight"] = llama.tensors.at("token_embd.weight");
  scale("output.weight", 1.0F / 8);
  scale("token_embd.weight", 4.0F);
  for (const std::string block : {"blk.0.", "blk.1."}) {
    scale(block + "attn_q.weight", 0.25F * std::sqrt(8.0F));
    scale(block + "attn_output.weight", 0.5F);
    scale(block + "ffn_down.weight", 0.5F);
  }
  EXPECT_LT(LargestDifference(Evaluate(granite, Ids(9)).logits, Evaluate(llama, Ids(9)).logits),
            1e-5);
}

// The layer is Gemma 3's without norms of heads, which a token that sees itself alone does not feel.
// A cap that nothing reaches is none; one on logits is that function of them; one on scores changes
// what is mixed.
TEST(StraightLine, Gemma2_CapsScoresAndLogits) {
  Tiny gemma2 = AsLlama(Tiny());
  gemma2.architecture = "gemma2";
  for (const std::string block : {"blk.0.", "blk.1."}) {
    gemma2.Set(block + "post_attention_norm.weight", Tensor(Tiny::kDim, 1.0F));
    gemma2.Set(block + "post_ffw_norm.weight", Tensor(Tiny::kDim, 0.5F));
  }
  const auto capped = [&](float score, float logit, const std::vector<int32_t>& ids) {
    gemma2.floats = {{"attn_logit_softcapping", score}, {"final_logit_softcapping", logit}};
    const Outcome outcome = Evaluate(gemma2, ids);
    EXPECT_EQ(outcome.message, "");
    return outcome.logits;
  };
  const std::vector<double> free = capped(0.0F, 0.0F, Ids(9));
  EXPECT_LT(LargestDifference(capped(1e9F, 1e9F, Ids(9)), free), 1e-12);
  const std::vector<double> logits = capped(0.0F, 2.0F, Ids(9));
  for (size_t i = 0; i < free.size(); ++i)
    EXPECT_NEAR(logits[i], 2 * std::tanh(free[i] / 2), 1e-12);
  EXPECT_GT(LargestDifference(capped(0.5F, 0.0F, Ids(9)), free), 1e-3);
  const std::vector<double> published = capped(50.0F, 30.0F, Ids(9));
  gemma2.floats.clear();
  EXPECT_EQ(Evaluate(gemma2, Ids(9)).logits, published);

  Tiny gemma3 = gemma2;
  gemma3.architecture = "gemma3";
  for (const std::string block : {"blk.0.", "blk.1."}) {
    for (const char* norm : {"attn_q_norm.weight", "attn_k_norm.weight"})
      gemma3.Set(block + norm, Tensor(Tiny::kHeadDim, 1.0F));
  }
  gemma3.floats = {{"final_logit_softcapping", 3.0F}};
  EXPECT_LT(LargestDifference(capped(0.5F, 3.0F, {9}), Evaluate(gemma3, {9}).logits), 1e-12);
}

TEST(StraightLine, Gemma2_HasItsWindowInEveryOtherLayerFromTheFirst) {
  Tiny model = AsLlama(Tiny());
  for (const std::string block : {"blk.0.", "blk.1."}) {
    model.Set(block + "post_attention_norm.weight", Tensor(Tiny::kDim, 1.0F));
    model.Set(block + "post_ffw_norm.weight", Tensor(Tiny::kDim, 1.0F));
  }
  model.architecture = "gemma2";
  const auto differs = [&](uint32_t pattern, const std::string& still) {
    // Of two layers one sees itself alone: values that nobody mixes make its keys irrelevant.
    Tiny windowed = model;
    windowed.numbers = {{"attention.sliding_window", 1},
                        {"attention.sliding_window_pattern", pattern}};
    if (pattern == 0) windowed.numbers.erase("attention.sliding_window_pattern");
    Tiny other = windowed;
    for (float& value : other.tensors.at(still + "attn_k.weight").second) value = -value;
    return LargestDifference(Evaluate(windowed, Ids(9)).logits, Evaluate(other, Ids(9)).logits);
  };
  EXPECT_EQ(differs(0, "blk.0."), 0.0);  // the first layer slides
  EXPECT_GT(differs(0, "blk.1."), 1e-3);
  EXPECT_GT(differs(1, "blk.0."), 1e-3);  // none does
}

// YaRN of a factor keeps the fastest pair, divides the slowest by it, and sharpens attention.
TEST(StraightLine, Yarn_IsFactorsOfEachPair) {
  Tiny yarn = AsLlama(Tiny());
  yarn.strings["rope.scaling.type"] = "yarn";
  yarn.floats["rope.scaling.factor"] = 4.0F;
  yarn.numbers["rope.scaling.original_context_length"] = 64;
  // Width 6, base 10,000: corners floor(6 ln(64 / 64 pi) / (2 ln 10^4)) < 0, so 0, and ceil(6 ln(64 /
  // 2 pi) / (2 ln 10^4)) = 1: pair 0 is kept, 1 and 2 are stretched.
  Tiny factors = AsLlama(Tiny());
  factors.Set("rope_freqs.weight", {1.0F, 4.0F, 4.0F});
  factors.floats["rope.scaling.attn_factor"] = static_cast<float>(0.1 * std::log(4.0) + 1);
  EXPECT_LT(LargestDifference(Evaluate(yarn, Ids(9)).logits, Evaluate(factors, Ids(9)).logits),
            1e-5);
}

// The names of before.
TEST(StraightLine, ScaleLinear_IsTheFactorByItsOldName) {
  Tiny now;
  now.floats["rope.scaling.factor"] = 4.0F;
  Tiny before;
  before.floats["rope.scale_linear"] = 4.0F;
  EXPECT_EQ(Evaluate(before, Ids(9)).logits, Evaluate(now, Ids(9)).logits);
}

// Four layers, of which the last has no rotary embedding. Frequencies divided by 10^12 turn nothing:
// with them it makes no difference.
TEST(StraightLine, Smollm3_DoesNotRotateEveryFourthLayer) {
  Tiny model = AsLlama(Tiny());
  const auto layer = [&](int64_t from, int64_t to) {
    std::map<std::string, std::pair<Shape, Tensor>> copies;
    for (const auto& [name, tensor] : model.tensors) {
      const std::string prefix = "blk." + std::to_string(from) + ".";
      if (name.starts_with(prefix))
        copies["blk." + std::to_string(to) + "." + name.substr(prefix.size())] = tensor;
    }
    model.tensors.merge(copies);
  };
  layer(0, 2);
  layer(1, 3);
  model.num_layers = 4;
  Tiny unrotated = model;
  unrotated.Set("rope_freqs.weight", Tensor(3, 1e12F));
  Tiny smollm = model;
  smollm.architecture = "smollm3";
  Tiny still = unrotated;
  still.architecture = "smollm3";
  const auto of = [](const Tiny& t) { return Evaluate(t, Ids(9)).logits; };
  EXPECT_LT(LargestDifference(of(unrotated), of(still)), 1e-9);
  EXPECT_GT(LargestDifference(of(model), of(smollm)), 1e-3);
  EXPECT_GT(LargestDifference(of(smollm), of(still)), 1e-3);  // the others do rotate
}

}  // namespace
}  // namespace headway::straightline
