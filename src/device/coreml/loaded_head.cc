#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/exhaustion.h"
#include "device/coreml/loaded_shards.h"
#include "device/coreml/step_inputs.h"
#include "device/coreml/waiting.h"
#include "manifest/head_kind.h"

namespace headway::coreml {
namespace {

constexpr int64_t kMaxHeadExtent = int64_t{1} << 24;

struct HeadShape {
  // Told by the names of the program's outputs (device/coreml/shards/head_shard.h).
  HeadForm form = HeadForm::kFull;
  int64_t D = 0;
  float residual_scale = 1.0F;  // on the hidden states that it is given
  int64_t rows = 0;
  int64_t num_blocks = 0;            // kBlockMax, kTop1F16
  std::vector<std::string> logits;   // kFull, kBlockMax: in the order of the rows
  std::vector<int64_t> logits_rows;  // of each
};

bool Outputs(const mil::Function& main, const std::string& name) {
  const std::vector<std::string>& outputs = main.Body()->outputs;
  return std::find(outputs.begin(), outputs.end(), name) != outputs.end();
}

// The extent of axis `axis` of a value made in the program; 0 when there is no such value.
int64_t ExtentOf(const mil::Function& main, const std::string& name, size_t axis) {
  for (const mil::Operation& op : main.Body()->operations) {
    for (const mil::NamedType& output : op.outputs) {
      const mil::Dims& dims = output.type.tensor.dims;
      if (output.name == name) return dims.size() > axis ? dims[axis] : 0;
    }
  }
  return 0;
}

Result<HeadShape> HeadShapeOf(const LoadedProgram& program) {
  HeadShape s;
  const mil::Function& main = *program.main;
  const mil::TensorType* const hidden = program.Input("hidden");
  if (hidden != nullptr && hidden->dims.size() == 4) s.D = hidden->dims[1];
  if (Outputs(main, "top_lane")) {
    s.form = HeadForm::kTop1F16;
  } else if (Outputs(main, "top_index")) {
    s.form = HeadForm::kTop1;
  } else if (Outputs(main, "block_max")) {
    s.form = HeadForm::kBlockMax;
  }
  if (Outputs(main, "logits_0")) {
    for (int i = 0; Outputs(main, fmt::format("logits_{}", i)); ++i)
      s.logits.push_back(fmt::format("logits_{}", i));
  } else {
    s.logits = {"logits"};
  }
  for (const std::string& name : s.logits) {
    s.logits_rows.push_back(ExtentOf(main, name, 1));
    s.rows += std::clamp<int64_t>(s.logits_rows.back(), 0, kMaxHeadExtent);
  }
  s.num_blocks = ExtentOf(main, "blocks", 1);
  const bool blocks = s.form == HeadForm::kBlockMax || s.form == HeadForm::kTop1F16;
  if (s.D < 1 || s.D > kMaxHeadExtent || s.rows < 1 || s.rows > kMaxHeadExtent ||
      (blocks && (s.num_blocks < 1 || s.rows % s.num_blocks != 0))) {
    return BadProgram(program.path, "expected a program of a head");
  }
  HW_TRY(s.residual_scale, ResidualScaleOf(program));
  return s;
}

// The outputs of a step of T tokens; top_index, an integer, is looked at apart.
std::map<std::string, mil::Dims> OutputDims(const HeadShape& s, int64_t T) {
  std::map<std::string, mil::Dims> dims;
  switch (s.form) {
    case HeadForm::kBlockMax:
      dims["block_max"] = {1, s.num_blocks, 1, T};
      [[fallthrough]];
    case HeadForm::kFull:
    case HeadForm::kCertified:
    case HeadForm::kReduced:
      for (size_t i = 0; i < s.logits.size(); ++i) dims[s.logits[i]] = {1, s.logits_rows[i], T, 1};
      return dims;
    case HeadForm::kTop1:
      dims["top_value"] = {1, 1, T};
      return dims;
    case HeadForm::kTop1F16:
      for (const char* name : {"top_value", "top_block", "top_lane"}) dims[name] = {1, 1, 1, T};
      return dims;
  }
  return dims;
}

ShardInterface InterfaceOf(const HeadShape& s) {
  const bool is_top1 = HeadKind{.form = s.form}.IsTop1();
  return {.input_channels = s.D,
          .output_channels = is_top1 ? 2 : s.rows,
          .block_rows = s.form == HeadForm::kBlockMax ? s.rows / s.num_blocks : 0,
          .is_top1 = is_top1,
          .residual_scale = s.residual_scale};
}

// Arrays of a shard, by width, made at first use; used by one step at a time.
struct HeadWorkspace final : ShardWorkspace {
  std::map<int64_t, Arrays> inputs;
  std::map<int64_t, Arrays> outputs;
  Waiting<Arrays> prediction;  // that another thread may be at work on
};

class ProgramHead final : public LoadedHeadShard {
 public:
  ProgramHead(Programs programs, std::vector<Width> widths, HeadShape shape)
      : LoadedHeadShard({.interface = InterfaceOf(shape),
                         .max_tokens = kMaxStepTokens,
                         .weight_bytes = WeightBytesOf(widths)}),
        programs_(std::move(programs)),
        widths_(std::move(widths)),
        s_(std::move(shape)) {}

  std::unique_ptr<ShardWorkspace> NewWorkspace(int64_t /*capacity_tokens*/) const override {
    return std::make_unique<HeadWorkspace>();
  }

  Result<void> Run(const StepArgs& args) noexcept override {
    const HeadRun run{.shard = this, .args = args};
    return RunHead({&run, 1}, [](size_t) {});
  }

  Result<void> RunHead(std::span<const HeadRun> runs, const HeadShardDone& done) noexcept override {
    return OrOutOfMemory("the head", [&] { return RunAll(runs, done); });
  }

  headway::Residency Residency() const override { return ResidencyOf(programs_); }
  std::optional<std::string> FirstNotFinite() const override { return FirstNotFiniteOf(programs_); }

 private:
  // All shards read the same array, and none waits for another.
  Result<void> RunAll(std::span<const HeadRun> runs, const HeadShardDone& done) {
    for (const HeadRun& run : runs) {
      if (!TakesAlike(static_cast<const ProgramHead&>(*run.shard)))
        return LoadedHeadShard::RunHead(runs, done);
    }
    std::vector<std::unique_ptr<HeadWorkspace>> own;
    std::vector<HeadWorkspace*> workspaces;
    for (const HeadRun& run : runs) {
      auto* workspace = static_cast<HeadWorkspace*>(run.args.workspace);
      if (workspace == nullptr)
        workspace = own.emplace_back(std::make_unique<HeadWorkspace>()).get();
      workspaces.push_back(workspace);
    }
    const int64_t T = runs.front().args.num_tokens;
    for (int64_t first = 0; first < T;) {
      const Width& width = PickWidth(widths_, T - first);
      const Tokens tokens{.first = first,
                          .count = std::min(width.tokens, T - first),
                          .width = static_cast<size_t>(&width - widths_.data())};
      first += tokens.count;
      HW_TRY_VOID(RunTokens(
          runs, workspaces, tokens, first == T ? done : [](size_t) {}));
    }
    return {};
  }

  // Tokens of a step that a width takes.
  struct Tokens {
    int64_t first = 0, count = 0;
    size_t width = 0;
  };

  bool TakesAlike(const ProgramHead& other) const {
    return s_.D == other.s_.D && s_.residual_scale == other.s_.residual_scale &&
           std::equal(widths_.begin(), widths_.end(), other.widths_.begin(), other.widths_.end(),
                      [](const Width& a, const Width& b) { return a.tokens == b.tokens; });
  }

  Result<void> RunTokens(std::span<const HeadRun> runs, std::span<HeadWorkspace* const> workspaces,
                         const Tokens& tokens, const HeadShardDone& done) const {
    HW_TRY(const Arrays* const inputs, FillInput(runs.front().args, tokens, workspaces.front()));
    Result<void> outcome;
    size_t started = 0;
    for (; outcome && started < runs.size(); ++started) {
      const auto& shard = static_cast<const ProgramHead&>(*runs[started].shard);
      outcome = shard.StartTokens(*inputs, tokens, workspaces[started]);
    }
    if (!outcome) --started;  // the last one was not
    for (size_t i = 0; i < started; ++i) {
      const auto& shard = static_cast<const ProgramHead&>(*runs[i].shard);
      const Result<Arrays> outputs = workspaces[i]->prediction.Wait();
      if (!outcome) continue;  // whatever was started must end first
      if (!outputs) {
        outcome = Prefixed(outputs.error(), shard.widths_[tokens.width].program->path);
        continue;
      }
      shard.Take(*outputs, runs[i].args, tokens);
      done(i);
    }
    return outcome;
  }

  Result<const Arrays*> FillInput(const StepArgs& args, const Tokens& tokens,
                                  HeadWorkspace* workspace) const {
    const Width& width = widths_[tokens.width];
    const int64_t T = width.tokens;
    Arrays& inputs = workspace->inputs[T];
    if (inputs.empty()) {
      HW_TRY(inputs["hidden"],
             width.program->runner->NewArray({mil::DType::kF16, {1, s_.D, T, 1}}));
    }
    F16* const x = static_cast<HostArray&>(*inputs.at("hidden")).Halves();
    for (int64_t t = 0; t < T; ++t) {
      const float* const from = args.input + (tokens.first + t) * s_.D;
      for (int64_t c = 0; c < s_.D; ++c)
        x[c * T + t] = ToF16(t < tokens.count ? from[c] * s_.residual_scale : 0.0F);
    }
    return &inputs;
  }

  Result<void> StartTokens(const Arrays& inputs, const Tokens& tokens,
                           HeadWorkspace* workspace) const {
    const Width& width = widths_[tokens.width];
    Arrays& outputs = workspace->outputs[width.tokens];
    if (outputs.empty()) {
      for (const auto& [name, dims] : OutputDims(s_, width.tokens)) {
        HW_TRY(outputs[name], width.program->runner->NewArray({mil::DType::kF16, dims}));
      }
      if (s_.form == HeadForm::kTop1) {
        HW_TRY(outputs["top_index"],
               width.program->runner->NewArray({mil::DType::kI32, {1, 1, width.tokens}}));
      }
    }
    workspace->prediction = {};
    width.program->runner->Start({.inputs = &inputs, .outputs = &outputs},
                                 [given = workspace->prediction](Result<Arrays> arrays) {
                                   given.Resolve(std::move(arrays));
                                 });
    return {};
  }

  void Take(const Arrays& outputs, const StepArgs& args, const Tokens& tokens) const {
    for (int64_t t = 0; t < tokens.count; ++t) {
      float* const to = args.output + (tokens.first + t) * args.output_stride;
      if (Interface().is_top1) {
        CopyTop(outputs, t, to);
        continue;
      }
      CopyLogits(outputs, t, to);
      if (s_.form == HeadForm::kBlockMax && args.block_maxima != nullptr)
        CopyToken(*outputs.at("block_max"), 3, t,
                  {args.block_maxima + (tokens.first + t) * args.maxima_stride,
                   static_cast<size_t>(s_.num_blocks)});
    }
  }

  void CopyLogits(const Arrays& outputs, int64_t t, float* to) const {
    for (size_t i = 0; i < s_.logits.size(); ++i) {
      const auto rows = static_cast<size_t>(s_.logits_rows[i]);
      CopyToken(*outputs.at(s_.logits[i]), 2, t, {to, rows});
      to += rows;
    }
  }
  // Value and row. A row that the shard does not have (a program that was tampered with) becomes
  // NaN, which sessions report.
  void CopyTop(const Arrays& outputs, int64_t t, float* to) const {
    const auto read = [&](const char* name) {
      const Array& array = *outputs.at(name);
      float value = 0;
      CopyToken(array, array.Type().dims.size() - 1, t, {&value, 1});
      return value;
    };
    double row = 0;
    if (s_.form == HeadForm::kTop1) {
      row = ReadInt(*outputs.at("top_index"), t);
    } else {
      const int64_t block_rows = s_.rows / s_.num_blocks;
      row = static_cast<double>(read("top_block")) * static_cast<double>(block_rows) +
            static_cast<double>(read("top_lane"));
    }
    to[0] = read("top_value");
    to[1] = row >= 0 && row < static_cast<double>(s_.rows)
                ? static_cast<float>(row)
                : std::numeric_limits<float>::quiet_NaN();
  }

  const Programs programs_;
  const std::vector<Width> widths_;
  const HeadShape s_;
};

Result<void> CheckIndex(const LoadedProgram& program,
                        const std::map<std::string, mil::Dims>& inputs, int64_t T) {
  const auto types = program.runner->Prepare(inputs);
  if (!types) return Prefixed(types.error(), program.path);
  const auto found = types->find("top_index");
  if (found != types->end() && found->second == mil::TensorType{mil::DType::kI32, {1, 1, T}})
    return {};
  return BadProgram(program.path, "expected an output 'top_index' of int32 numbers, found none");
}

}  // namespace

Result<std::unique_ptr<LoadedHeadShard>> MakeHead(Programs programs) {
  HW_TRY(HeadShape shape, HeadShapeOf(*programs.front()));
  HW_TRY(std::vector<Width> widths, WidthsOf(programs, "hidden"));
  for (const Width& width : widths) {
    const std::map<std::string, mil::Dims> inputs = {{"hidden", {1, shape.D, width.tokens, 1}}};
    HW_TRY_VOID(Plan(*width.program, inputs, OutputDims(shape, width.tokens)));
    if (shape.form == HeadForm::kTop1)
      HW_TRY_VOID(CheckIndex(*width.program, inputs, width.tokens));
  }
  return std::make_unique<ProgramHead>(std::move(programs), std::move(widths), std::move(shape));
}

}  // namespace headway::coreml
