#include "lab/synth/plan.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <numeric>
#include <span>
#include <sstream>

#include "base/check.h"
#include "lab/synth/vocabulary.h"
#include "model/model.h"

namespace headway::synth {
namespace {

constexpr float kRmsNormEpsilon = 1e-5F;
constexpr float kBiasSpread = 0.3F;
constexpr float kNormSpread = 0.05F;  // norm weights are 1 within a few of these
// Of the LongRoPE factors: the stretch of the slowest rotation.
constexpr float kLongestFactor = 32.0F;
constexpr uint32_t kQuantizationVersion = 2;

constexpr std::string_view kEmbeddingName = "token_embd.weight";

constexpr std::string_view kChatTemplate =
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + "
    "'<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

// With a margin: deviation of the embedding's elements, and the cosine between a token's final
// hidden state and its embedding that follows (synthesise_test measures it by way of
// truth/straightline/).
constexpr float kPointingEmbedding = 2.0F;
constexpr double kAlignment = 0.94;

// A step near 0.618 V without common divisor with V walks through all tokens, far from id to id.
int64_t CycleStep(int64_t vocab_size) {
  int64_t step = vocab_size * 618 / 1000;
  while (std::gcd(step, vocab_size) != 1) ++step;
  return step;
}

// What the architecture's forward pass needs to know to name its tensors.
ModelConfig ConfigOf(const ModelShape& shape, bool tied) {
  ModelConfig config;
  config.architecture = shape.architecture;
  config.hidden_size = shape.hidden_size;
  config.intermediate_size = shape.intermediate_size;
  config.num_hidden_layers = shape.num_layers;
  config.num_attention_heads = shape.num_heads;
  config.num_key_value_heads = shape.num_kv_heads;
  config.head_dim = shape.head_dim;
  config.rotary_dim = shape.rotary_dim;
  config.vocab_size = shape.vocab_size;
  config.tie_word_embeddings = tied;
  config.fused_qkv = shape.architecture == "phi3";  // as its files have it
  std::istringstream biases{std::string(shape.biases)};
  for (std::string matrix; biases >> matrix;) config.biases.push_back(matrix);
  return config;
}

class SyntheticPlanner {
 public:
  SyntheticPlanner(const ModelShape& shape, const TypeMix& mix, const PlanOptions& options)
      : shape_(shape), mix_(mix), options_(options) {}

  std::vector<PlannedTensor> Plan() {
    const bool tied =
        shape_.tied_embedding && !options_.margin_sigma && options_.distinct_rows == 0;
    const auto tensors = model::ListTensors(ConfigOf(shape_, tied));
    HW_CHECK(tensors.has_value(), "shapes are of architectures that there are");
    for (const model::TensorSpec& tensor : *tensors) {
      if (tensor.shape.Rank() == 1) {
        Vector(tensor);
        continue;
      }
      Matrix(tensor, PlaceOf(tensor, tied));
      if (tensor.name != kEmbeddingName) continue;
      if (options_.margin_sigma) {
        tensors_.back().distribution.standard_deviation = kPointingEmbedding;
      }
      if (shape_.HasLongRope()) LongRopeFactors();
      if (shape_.rope_freqs) RopeFrequencies();
    }
    if (!tied) tensors_.back().distinct_rows = options_.distinct_rows;
    if (options_.margin_sigma) PointHead(*options_.margin_sigma, tensors_.back());
    return std::move(tensors_);
  }

 private:
  // The two that write into the residual stream are divided by sqrt(2 L) more.
  void Matrix(const model::TensorSpec& tensor, const TensorPlace& place) {
    const bool branch =
        tensor.name.ends_with("attn_output.weight") || tensor.name.ends_with("ffn_down.weight");
    const float gain =
        branch ? 1.0F / std::sqrt(2.0F * static_cast<float>(shape_.num_layers)) : 1.0F;
    const auto columns = static_cast<float>(tensor.shape.Columns());
    tensors_.push_back({.name = tensor.name,
                        .type = place.serves_as_head && options_.head_type
                                    ? *options_.head_type
                                    : TypeFor(mix_, options_.pure, place),
                        .shape = tensor.shape,
                        .distribution = {0.0F, gain / std::sqrt(columns)},
                        .values = {},
                        .echo = {}});
  }

  TensorPlace PlaceOf(const model::TensorSpec& tensor, bool tied) const {
    TensorPlace place{.num_layers = shape_.num_layers,
                      .heads_per_kv_head = shape_.num_heads / shape_.num_kv_heads,
                      .columns = tensor.shape.Columns()};
    const std::string_view name = tensor.name;
    if (name.starts_with("blk.")) {
      std::from_chars(name.data() + 4, name.data() + name.size(), place.layer);
    }
    if (name == kEmbeddingName) place.role = TensorRole::kEmbedding;
    if (name == "output.weight") place.role = TensorRole::kOutput;
    if (name.ends_with(".attn_qkv.weight")) place.role = TensorRole::kAttentionQkv;
    if (name.ends_with(".attn_v.weight")) place.role = TensorRole::kAttentionV;
    if (name.ends_with(".attn_output.weight")) place.role = TensorRole::kAttentionOutput;
    if (name.ends_with(".ffn_down.weight")) place.role = TensorRole::kFeedForwardDown;
    place.serves_as_head =
        place.role == TensorRole::kOutput || (tied && place.role == TensorRole::kEmbedding);
    return place;
  }

  // beta^2 from margin = beta * sqrt(D) * alignment / sqrt(1 + beta^2); rows keep the bulk's
  // length.
  void PointHead(double margin, PlannedTensor& head) const {
    const double channels = shape_.hidden_size;
    const double beta = margin / std::sqrt(channels * kAlignment * kAlignment - margin * margin);
    const double deviation = 1.0 / std::sqrt(channels * (1.0 + beta * beta));
    head.distribution.standard_deviation = static_cast<float>(deviation);
    head.echo = RowEcho{.tensor_name = std::string(kEmbeddingName),
                        .standard_deviation = static_cast<float>(beta * deviation),
                        .row_shift = CycleStep(shape_.vocab_size)};
  }

  // A norm's gain, near 1, or a bias.
  void Vector(const model::TensorSpec& tensor) {
    const bool bias = tensor.name.ends_with(".bias");
    tensors_.push_back({.name = tensor.name,
                        .type = DataType::kF32,
                        .shape = tensor.shape,
                        .distribution = {bias ? 0.0F : 1.0F, bias ? kBiasSpread : kNormSpread},
                        .values = {},
                        .echo = {}});
  }

  // Short factors near 1, long ones growing with the wavelength, as trained ones do.
  void LongRopeFactors() {
    const uint32_t count = shape_.rotary_dim / 2;
    std::vector<float> short_factors(count);
    std::vector<float> long_factors(count);
    for (uint32_t i = 0; i < count; ++i) {
      const float t = static_cast<float>(i) / static_cast<float>(count - 1);
      short_factors[i] = 1.0F + 0.25F * t;
      long_factors[i] = 1.0F + (kLongestFactor - 1.0F) * t * t;
    }
    Given("rope_factors_long.weight", std::move(long_factors));
    Given("rope_factors_short.weight", std::move(short_factors));
  }

  // Fast pairs as they are, slow ones an eighth as fast, as Llama 3 has them.
  void RopeFrequencies() {
    std::vector<float> factors(shape_.rotary_dim / 2, 1.0F);
    for (size_t i = factors.size() / 2; i < factors.size(); ++i) factors[i] = 8.0F;
    Given("rope_freqs.weight", std::move(factors));
  }

  void Given(std::string name, std::vector<float> values) {
    const auto count = static_cast<int64_t>(values.size());
    tensors_.push_back({.name = std::move(name),
                        .type = DataType::kF32,
                        .shape = Shape{count},
                        .distribution = {},
                        .values = std::move(values),
                        .echo = {}});
  }

  const ModelShape& shape_;
  const TypeMix& mix_;
  const PlanOptions& options_;
  std::vector<PlannedTensor> tensors_;
};

void AddTokenizer(const ModelShape& shape, gguf::GgufWriter& writer) {
  const MadeUpVocabulary vocabulary = MakeVocabulary(shape.vocab_size);
  writer.AddString("tokenizer.ggml.model", "gpt2");
  writer.AddString("tokenizer.ggml.pre", shape.pre_tokenizer);
  writer.AddStringArray("tokenizer.ggml.tokens", std::span<const std::string>(vocabulary.tokens));
  writer.AddArray("tokenizer.ggml.token_type", std::span<const int32_t>(vocabulary.token_types));
  writer.AddStringArray("tokenizer.ggml.merges", std::span<const std::string>(vocabulary.merges));
  writer.AddU32("tokenizer.ggml.bos_token_id", vocabulary.end_of_text_id);
  writer.AddU32("tokenizer.ggml.eos_token_id", vocabulary.end_of_text_id);
  writer.AddU32("tokenizer.ggml.padding_token_id", vocabulary.end_of_text_id);
  writer.AddBool("tokenizer.ggml.add_bos_token", false);
  writer.AddBool("tokenizer.ggml.add_eos_token", false);
  writer.AddString("tokenizer.chat_template", kChatTemplate);
}

void AddRareKeys(const ModelShape& shape, gguf::GgufWriter& writer) {
  const auto key = [&](std::string_view suffix) {
    return fmt::format("{}.{}", shape.architecture, suffix);
  };
  if (shape.window_pattern > 0) {
    writer.AddU32(key("attention.sliding_window"), shape.sliding_window);
    writer.AddU32(key("attention.sliding_window_pattern"), shape.window_pattern);
  }
  if (shape.architecture == "gemma2")
    writer.AddU32(key("attention.sliding_window"), shape.sliding_window);
  if (shape.score_cap > 0.0F) writer.AddF32(key("attn_logit_softcapping"), shape.score_cap);
  if (shape.logit_cap > 0.0F) writer.AddF32(key("final_logit_softcapping"), shape.logit_cap);
  if (shape.linear_factor > 0.0F) {
    writer.AddString(key("rope.scaling.type"), "linear");
    writer.AddF32(key("rope.scaling.factor"), shape.linear_factor);
  }
  if (shape.yarn_context > 0) {
    writer.AddString(key("rope.scaling.type"), "yarn");
    writer.AddF32(key("rope.scaling.factor"), 4.0F);
    writer.AddU32(key("rope.scaling.original_context_length"), shape.yarn_context);
  }
  if (shape.granite_scales) {  // of Granite 3's order, but for fewer channels
    writer.AddF32(key("embedding_scale"), 12.0F);
    writer.AddF32(key("attention.scale"), 0.0625F);
    writer.AddF32(key("residual_scale"), 0.5F);
    writer.AddF32(key("logit_scale"), 2.0F);
  }
}

}  // namespace

std::vector<PlannedTensor> PlanTensors(const ModelShape& shape, const TypeMix& mix,
                                       const PlanOptions& options) {
  return SyntheticPlanner(shape, mix, options).Plan();
}

int64_t Successor(const ModelShape& shape, int64_t token) {
  return (token + CycleStep(shape.vocab_size)) % shape.vocab_size;
}

double MaxMargin(const ModelShape& shape) {
  return kAlignment * std::sqrt(static_cast<double>(shape.hidden_size));
}

void AddMetadata(const ModelShape& shape, const TypeMix& mix, uint64_t seed,
                 gguf::GgufWriter& writer) {
  const auto key = [&](std::string_view suffix) {
    return fmt::format("{}.{}", shape.architecture, suffix);
  };
  writer.AddString("general.architecture", shape.architecture);
  writer.AddString("general.type", "model");
  writer.AddString("general.name",
                   fmt::format("{} with synthetic weights, seed {}", shape.name, seed));
  writer.AddU32("general.file_type", mix.file_type);
  writer.AddU32("general.quantization_version", kQuantizationVersion);
  writer.AddU32(key("context_length"), shape.context_length);
  writer.AddU32(key("embedding_length"), shape.hidden_size);
  writer.AddU32(key("feed_forward_length"), shape.intermediate_size);
  writer.AddU32(key("block_count"), shape.num_layers);
  writer.AddU32(key("attention.head_count"), shape.num_heads);
  writer.AddU32(key("attention.head_count_kv"), shape.num_kv_heads);
  if (shape.head_dim * shape.num_heads != shape.hidden_size) {
    writer.AddU32(key("attention.key_length"), shape.head_dim);
    writer.AddU32(key("attention.value_length"), shape.head_dim);
  }
  writer.AddF32(key("attention.layer_norm_rms_epsilon"), kRmsNormEpsilon);
  writer.AddU32(key("rope.dimension_count"), shape.rotary_dim);
  writer.AddF32(key("rope.freq_base"), shape.rope_base);
  if (shape.architecture == "phi3") {
    writer.AddU32(key("rope.scaling.original_context_length"), shape.original_context_length);
    writer.AddU32(key("attention.sliding_window"), shape.sliding_window);
  } else {
    writer.AddU32(key("vocab_size"), shape.vocab_size);
  }
  AddRareKeys(shape, writer);
  if (shape.HasLongRope())
    writer.AddF32(key("rope.scaling.attn_factor"), shape.rope_attention_factor);
  AddTokenizer(shape, writer);
}

}  // namespace headway::synth
