#include "device/coreml/program.h"

#include <fmt/format.h>

#include <algorithm>

namespace headway::coreml {
namespace {

// Widest step that is accepted: more would be a mistake in the package.
constexpr int64_t kMaxWidth = 4096;

// The most tokens of a flexible axis, as the description says; 0 when it does not.
int64_t UpperBound(const LoadedProgram& program, const std::string& input) {
  const mil::FunctionDescription* const main = program.package->model.Find(program.function);
  if (main == nullptr) return 0;
  for (const mil::Feature& feature : main->inputs) {
    if (feature.name == input && feature.ranges.size() > 2) return feature.ranges[2].upper;
  }
  return 0;
}

}  // namespace

const mil::TensorType* LoadedProgram::Input(const std::string& name) const {
  for (const mil::NamedType& input : main->inputs) {
    if (input.name == name) return &input.type.tensor;
  }
  return nullptr;
}

tl::unexpected<Error> BadProgram(const std::string& path, const std::string& message) {
  return Fail(ErrorCode::kCorrupt, fmt::format("{}: {}", path, message));
}

Result<std::vector<std::unique_ptr<LoadedProgram>>> OpenPrograms(std::span<const std::string> paths,
                                                                 RunnerSource* source) {
  std::vector<std::unique_ptr<LoadedProgram>> programs;
  for (const std::string& path : paths) {
    HW_TRY(mil::Package read, mil::ReadPackage(path));
    const auto package = std::make_shared<const mil::Package>(std::move(read));
    for (const auto& [name, function] : package->model.program.functions) {
      auto program = std::make_unique<LoadedProgram>();
      program->path = path;
      program->package = package;
      program->function = name;
      program->main = &function;
      auto runner = source->Open(*program);
      if (!runner) return Prefixed(std::move(runner).error(), path);
      program->runner = *std::move(runner);
      programs.push_back(std::move(program));
    }
  }
  return programs;
}

Result<std::vector<Width>> WidthsOf(const std::vector<std::unique_ptr<LoadedProgram>>& programs,
                                    const std::string& input) {
  std::vector<Width> widths;
  for (const auto& program : programs) {
    const mil::TensorType* const type = program->Input(input);
    if (type == nullptr || type->dims.size() != 4)
      return BadProgram(program->path,
                        fmt::format("expected an input '{}' [1, D, T, 1], found none", input));
    const bool flexible = type->dims[2] == mil::kUnknownDim;
    const int64_t tokens = flexible ? UpperBound(*program, input) : type->dims[2];
    if (tokens < 1 || tokens > kMaxWidth) {
      return BadProgram(program->path,
                        fmt::format("expected 1 to {} tokens a step, found {}", kMaxWidth, tokens));
    }
    if (flexible && tokens > 1) widths.push_back({1, program.get()});
    widths.push_back({tokens, program.get()});
  }
  std::stable_sort(widths.begin(), widths.end(),
                   [](const Width& a, const Width& b) { return a.tokens < b.tokens; });
  return widths;
}

Result<void> Plan(const LoadedProgram& program, const std::map<std::string, mil::Dims>& inputs,
                  const std::map<std::string, mil::Dims>& outputs) {
  const auto types = program.runner->Prepare(inputs);
  if (!types) return Prefixed(types.error(), program.path);
  for (const auto& [name, dims] : outputs) {
    const auto found = types->find(name);
    if (found == types->end() || found->second != mil::TensorType{mil::DType::kF16, dims}) {
      return BadProgram(
          program.path,
          fmt::format("expected an output '{}' of {}, found {}", name, mil::ToString(dims),
                      found == types->end() ? "none" : mil::ToString(found->second.dims)));
    }
  }
  return {};
}

const Width& PickWidth(const std::vector<Width>& widths, int64_t tokens) {
  for (const Width& width : widths) {
    if (width.tokens >= tokens) return width;
  }
  return widths.back();
}

}  // namespace headway::coreml
