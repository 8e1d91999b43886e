#include "model/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gguf/gguf_writer.h"

namespace headway::model {
namespace {

// A tiny file of an architecture: what it must have, all zero, and what a test adds.
struct TinyFile {
  static constexpr int64_t kDim = 64, kHidden = 96, kVocab = 40;

  explicit TinyFile(std::string name) : architecture(std::move(name)) {
    Number("context_length", 256);
    Number("embedding_length", kDim);
    Number("block_count", kLayers);
    Number("feed_forward_length", kHidden);
    Number("attention.head_count", 4);
    Number("attention.head_count_kv", 2);
    Real("attention.layer_norm_rms_epsilon", 1e-5F);
    Tensor("token_embd.weight", Shape{kVocab, kDim});
    Tensor("output_norm.weight", Shape{kDim});
    for (uint32_t l = 0; l < kLayers; ++l) {
      const std::string block = "blk." + std::to_string(l) + ".";
      for (const char* norm : {"attn_norm.weight", "ffn_norm.weight"})
        Tensor(block + norm, Shape{kDim});
      Tensor(block + "attn_q.weight", Shape{kDim, kDim});
      Tensor(block + "attn_k.weight", Shape{kDim / 2, kDim});
      Tensor(block + "attn_v.weight", Shape{kDim / 2, kDim});
      Tensor(block + "attn_output.weight", Shape{kDim, kDim});
      Tensor(block + "ffn_gate.weight", Shape{kHidden, kDim});
      Tensor(block + "ffn_up.weight", Shape{kHidden, kDim});
      Tensor(block + "ffn_down.weight", Shape{kDim, kHidden});
      if (!architecture.starts_with("gemma")) continue;
      for (const char* norm : {"post_attention_norm.weight", "post_ffw_norm.weight"})
        Tensor(block + norm, Shape{kDim});
      if (architecture != "gemma3") continue;
      for (const char* norm : {"attn_q_norm.weight", "attn_k_norm.weight"})
        Tensor(block + norm, Shape{16});
    }
  }

  using Add = std::function<void(gguf::GgufWriter&, const std::string& key)>;
  void Key(const std::string& key, Add add) { keys[key] = std::move(add); }
  void Number(const std::string& key, uint32_t value) {
    Key(key, [value](auto& writer, const auto& name) { writer.AddU32(name, value); });
  }
  void Real(const std::string& key, float value) {
    Key(key, [value](auto& writer, const auto& name) { writer.AddF32(name, value); });
  }
  void Flag(const std::string& key, bool value) {
    Key(key, [value](auto& writer, const auto& name) { writer.AddBool(name, value); });
  }
  void Text(const std::string& key, const std::string& value) {
    Key(key, [value](auto& writer, const auto& name) { writer.AddString(name, value); });
  }
  void Tensor(const std::string& name, const Shape& shape) { tensors[name] = shape; }

  std::vector<std::byte> Bytes() const {
    gguf::GgufWriter writer;
    writer.AddString("general.architecture", architecture);
    for (const auto& [key, add] : keys) add(writer, architecture + "." + key);
    size_t data = 0;
    for (const auto& [name, shape] : tensors) {
      writer.AddTensor(name, DataType::kF32, shape);
      data += (static_cast<size_t>(shape.Elements()) * sizeof(float) + 31) / 32 * 32;
    }
    auto bytes = writer.HeaderBytes();
    EXPECT_TRUE(bytes.has_value());
    bytes->resize(bytes->size() + data, std::byte{0});
    if (ones.empty()) return *bytes;
    const auto file = gguf::GgufFile::Parse(*bytes, "tiny.gguf");
    const ConstTensorView view = *file->GetTensor(ones);
    const auto offset = reinterpret_cast<const std::byte*>(view.data) - bytes->data();
    const std::vector<float> values(static_cast<size_t>(view.shape.Elements()), 1.0F);
    std::memcpy(bytes->data() + offset, values.data(), values.size() * sizeof(float));
    return *bytes;
  }

  static constexpr uint32_t kLayers = 8;
  std::string architecture;
  std::map<std::string, Add> keys;
  std::map<std::string, Shape> tensors;
  std::string ones;  // a tensor of ones instead of zeros
};

// The configuration, or the message of ReadModelConfig or BuildGraph.
struct Opened {
  ModelConfig config;
  graph::Graph graph;
  std::string message;
};

Opened Open(const TinyFile& tiny) {
  const std::vector<std::byte> bytes = tiny.Bytes();
  const auto file = gguf::GgufFile::Parse(bytes, "tiny.gguf");
  if (!file) return {{}, {}, file.error().message};
  const auto config = ReadModelConfig(*file);
  if (!config) return {{}, {}, config.error().message};
  const auto graph = BuildGraph(*file, *config);
  if (!graph) return {*config, {}, graph.error().message};
  return {*config, *graph, ""};
}

std::vector<graph::AttentionAttributes> Attentions(const graph::Graph& graph) {
  std::vector<graph::AttentionAttributes> found;
  for (const graph::Node& node : graph.nodes) {
    if (const auto* a = std::get_if<graph::AttentionAttributes>(&node.attributes))
      found.push_back(*a);
  }
  return found;
}

TEST(ModelTest, UnknownArchitecture_IsRefusedWithTheListOfKnownOnes) {
  EXPECT_EQ(
      Open(TinyFile("mamba")).message,
      "gguf: tiny.gguf: architecture 'mamba' unsupported (supported: phi3 (Phi-3, "
      "Phi-4-mini), llama, qwen2 (Qwen 2, Qwen 2.5), qwen3, gemma2 (Gemma 2), "
      "gemma3 (Gemma 3), smollm3, granite (Granite 3), ernie4_5 (ERNIE 4.5), exaone4 (EXAONE 4))");
}

TEST(ModelTest, TensorThatNothingReads_IsRefusedByName) {
  for (const char* architecture :
       {"llama", "qwen2", "gemma2", "gemma3", "smollm3", "granite", "ernie4_5"}) {
    TinyFile file(architecture);
    EXPECT_EQ(Open(file).message, "");
    file.Tensor("blk.1.attn_norm.bias", Shape{TinyFile::kDim});
    EXPECT_EQ(Open(file).message,
              std::string("gguf: tiny.gguf: tensor 'blk.1.attn_norm.bias': Headway does not know "
                          "what it does in a model of the architecture '") +
                  architecture + "'");
  }
  TinyFile norms("llama");
  norms.Tensor("blk.0.attn_q_norm.weight", Shape{16});
  EXPECT_NE(Open(norms).message.find("tensor 'blk.0.attn_q_norm.weight'"), std::string::npos);
}

TEST(ModelTest, Biases_AreAddedInEveryLayer) {
  TinyFile file("llama");
  for (uint32_t l = 0; l < TinyFile::kLayers; ++l)
    file.Tensor("blk." + std::to_string(l) + ".attn_k.bias", Shape{TinyFile::kDim / 2});
  const Opened opened = Open(file);
  ASSERT_EQ(opened.message, "");
  EXPECT_EQ(opened.config.biases, std::vector<std::string>{"attn_k"});
  const auto biases = std::count_if(opened.graph.nodes.begin(), opened.graph.nodes.end(),
                                    [](const graph::Node& n) { return n.op == graph::Op::kBias; });
  EXPECT_EQ(biases, TinyFile::kLayers);

  file.tensors.erase("blk.5.attn_k.bias");
  EXPECT_NE(Open(file).message.find("'blk.5.attn_k.bias'"), std::string::npos);
  TinyFile late("llama");
  late.Tensor("blk.5.attn_k.bias", Shape{TinyFile::kDim / 2});
  EXPECT_NE(Open(late).message.find("'blk.5.attn_k.bias'"), std::string::npos);
}

TEST(ModelTest, FusedProjections_AreReadInEveryArchitecture) {
  TinyFile file("qwen2");
  for (uint32_t l = 0; l < TinyFile::kLayers; ++l) {
    const std::string block = "blk." + std::to_string(l) + ".";
    for (const char* part : {"attn_q.weight", "attn_k.weight", "attn_v.weight"})
      file.tensors.erase(block + part);
    file.Tensor(block + "attn_qkv.weight", Shape{2 * TinyFile::kDim, TinyFile::kDim});
  }
  EXPECT_EQ(Open(file).message, "");
}

TEST(ModelTest, KeyThatSaysMoreThanIsDone_IsRefusedByName) {
  const auto refused = [](const std::string& key, const std::function<void(TinyFile&)>& change) {
    TinyFile file("llama");
    change(file);
    const std::string message = Open(file).message;
    EXPECT_NE(message.find("key 'llama." + key + "' with the value "), std::string::npos)
        << key << ": " << message;
  };
  refused("logit_scale", [](TinyFile& f) { f.Real("logit_scale", 2.0F); });
  refused("expert_count", [](TinyFile& f) { f.Number("expert_count", 8); });
  refused("attention.causal", [](TinyFile& f) { f.Flag("attention.causal", false); });
  for (const std::string cap : {"attn_logit_softcapping", "final_logit_softcapping"})
    refused(cap, [&cap](TinyFile& f) { f.Real(cap, 50.0F); });
  refused("rope.dimension_sections", [](TinyFile& f) {
    f.Key("rope.dimension_sections", [](auto& writer, const auto& key) {
      const std::vector<int32_t> sections = {8, 8, 0, 0};
      writer.AddArray(key, std::span<const int32_t>(sections));
    });
  });
  TinyFile none("llama");
  none.Real("logit_scale", 0.0F);
  none.Number("expert_count", 0);
  none.Flag("attention.causal", true);
  none.Flag("use_parallel_residual", false);
  none.Number("vocab_size", 40);
  none.Text("tensor_data_layout", "Meta AI original pth");
  none.Number("attention.value_length", 16);
  EXPECT_EQ(Open(none).message, "");
  none.Number("attention.value_length", 32);
  EXPECT_NE(Open(none).message.find("keys and values of one width, found 16 and 32"),
            std::string::npos);
}

TEST(ModelTest, Gemma3_HasWindowsAndBasesByLayer) {
  TinyFile file("gemma3");
  file.Number("attention.sliding_window", 32);
  file.Real("rope.freq_base", 1e6F);
  file.Real("rope.scaling.factor", 8.0F);
  const Opened opened = Open(file);
  ASSERT_EQ(opened.message, "");
  EXPECT_EQ(opened.config.global_layers, std::vector<int64_t>{5});
  EXPECT_EQ(opened.config.rope_theta, 1e6);
  EXPECT_EQ(opened.config.rope_linear_factor, 8.0);
  EXPECT_EQ(opened.config.rope_local_theta, 1e4);
  EXPECT_EQ(opened.config.embedding_scale, 8.0F);
  const auto attentions = Attentions(opened.graph);
  for (size_t l = 0; l < attentions.size(); ++l) {
    EXPECT_EQ(attentions[l].window, l == 5 ? 0 : 32) << l;
    EXPECT_EQ(attentions[l].scale, 0.25F);
  }
  std::vector<int64_t> tables;
  for (const graph::Node& node : opened.graph.nodes) {
    if (const auto* rotary = std::get_if<graph::RotaryAttributes>(&node.attributes))
      tables.push_back(rotary->table);
  }
  EXPECT_EQ(tables, (std::vector<int64_t>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1}));

  file.Number("attention.sliding_window_pattern", 2);
  EXPECT_EQ(Open(file).config.global_layers, (std::vector<int64_t>{1, 3, 5, 7}));
  file.Key("attention.sliding_window_pattern", [](auto& writer, const auto& key) {
    const std::vector<int32_t> windowed = {0, 1, 1, 1, 1, 1, 1, 0};
    writer.AddArray(key, std::span<const int32_t>(windowed));
  });
  EXPECT_EQ(Open(file).config.global_layers, (std::vector<int64_t>{0, 7}));
  file.Key("attention.sliding_window_pattern", [](auto& writer, const auto& key) {
    const std::vector<int32_t> windowed = {0, 1};
    writer.AddArray(key, std::span<const int32_t>(windowed));
  });
  EXPECT_NE(Open(file).message.find("expected a bool for each of 8 layers, found array of 2 i32"),
            std::string::npos);
}

TEST(ModelTest, Gemma2_HasWindowsInEveryOtherLayerAndSoftCaps) {
  TinyFile file("gemma2");
  file.Number("attention.sliding_window", 32);
  const Opened opened = Open(file);
  ASSERT_EQ(opened.message, "");
  EXPECT_EQ(opened.config.global_layers, (std::vector<int64_t>{1, 3, 5, 7}));
  EXPECT_EQ(opened.config.rope_local_theta, 0.0);
  EXPECT_EQ(opened.config.embedding_scale, 8.0F);
  const auto attentions = Attentions(opened.graph);
  ASSERT_EQ(attentions.size(), size_t{TinyFile::kLayers});
  for (size_t l = 0; l < attentions.size(); ++l) {
    EXPECT_EQ(attentions[l].window, l % 2 == 0 ? 32 : 0) << l;
    EXPECT_EQ(attentions[l].scale, 0.25F);
    EXPECT_EQ(attentions[l].soft_cap, 50.0F);  // as published, where the file does not say
  }
  EXPECT_EQ(graph::SoftCapOf(opened.graph.nodes.back()), 30.0F);

  file.Real("attn_logit_softcapping", 20.0F);
  file.Real("final_logit_softcapping", 0.0F);  // none
  const Opened other = Open(file);
  ASSERT_EQ(other.message, "");
  EXPECT_EQ(Attentions(other.graph).front().soft_cap, 20.0F);
  EXPECT_EQ(graph::SoftCapOf(other.graph.nodes.back()), 0.0F);
  file.Real("attn_logit_softcapping", -20.0F);
  EXPECT_NE(Open(file).message.find("key 'gemma2.attn_logit_softcapping': expected a positive"),
            std::string::npos);
}

TEST(ModelTest, Gemma2_WithoutAWindowKey_HasThePublishedOne) {
  TinyFile file("gemma2");
  EXPECT_EQ(Open(file).config.sliding_window, 0);  // 4,096, and the context is 256
  file.Number("context_length", 8192);
  EXPECT_EQ(Open(file).config.sliding_window, 4096);
  file.Number("attention.sliding_window", 0);
  EXPECT_EQ(Open(file).config.sliding_window, 0);
}

TEST(ModelTest, Gemma3_MayCapItsLogits) {
  TinyFile file("gemma3");
  EXPECT_EQ(graph::SoftCapOf(Open(file).graph.nodes.back()), 0.0F);
  file.Real("final_logit_softcapping", 30.0F);
  EXPECT_EQ(graph::SoftCapOf(Open(file).graph.nodes.back()), 30.0F);
  file.Real("attn_logit_softcapping", 50.0F);
  EXPECT_NE(Open(file).message.find("key 'gemma3.attn_logit_softcapping' with the value 50"),
            std::string::npos);
}

TEST(ModelTest, Smollm3_DoesNotRotateEveryFourthLayer) {
  const Opened opened = Open(TinyFile("smollm3"));
  EXPECT_EQ(opened.config.unrotated_layers, (std::vector<int64_t>{3, 7}));
  EXPECT_TRUE(opened.config.rope_pairs);
  const auto rotations =
      std::count_if(opened.graph.nodes.begin(), opened.graph.nodes.end(),
                    [](const graph::Node& n) { return n.op == graph::Op::kRotary; });
  EXPECT_EQ(rotations, 2 * 6);
}

TEST(ModelTest, Granite_HasItsFourScales) {
  TinyFile file("granite");
  file.Real("embedding_scale", 12.0F);
  file.Real("attention.scale", 0.015625F);
  file.Real("residual_scale", 0.22F);
  file.Real("logit_scale", 8.0F);
  const Opened opened = Open(file);
  ASSERT_EQ(opened.message, "");
  EXPECT_EQ(Attentions(opened.graph).front().scale, 0.015625F);
  std::vector<float> factors;
  for (const graph::Node& node : opened.graph.nodes) {
    if (const auto* scale = std::get_if<graph::ScaleAttributes>(&node.attributes))
      factors.push_back(scale->factor);
  }
  ASSERT_EQ(factors.size(), 2U + 2 * TinyFile::kLayers);
  EXPECT_EQ(factors.front(), 12.0F);
  EXPECT_EQ(factors[1], 0.22F);
  EXPECT_EQ(factors.back(), 0.125F);
  file.Real("residual_scale", -1.0F);
  EXPECT_NE(Open(file).message.find("key 'granite.residual_scale': expected a positive number"),
            std::string::npos);
  file.Real("residual_scale", 0.0F);  // none
  file.Flag("rope.scaling.finetuned", false);
  const Opened unrotated = Open(file);
  ASSERT_EQ(unrotated.message, "");
  EXPECT_EQ(unrotated.config.residual_scale, 1.0F);
  EXPECT_EQ(unrotated.config.unrotated_layers.size(), size_t{TinyFile::kLayers});
}

TEST(ModelTest, RotaryScaling_IsReadAsLlamaCppReadsIt) {
  TinyFile old("llama");
  old.Real("rope.scale_linear", 4.0F);
  EXPECT_EQ(Open(old).config.rope_linear_factor, 4.0);
  old.Real("rope.scaling.factor", 2.0F);
  EXPECT_EQ(Open(old).config.rope_linear_factor, 2.0);
  old.Real("rope.scaling.factor", 0.0F);  // none
  EXPECT_EQ(Open(old).config.rope_linear_factor, 1.0);
  old.Text("rope.scaling.type", "none");
  old.Real("rope.scaling.factor", 2.0F);
  EXPECT_EQ(Open(old).config.rope_linear_factor, 1.0);
  old.Text("rope.scaling.type", "dynamic");
  EXPECT_NE(Open(old).message.find("rope.scaling.type 'dynamic' with the factor 2 unsupported"),
            std::string::npos);
  old.Text("rope.scaling.type", "longrope");
  EXPECT_NE(Open(old).message.find("rope.scaling.type 'longrope' with the factor 2 unsupported"),
            std::string::npos);
}

// Width 16, base 10,000, original context 256: corners floor(16 ln(256 / 64 pi) / (2 ln 10^4)) = 0
// and ceil(16 ln(256 / 2 pi) / (2 ln 10^4)) = 4.
TEST(ModelTest, Yarn_KeepsFastPairsAndStretchesSlowOnes) {
  TinyFile file("qwen2");
  file.Text("rope.scaling.type", "yarn");
  file.Real("rope.scaling.factor", 4.0F);
  const Opened opened = Open(file);
  ASSERT_EQ(opened.message, "");
  std::vector<float> expected;
  for (const float stretched : {0.0F, 0.25F, 0.5F, 0.75F, 1.0F, 1.0F, 1.0F, 1.0F})
    expected.push_back(1.0F / (stretched / 4.0F + 1.0F - stretched));
  EXPECT_EQ(opened.config.rope_short_factors, expected);
  EXPECT_NEAR(opened.config.rope_attention_factor, 0.1 * std::log(4.0) + 1.0, 1e-12);
  EXPECT_EQ(opened.config.rope_linear_factor, 1.0);

  // Llama 3's factors go before.
  file.Tensor("rope_freqs.weight", Shape{8});
  EXPECT_NE(Open(file).message.find("expected positive factors"), std::string::npos);
  file.ones = "rope_freqs.weight";
  EXPECT_EQ(Open(file).config.rope_short_factors, expected);
}

}  // namespace
}  // namespace headway::model
