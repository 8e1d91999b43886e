#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "device/coreml/loaded_shards.h"
#include "manifest/head_kind.h"

namespace headway::coreml {
namespace {

constexpr int64_t kMaxHeadExtent = int64_t{1} << 24;

struct HeadShape {
  // Told by the names of the program's outputs (device/coreml/shards/head_shard.h).
  HeadForm form = HeadForm::kFull;
  int64_t D = 0;
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
          .is_top1 = is_top1};
}

class InterpretedHead final : public LoadedHeadShard {
 public:
  InterpretedHead(Programs programs, std::vector<Width> widths, HeadShape shape)
      : LoadedHeadShard({.interface = InterfaceOf(shape),
                         .max_tokens = kMaxStepTokens,
                         .weight_bytes = WeightBytesOf(widths)}),
        programs_(std::move(programs)),
        widths_(std::move(widths)),
        s_(std::move(shape)) {}

  void Run(const StepArgs& args) noexcept override {
    for (int64_t done = 0; done < args.num_tokens;) {
      const Width& width = PickWidth(widths_, args.num_tokens - done);
      const int64_t T = width.tokens;
      const int64_t count = std::min(T, args.num_tokens - done);
      std::vector<float> x(static_cast<size_t>(s_.D * T), 0.0F);
      for (int64_t t = 0; t < count; ++t) {
        for (int64_t c = 0; c < s_.D; ++c)
          x[static_cast<size_t>(c * T + t)] = args.input[(done + t) * s_.D + c];
      }
      mil::TensorMap none;
      const auto out = width.program->interpreter->Run(
          {{"hidden", mil::MakeTensor(mil::DType::kF16, {1, s_.D, T, 1}, x)}}, &none);
      HW_CHECK(out.has_value(), "a step that was planned at load");
      for (int64_t t = 0; t < count; ++t) {
        float* const to = args.output + (done + t) * args.output_stride;
        if (Interface().is_top1) {
          CopyTop(*out, t, to);
        } else {
          CopyLogits(*out, T, t, to);
          if (s_.form == HeadForm::kBlockMax && args.block_maxima != nullptr)
            CopyColumn(out->at("block_max"), s_.num_blocks, T, t,
                       args.block_maxima + (done + t) * args.maxima_stride);
        }
      }
      done += count;
    }
  }

  headway::Residency Residency() const override { return PredictedResidency(programs_); }
  std::optional<std::string> FirstNotFinite() const override { return FirstNotFiniteOf(programs_); }

 private:
  // Column t of a value [rows, T].
  static void CopyColumn(const mil::Tensor& from, int64_t rows, int64_t T, int64_t t, float* to) {
    const float* const values = from.floats.get();
    for (int64_t r = 0; r < rows; ++r) to[r] = values[r * T + t];
  }
  void CopyLogits(const mil::TensorMap& out, int64_t T, int64_t t, float* to) const {
    for (size_t i = 0; i < s_.logits.size(); ++i) {
      CopyColumn(out.at(s_.logits[i]), s_.logits_rows[i], T, t, to);
      to += s_.logits_rows[i];
    }
  }
  // Value and row. A row that the shard does not have (a program that was tampered with) becomes
  // NaN, which sessions report.
  void CopyTop(const mil::TensorMap& out, int64_t t, float* to) const {
    const auto at = static_cast<size_t>(t);
    double row = 0;
    if (s_.form == HeadForm::kTop1) {
      row = out.at("top_index").Ints()[at];
    } else {
      const int64_t block_rows = s_.rows / s_.num_blocks;
      row =
          static_cast<double>(out.at("top_block").Floats()[at]) * static_cast<double>(block_rows) +
          static_cast<double>(out.at("top_lane").Floats()[at]);
    }
    to[0] = out.at("top_value").Floats()[at];
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
  const auto types = program.interpreter->Prepare(inputs);
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
  return std::make_unique<InterpretedHead>(std::move(programs), std::move(widths),
                                           std::move(shape));
}

}  // namespace headway::coreml
