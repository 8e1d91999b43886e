#include "model/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "model/architectures.h"
#include "model/known_keys.h"
#include "model/read_rotary.h"

namespace headway::model {
namespace {

constexpr std::array kArchitectures = {&kPhi3,   &kLlama,   &kQwen2,   &kQwen3,   &kGemma2,
                                       &kGemma3, &kSmollm3, &kGranite, &kErnie45, &kExaone4};

Result<const Architecture*> FindArchitecture(std::string_view name) {
  std::string supported;
  for (const Architecture* known : kArchitectures) {
    if (known->name == name) return known;
    supported += fmt::format("{}{}", supported.empty() ? "" : ", ", known->name);
    if (!known->models.empty()) supported += fmt::format(" ({})", known->models);
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("architecture '{}' unsupported (supported: {})", name, supported));
}

Result<graph::Graph> BuildFrom(const ModelConfig& config, const TensorSource& tensors) {
  HW_TRY(const Architecture* architecture, FindArchitecture(config.architecture));
  ModelBuilder builder(config, tensors);
  architecture->build(config, &builder);
  return builder.Finish();
}

// The type of a tensor that must be in the file.
Result<DataType> FindTensor(const gguf::GgufFile& file, const TensorSpec& spec) {
  HW_TRY(const ConstTensorView tensor, file.GetTensor(spec.name));
  if (!(tensor.shape == spec.shape)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("gguf: {}: tensor '{}': expected shape {}, found {}", file.Path(),
                            spec.name, ToString(spec.shape), ToString(tensor.shape)));
  }
  const bool vector = spec.shape.Rank() == 1;
  if (!IsWeightType(tensor.type) || (vector && tensor.type != DataType::kF32)) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("gguf: {}: tensor '{}': expected {}, found {}", file.Path(), spec.name,
                            vector ? "F32" : "a weight type", Traits(tensor.type).name));
  }
  return tensor.type;
}

// A tensor that nothing reads belongs to another model than the one that would be run.
Result<void> CheckAllUsed(const gguf::GgufFile& file, const ModelConfig& config,
                          const std::set<std::string>& used) {
  const auto is_rotary = [](std::string_view name) {
    return std::find(std::begin(kRotaryTensors), std::end(kRotaryTensors), name) !=
           std::end(kRotaryTensors);
  };
  for (const gguf::TensorInfo& tensor : file.Tensors()) {
    if (used.count(std::string(tensor.name)) != 0 || is_rotary(tensor.name)) continue;
    return Fail(ErrorCode::kUnsupported,
                fmt::format("gguf: {}: tensor {}: Headway does not know what it does in a model of "
                            "the architecture '{}'",
                            file.Path(), gguf::Quoted(tensor.name), config.architecture));
  }
  return {};
}

}  // namespace

Result<ModelConfig> ReadModelConfig(const gguf::GgufFile& file) {
  ModelConfig config;
  HW_TRY(const std::string_view name, file.GetString("general.architecture"));
  config.architecture = std::string(name);
  const auto architecture = FindArchitecture(name);
  if (!architecture) return Prefixed(architecture.error(), "gguf: " + file.Path());
  HW_TRY(const std::string_view title, file.GetStringOr("general.name", name));
  config.name = std::string(title);
  HW_TRY_VOID(CheckKeys(file, (*architecture)->name, (*architecture)->keys));
  HW_TRY_VOID((*architecture)->read(file, &config));
  return config;
}

Result<graph::Graph> BuildGraph(const gguf::GgufFile& file, const ModelConfig& config) {
  std::set<std::string> used;
  HW_TRY(graph::Graph graph, BuildFrom(config, [&](const TensorSpec& spec) {
           used.insert(spec.name);
           return FindTensor(file, spec);
         }));
  HW_TRY_VOID(CheckAllUsed(file, config, used));
  return graph;
}

Result<std::vector<TensorSpec>> ListTensors(const ModelConfig& config) {
  std::vector<TensorSpec> list;
  HW_TRY_VOID(BuildFrom(config, [&](const TensorSpec& spec) -> Result<DataType> {
    const auto same = [&](const TensorSpec& listed) { return listed.name == spec.name; };
    if (std::none_of(list.begin(), list.end(), same)) list.push_back(spec);
    return DataType::kF32;
  }));
  return list;
}

}  // namespace headway::model
