#include "synth/plan.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <span>

#include "synth/vocabulary.h"

namespace headway::synth {
namespace {

constexpr float kRmsNormEpsilon = 1e-5F;
constexpr float kRopeBase = 10000.0F;
constexpr float kNormSpread = 0.05F;  // norm weights are 1 within a few of these
// Of the LongRoPE factors: the stretch of the slowest rotation.
constexpr float kLongestFactor = 32.0F;
constexpr uint32_t kQuantizationVersion = 2;

constexpr std::string_view kChatTemplate =
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + "
    "'<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

// With a margin: deviation of the embedding's elements, and the cosine between a token's final
// hidden state and its embedding that follows (synthesise_test measures it by way of
// straightline/).
constexpr float kPointingEmbedding = 2.0F;
constexpr double kAlignment = 0.94;

// A step near 0.618 V without common divisor with V walks through all tokens, far from id to id.
int64_t CycleStep(int64_t vocab_size) {
  int64_t step = vocab_size * 618 / 1000;
  while (std::gcd(step, vocab_size) != 1) ++step;
  return step;
}

class Planner {
 public:
  Planner(const ModelShape& shape, const TypeMix& mix, const PlanOptions& options)
      : shape_(shape), mix_(mix), options_(options) {}

  std::vector<PlannedTensor> Plan() {
    const bool tied =
        shape_.tied_embedding && !options_.margin_sigma && options_.distinct_rows == 0;
    Matrix("token_embd.weight", shape_.vocab_size, shape_.hidden_size,
           {.role = TensorRole::kEmbedding, .serves_as_head = tied});
    if (options_.margin_sigma) tensors_.back().distribution.standard_deviation = kPointingEmbedding;
    if (shape_.HasLongRope()) LongRopeFactors();
    for (uint32_t layer = 0; layer < shape_.num_layers; ++layer) Layer(layer);
    Norm("output_norm.weight");
    if (!tied) {
      Matrix("output.weight", shape_.vocab_size, shape_.hidden_size,
             {.role = TensorRole::kOutput, .serves_as_head = true});
      tensors_.back().distinct_rows = options_.distinct_rows;
    }
    if (options_.margin_sigma) PointHead(*options_.margin_sigma, tensors_.back());
    return std::move(tensors_);
  }

 private:
  void Matrix(std::string name, int64_t rows, int64_t columns, TensorPlace place,
              float gain = 1.0F) {
    place.num_layers = shape_.num_layers;
    place.columns = columns;
    tensors_.push_back({.name = std::move(name),
                        .type = TypeFor(mix_, options_.pure, place),
                        .shape = Shape{rows, columns},
                        .distribution = {0.0F, gain / std::sqrt(static_cast<float>(columns))},
                        .values = {},
                        .echo = {}});
  }

  // beta^2 from margin = beta * sqrt(D) * alignment / sqrt(1 + beta^2); rows keep the bulk's
  // length.
  void PointHead(double margin, PlannedTensor& head) const {
    const double channels = shape_.hidden_size;
    const double beta = margin / std::sqrt(channels * kAlignment * kAlignment - margin * margin);
    const double deviation = 1.0 / std::sqrt(channels * (1.0 + beta * beta));
    head.distribution.standard_deviation = static_cast<float>(deviation);
    head.echo = RowEcho{.tensor_name = "token_embd.weight",
                        .standard_deviation = static_cast<float>(beta * deviation),
                        .row_shift = CycleStep(shape_.vocab_size)};
  }

  void Norm(std::string name) {
    tensors_.push_back({.name = std::move(name),
                        .type = DataType::kF32,
                        .shape = Shape{shape_.hidden_size},
                        .distribution = {1.0F, kNormSpread},
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

  void Given(std::string name, std::vector<float> values) {
    const auto count = static_cast<int64_t>(values.size());
    tensors_.push_back({.name = std::move(name),
                        .type = DataType::kF32,
                        .shape = Shape{count},
                        .distribution = {},
                        .values = std::move(values),
                        .echo = {}});
  }

  void Layer(uint32_t layer) {
    const std::string prefix = fmt::format("blk.{}.", layer);
    const int64_t hidden = shape_.hidden_size;
    const int64_t q_rows = int64_t{shape_.num_heads} * shape_.head_dim;
    const int64_t kv_rows = int64_t{shape_.num_kv_heads} * shape_.head_dim;
    const int64_t inner = shape_.intermediate_size;
    const float branch = 1.0F / std::sqrt(2.0F * static_cast<float>(shape_.num_layers));
    const TensorPlace other{.layer = layer};
    Norm(prefix + "attn_norm.weight");
    if (shape_.architecture == "phi3") {
      Matrix(prefix + "attn_qkv.weight", q_rows + 2 * kv_rows, hidden,
             {.role = TensorRole::kAttentionQkv, .layer = layer});
    } else {
      Matrix(prefix + "attn_q.weight", q_rows, hidden, other);
      Matrix(prefix + "attn_k.weight", kv_rows, hidden, other);
      Matrix(prefix + "attn_v.weight", kv_rows, hidden,
             {.role = TensorRole::kAttentionV, .layer = layer});
    }
    Matrix(prefix + "attn_output.weight", hidden, q_rows, other, branch);
    Norm(prefix + "ffn_norm.weight");
    if (shape_.architecture == "phi3") {
      Matrix(prefix + "ffn_up.weight", 2 * inner, hidden, other);  // gate rows, then up rows
    } else {
      Matrix(prefix + "ffn_gate.weight", inner, hidden, other);
      Matrix(prefix + "ffn_up.weight", inner, hidden, other);
    }
    Matrix(prefix + "ffn_down.weight", hidden, inner,
           {.role = TensorRole::kFeedForwardDown, .layer = layer}, branch);
  }

  const ModelShape& shape_;
  const TypeMix& mix_;
  const PlanOptions& options_;
  std::vector<PlannedTensor> tensors_;
};

void AddTokenizer(const ModelShape& shape, gguf::GgufWriter& writer) {
  const Vocabulary vocabulary = MakeVocabulary(shape.vocab_size);
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

}  // namespace

std::vector<PlannedTensor> PlanTensors(const ModelShape& shape, const TypeMix& mix,
                                       const PlanOptions& options) {
  return Planner(shape, mix, options).Plan();
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
  writer.AddF32(key("attention.layer_norm_rms_epsilon"), kRmsNormEpsilon);
  writer.AddU32(key("rope.dimension_count"), shape.rotary_dim);
  writer.AddF32(key("rope.freq_base"), kRopeBase);
  if (shape.architecture == "phi3") {
    writer.AddU32(key("rope.scaling.original_context_length"), shape.original_context_length);
    writer.AddU32(key("attention.sliding_window"), shape.sliding_window);
  } else {
    writer.AddU32(key("vocab_size"), shape.vocab_size);
  }
  if (shape.HasLongRope())
    writer.AddF32(key("rope.scaling.attn_factor"), shape.rope_attention_factor);
  AddTokenizer(shape, writer);
}

}  // namespace headway::synth
