#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/exhaustion.h"
#include "device/coreml/layers_state.h"
#include "device/coreml/loaded_shards.h"
#include "device/coreml/step_inputs.h"
#include "graph/graph.h"

namespace headway::coreml {
namespace {

constexpr int64_t kMaxLayerExtent = int64_t{1} << 20;    // channels, positions
constexpr int64_t kMaxStateElements = int64_t{1} << 32;  // 16 GB

class ProgramLayers final : public LoadedLayerShard {
 public:
  ProgramLayers(Programs programs, std::vector<Width> widths, const LayersShape& shape)
      : LoadedLayerShard(
            {.interface = {.input_channels = shape.D,
                           .output_channels = shape.D,
                           .rotary_dim = 2 * shape.pairs,
                           .max_positions = shape.max_seq,
                           .rotary_tables = shape.tables.empty() ? 0 : *shape.tables.rbegin() + 1,
                           .residual_scale = shape.residual_scale},
             .max_tokens = kMaxStepTokens,
             .weight_bytes = WeightBytesOf(widths)}),
        programs_(std::move(programs)),
        widths_(std::move(widths)),
        s_(shape),
        caches_(CachesOf(*programs_.front())) {}

  std::unique_ptr<ShardState> NewState(const StateOptions& options) const override {
    HW_CHECK(options.capacity_tokens <= s_.max_seq, "a sequence that the states hold");
    return std::make_unique<LayersState>(programs_.front()->runner.get(), caches_);
  }
  std::unique_ptr<ShardWorkspace> NewWorkspace(int64_t /*capacity_tokens*/) const override {
    return std::make_unique<StepInputs>();
  }

  Result<void> Run(const StepArgs& args) noexcept override {
    const LayersRun run{.shard = this, .args = args};
    return RunStack({&run, 1}, [](size_t) {});
  }

  Result<void> RunStack(std::span<const LayersRun> runs, const LayersDone& done) noexcept override {
    return OrOutOfMemory("layers", [&] { return RunAll(runs, done); });
  }

  headway::Residency Residency() const override { return ResidencyOf(programs_); }
  std::optional<std::string> FirstNotFinite() const override { return FirstNotFiniteOf(programs_); }

 private:
  // Masks and rotary tables are filled once for all shards, and a shard reads the array that the one
  // before has given. One conversation after another: a program has the states of one.
  Result<void> RunAll(std::span<const LayersRun> runs, const LayersDone& done) {
    if (!std::all_of(runs.begin(), runs.end(), [this](const LayersRun& run) {
          return TakesAlike(static_cast<const ProgramLayers&>(*run.shard));
        }))
      return LoadedLayerShard::RunStack(runs, done);
    LayersShape shape = s_;
    for (const LayersRun& run : runs)
      shape.Include(static_cast<const ProgramLayers&>(*run.shard).s_);
    StepInputs own;
    const StepArgs& args = runs.front().args;
    auto* const workspace = static_cast<StepInputs*>(args.workspace);
    HW_TRY(std::vector<Piece>* const pieces,
           (workspace == nullptr ? own : *workspace).Fill(args, widths_, shape));
    for (size_t i = 0; i < runs.size(); ++i) {
      const auto& shard = static_cast<const ProgramLayers&>(*runs[i].shard);
      for (size_t p = 0; p < pieces->size(); ++p)
        HW_TRY_VOID(shard.RunPiece(runs[i].args, i % 2, &(*pieces)[p]));
      done(i);
    }
    return {};
  }

  bool TakesAlike(const ProgramLayers& other) const {
    return s_.TakesAlike(other.s_) &&
           std::equal(widths_.begin(), widths_.end(), other.widths_.begin(), other.widths_.end(),
                      [](const Width& a, const Width& b) {
                        return a.tokens == b.tokens && IsSingle(*a.program) == IsSingle(*b.program);
                      });
  }

  // Leaves the output as the next shard's input. `turn`: the array that it is asked to be in.
  Result<void> RunPiece(const StepArgs& args, size_t turn, Piece* piece) const {
    const Width& width = widths_[piece->width];
    const StepRow& row = args.rows[piece->row];
    const std::string& path = width.program->path;
    auto* const state = static_cast<LayersState*>(row.state);
    Arrays inputs;  // those that this program takes
    for (const auto& [name, array] : piece->arrays.inputs) {
      if (width.program->Input(name) != nullptr) inputs[name] = array;
    }
    const auto asked = state->Ask(width, inputs, piece->arrays.outputs[turn]);
    if (!asked) return Prefixed(asked.error(), path);
    auto outputs = width.program->runner->Run(*asked);
    if (!outputs) return Prefixed(std::move(outputs).error(), path);
    state->StoreColumns(*outputs, piece->position, piece->count);
    std::shared_ptr<Array> hidden = outputs->at("hidden");  // [1, D, T, 1]
    for (int64_t t = 0; t < piece->count; ++t) {
      float* const to = args.output + (piece->token + t) * args.output_stride;
      CopyToken(*hidden, 2, t, {to, static_cast<size_t>(s_.D)});
      for (int64_t c = 0; s_.residual_scale != 1.0F && c < s_.D; ++c) to[c] /= s_.residual_scale;
    }
    piece->arrays.inputs["x"] = std::move(hidden);
    return {};
  }

  const Programs programs_;
  const std::vector<Width> widths_;
  const LayersShape s_;
  const Caches caches_;
};

// The widths share the states of one conversation, which must fit into memory.
Result<void> CheckStates(const Programs& programs) {
  const auto states_of = [](const LoadedProgram& program) {
    std::map<std::string, mil::TensorType> states = CachesOf(program);
    states.merge(mil::StatesOf(*program.main));
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

Residency ResidencyOf(const Programs& programs) {
  Residency all;
  for (const auto& program : programs) {
    Residency own = program->runner->Placement();
    all.basis = std::move(own.basis);
    all.ops.insert(all.ops.end(), own.ops.begin(), own.ops.end());
    all.warnings.insert(all.warnings.end(), own.warnings.begin(), own.warnings.end());
  }
  return all;
}

std::optional<std::string> FirstNotFiniteOf(const Programs& programs) {
  for (const auto& program : programs) {
    std::optional<std::string> op = program->runner->FirstNotFinite();
    if (!op || !op->empty()) return op;
  }
  return "";
}

int64_t WeightBytesOf(const std::vector<Width>& widths) {
  return static_cast<int64_t>(widths.front().program->package->weights.SizeBytes());
}

Result<std::unique_ptr<LoadedLayerShard>> MakeLayers(Programs programs) {
  HW_TRY(const LayersShape s, LayersShapeOf(*programs.front()));
  HW_TRY(std::vector<Width> widths, WidthsOf(programs, "x"));
  HW_TRY_VOID(CheckStates(programs));
  for (const Width& width : widths) {
    LoadedProgram& program = *width.program;
    const bool fits = s.D > 0 && s.D <= kMaxLayerExtent && s.pairs >= 0 &&
                      s.tables.size() <= graph::kMaxRotaryTables &&
                      (s.pairs > 0) == !s.tables.empty() && s.pairs <= kMaxLayerExtent &&
                      s.max_seq > 0 && s.max_seq <= kMaxLayerExtent &&
                      (width.tokens == 1 || !IsSingle(program));
    if (!fits) return BadProgram(program.path, "expected a program of layers");
    const Caches caches = CachesOf(program);
    auto inputs = LayersInputDims(s, width.tokens, IsSingle(program));
    for (const auto& [name, type] : caches) inputs[name] = type.dims;
    auto outputs = NewColumnsOf(caches, width.tokens);
    outputs["hidden"] = {1, s.D, width.tokens, 1};
    HW_TRY_VOID(Plan(program, inputs, outputs));
  }
  return std::make_unique<ProgramLayers>(std::move(programs), std::move(widths), s);
}

}  // namespace headway::coreml
