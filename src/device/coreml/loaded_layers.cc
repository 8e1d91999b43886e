#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "device/coreml/loaded_shards.h"
#include "device/coreml/shard_prediction.h"

namespace headway::coreml {
namespace {

constexpr int64_t kMaxLayerExtent = int64_t{1} << 20;    // channels, positions
constexpr int64_t kMaxStateElements = int64_t{1} << 32;  // 16 GB
// Added to scores of positions that a token must not see; the value of Apple's own rules: infinities
// and larger numbers overflow in sums.
constexpr float kMasked = -4e4F;

class LayersState final : public ShardState {
 public:
  explicit LayersState(mil::TensorMap states) : states_(std::move(states)) {}
  int64_t KvBytes() const override {
    int64_t bytes = 0;
    for (const auto& [name, state] : states_)
      bytes += state.Count() * static_cast<int64_t>(sizeof(float));
    return bytes;
  }
  void ShareFrom(const ShardState& other, int64_t /*num_positions*/) override {
    states_ = static_cast<const LayersState&>(other).states_;
  }
  mil::TensorMap* States() { return &states_; }

  // The floats of a state, this conversation's alone from now on.
  float* Own(const std::string& name) {
    mil::Tensor& state = states_.at(name);
    if (state.floats.use_count() > 1) {
      mil::Tensor copy = mil::ZeroTensor(state.type.dtype, state.type.dims);
      std::copy_n(state.floats.get(), state.Count(), copy.floats.get());
      state = std::move(copy);
    }
    return state.floats.get();
  }

 private:
  mil::TensorMap states_;  // of every width: they have the same states, or caches outside
};

struct LayersShape {
  int64_t D = 0, pairs = 0, max_seq = 0;
  // Keys and values that are inputs of the program and kept here, [1, Hk, d, S]: no states then.
  std::map<std::string, mil::TensorType> caches = {};
};

constexpr std::string_view kCache = "_cache_";  // "k_cache_3", whose new columns are "k_new_3"

std::string NewColumnsOf(std::string cache) {
  return cache.replace(cache.find(kCache), kCache.size(), "_new_");
}

std::map<std::string, mil::TensorType> CachesOf(const LoadedProgram& program) {
  std::map<std::string, mil::TensorType> caches;
  for (const mil::NamedType& input : program.main->inputs) {
    const bool outside = !input.type.is_state && input.name.find(kCache) != std::string::npos;
    if (outside) caches[input.name] = input.type.tensor;
  }
  return caches;
}

// The inputs of a step of `tokens` (device/coreml/shards/layer_shard.h); one token alone has shapes
// of its own, told by the rank of the rotary tables.
std::map<std::string, mil::Dims> InputDims(const LayersShape& s, int64_t tokens, bool single) {
  const mil::Dims rope = single ? mil::Dims{1, s.pairs} : mil::Dims{1, 1, s.pairs, tokens};
  std::map<std::string, mil::Dims> dims = {
      {"x", {1, s.D, tokens, 1}}, {"rope_cos", rope}, {"rope_sin", rope}};
  if (s.caches.empty()) {
    dims["attn_mask"] = {1, 1, tokens, s.max_seq};
    dims["kv_write_mask"] = {1, 1, s.max_seq, tokens};
    return dims;
  }
  dims["attn_mask"] = {1, 1, tokens, s.max_seq + tokens};
  for (const auto& [name, type] : s.caches) dims[name] = type.dims;
  return dims;
}

std::map<std::string, mil::Dims> LayerOutputs(const LayersShape& s, int64_t tokens) {
  std::map<std::string, mil::Dims> dims = {{"hidden", {1, s.D, tokens, 1}}};
  for (const auto& [name, type] : s.caches) {
    mil::Dims fresh = type.dims;
    fresh.back() = tokens;
    dims[NewColumnsOf(name)] = fresh;
  }
  return dims;
}

bool IsSingle(const LoadedProgram& program) {
  const mil::TensorType* const rope = program.Input("rope_cos");
  return rope != nullptr && rope->dims.size() == 2;
}

Result<LayersShape> LayersShapeOf(const LoadedProgram& program) {
  const mil::TensorType* const x = program.Input("x");
  const mil::TensorType* const rope = program.Input("rope_cos");
  const mil::TensorType* const mask = program.Input("attn_mask");
  if (x == nullptr || rope == nullptr || mask == nullptr || x->dims.size() != 4 ||
      mask->dims.size() != 4 || (rope->dims.size() != 2 && rope->dims.size() != 4)) {
    return BadProgram(program.path, "expected the inputs x, rope_cos and attn_mask of layers");
  }
  LayersShape shape{.D = x->dims[1],
                    .pairs = rope->dims[rope->dims.size() == 2 ? 1 : 2],
                    .max_seq = mask->dims[3],
                    .caches = CachesOf(program)};
  for (const auto& [name, type] : shape.caches) {
    const bool first = &type == &shape.caches.begin()->second;
    if (type.dims.size() != 4 || type.dtype != mil::DType::kF16 || name.rfind(kCache) != 1 ||
        (!first && type.dims[3] != shape.max_seq))
      return BadProgram(program.path, fmt::format("expected a cache [1, Hk, d, S], found '{}' {}",
                                                  name, mil::ToString(type.dims)));
    shape.max_seq = type.dims[3];
  }
  return shape;
}

class InterpretedLayers final : public LoadedLayerShard {
 public:
  InterpretedLayers(Programs programs, std::vector<Width> widths, LayersShape shape)
      : LoadedLayerShard({.interface = {.input_channels = shape.D,
                                        .output_channels = shape.D,
                                        .rotary_dim = 2 * shape.pairs,
                                        .max_positions = shape.max_seq},
                          .max_tokens = kMaxStepTokens,
                          .weight_bytes = WeightBytesOf(widths)}),
        programs_(std::move(programs)),
        widths_(std::move(widths)),
        s_(std::move(shape)) {}

  std::unique_ptr<ShardState> NewState(const StateOptions& options) const override {
    HW_CHECK(options.capacity_tokens <= s_.max_seq, "a sequence that the states hold");
    mil::TensorMap states = programs_.front()->interpreter->NewStates();
    for (const auto& [name, type] : s_.caches)
      states[name] = mil::ZeroTensor(type.dtype, type.dims);
    return std::make_unique<LayersState>(std::move(states));
  }

  // One conversation after another: a program has the states of one.
  void Run(const StepArgs& args) noexcept override {
    int64_t first_token = 0;
    for (const StepRow& row : args.rows) {
      for (int64_t done = 0; done < row.num_tokens;) {
        const Width& width = PickWidth(widths_, row.num_tokens - done);
        const int64_t count = std::min(width.tokens, row.num_tokens - done);
        RunWidth(args, row, {first_token + done, row.first_position + done, count}, width);
        done += count;
      }
      first_token += row.num_tokens;
    }
  }

  headway::Residency Residency() const override { return PredictedResidency(programs_); }
  std::optional<std::string> FirstNotFinite() const override { return FirstNotFiniteOf(programs_); }

 private:
  // Consecutive tokens of one conversation; `token` counts in the step.
  struct Tokens {
    int64_t token, position, count;
  };

  void RunWidth(const StepArgs& args, const StepRow& row, const Tokens& tokens,
                const Width& width) const {
    auto* const state = static_cast<LayersState*>(row.state);
    mil::TensorMap inputs = Inputs(args, tokens, width);
    for (const auto& [name, type] : s_.caches) inputs[name] = state->States()->at(name);
    const auto out = width.program->interpreter->Run(inputs, state->States());
    HW_CHECK(out.has_value(), "a step that was planned at load");
    inputs.clear();
    for (const auto& [name, type] : s_.caches)
      Append(out->at(NewColumnsOf(name)), tokens, state->Own(name));
    const float* const hidden = out->at("hidden").floats.get();  // [1, D, T, 1]
    for (int64_t t = 0; t < tokens.count; ++t) {
      float* const to = args.output + (tokens.token + t) * args.output_stride;
      for (int64_t c = 0; c < s_.D; ++c) to[c] = hidden[c * width.tokens + t];
    }
  }

  // New columns [1, Hk, d, T] into a cache [1, Hk, d, S], at their positions.
  void Append(const mil::Tensor& fresh, const Tokens& tokens, float* cache) const {
    const int64_t T = fresh.type.dims.back();
    for (int64_t row = 0; row < fresh.Count() / T; ++row)
      std::copy_n(fresh.floats.get() + row * T, tokens.count,
                  cache + row * s_.max_seq + tokens.position);
  }

  // `tokens`, and padding up to the width that writes nothing.
  mil::TensorMap Inputs(const StepArgs& args, const Tokens& tokens, const Width& width) const {
    const int64_t T = width.tokens;
    const int64_t S = s_.max_seq;
    std::vector<float> x(static_cast<size_t>(s_.D * T), 0.0F);
    std::vector<float> cos(static_cast<size_t>(s_.pairs * T), 0.0F);
    std::vector<float> sin(cos.size(), 0.0F);
    const int64_t seen = s_.caches.empty() ? S : S + T;
    std::vector<float> mask(static_cast<size_t>(T * seen), kMasked);
    std::vector<float> write(static_cast<size_t>(S * T), 0.0F);
    for (int64_t t = 0; t < T; ++t) {
      const int64_t position = tokens.position + std::min(t, tokens.count - 1);
      if (s_.caches.empty()) {
        std::fill_n(mask.begin() + t * S, position + 1, 0.0F);
      } else {  // the cache ends before this step; then the step's own columns
        std::fill_n(mask.begin() + t * seen, tokens.position, 0.0F);
        std::fill_n(mask.begin() + t * seen + S, position - tokens.position + 1, 0.0F);
      }
      if (t >= tokens.count) continue;
      const auto at = [T, t](int64_t row) { return static_cast<size_t>(row * T + t); };
      for (int64_t c = 0; c < s_.D; ++c) x[at(c)] = args.input[(tokens.token + t) * s_.D + c];
      for (int64_t i = 0; i < s_.pairs; ++i) {
        cos[at(i)] = args.rotary_cos[(tokens.token + t) * s_.pairs + i];
        sin[at(i)] = args.rotary_sin[(tokens.token + t) * s_.pairs + i];
      }
      write[at(position)] = 1.0F;
    }
    const auto dims = InputDims(s_, T, IsSingle(*width.program));
    const auto tensor = [&dims](const char* name, const std::vector<float>& values) {
      return mil::MakeTensor(mil::DType::kF16, dims.at(name), values);
    };
    mil::TensorMap inputs = {{"x", tensor("x", x)},
                             {"rope_cos", tensor("rope_cos", cos)},
                             {"rope_sin", tensor("rope_sin", sin)},
                             {"attn_mask", tensor("attn_mask", mask)}};
    if (s_.caches.empty()) inputs["kv_write_mask"] = tensor("kv_write_mask", write);
    return inputs;
  }

  const Programs programs_;
  const std::vector<Width> widths_;
  const LayersShape s_;
};

// The widths share the states of one conversation, which must fit into memory.
Result<void> CheckStates(const Programs& programs) {
  const auto states_of = [](const LoadedProgram& program) {
    std::map<std::string, mil::TensorType> states = CachesOf(program);
    for (const mil::NamedType& input : program.main->inputs) {
      if (input.type.is_state) states[input.name] = input.type.tensor;
    }
    return states;
  };
  const auto first = states_of(*programs.front());
  int64_t elements = 0;
  for (const auto& [name, type] : first)
    elements +=
        std::min(mil::NumElements(type.dims).value_or(kMaxStateElements), kMaxStateElements);
  if (elements > kMaxStateElements) {
    return BadProgram(programs.front()->path,
                      fmt::format("expected states of at most {} elements, found {}",
                                  kMaxStateElements, elements));
  }
  for (const auto& program : programs) {
    if (states_of(*program) != first)
      return BadProgram(program->path, "expected the same states for every number of tokens");
  }
  return {};
}

}  // namespace

Residency PredictedResidency(const Programs& programs) {
  Residency all{.basis = "predicted"};
  for (const auto& program : programs) {
    const Residency own = ToResidency(mil::PredictPlacement(
        *program->main,
        {.weight_bytes = static_cast<int64_t>(program->package->weights.SizeBytes())}));
    all.ops.insert(all.ops.end(), own.ops.begin(), own.ops.end());
    all.warnings.insert(all.warnings.end(), own.warnings.begin(), own.warnings.end());
  }
  return all;
}

std::string FirstNotFiniteOf(const Programs& programs) {
  for (const auto& program : programs) {
    const std::string& op = program->interpreter->FirstNotFinite();
    if (!op.empty()) return op;
  }
  return "";
}

int64_t WeightBytesOf(const std::vector<Width>& widths) {
  return static_cast<int64_t>(widths.front().program->package->weights.SizeBytes());
}

Result<std::unique_ptr<LoadedLayerShard>> MakeLayers(Programs programs) {
  HW_TRY(LayersShape s, LayersShapeOf(*programs.front()));
  HW_TRY(std::vector<Width> widths, WidthsOf(programs, "x"));
  HW_TRY_VOID(CheckStates(programs));
  for (const Width& width : widths) {
    LoadedProgram& program = *width.program;
    const bool fits = s.D > 0 && s.D <= kMaxLayerExtent && s.pairs > 0 &&
                      s.pairs <= kMaxLayerExtent && s.max_seq > 0 && s.max_seq <= kMaxLayerExtent &&
                      (width.tokens == 1 || !IsSingle(program));
    if (!fits) return BadProgram(program.path, "expected a program of layers");
    HW_TRY_VOID(Plan(program, InputDims(s, width.tokens, IsSingle(program)),
                     LayerOutputs(s, width.tokens)));
  }
  return std::make_unique<InterpretedLayers>(std::move(programs), std::move(widths), std::move(s));
}

}  // namespace headway::coreml
