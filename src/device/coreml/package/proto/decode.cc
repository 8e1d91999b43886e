#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>

#include <limits>

#include "coreml_model.pb.h"
#include "device/coreml/package/proto/decode_value.h"
#include "device/coreml/package/proto/message_holder.h"
#include "device/coreml/package/proto/model_proto.h"
#include "device/coreml/package/type_numbers.h"

namespace headway::mil {
namespace {

namespace pb = headway::coreml_proto;
using proto::Corrupt;
using proto::DecodeConstant;
using proto::DecodeType;

Result<NamedType> DecodeNamedType(const pb::NamedValueType& in) {
  auto type = DecodeType(in.type());
  if (!type) return Prefixed(std::move(type).error(), fmt::format("value '{}'", in.name()));
  return NamedType{in.name(), *std::move(type)};
}

Result<Block> DecodeBlock(const pb::Block& in);

Result<Operation> DecodeOperation(const pb::Operation& in) {
  Operation op;
  op.type = in.type();
  for (const auto& [param, argument] : in.inputs()) {
    Argument& decoded = op.inputs[param];
    for (const pb::Binding& binding : argument.arguments()) {
      if (binding.kind_case() == pb::Binding::kName) {
        decoded.push_back(binding.name());
      } else if (binding.kind_case() == pb::Binding::kValue) {
        auto constant = DecodeConstant(binding.value());
        if (!constant)
          return Prefixed(std::move(constant).error(), fmt::format("parameter '{}'", param));
        decoded.push_back(*std::move(constant));
      } else {
        return Corrupt(
            fmt::format("parameter '{}': expected a name or a value, found neither", param));
      }
    }
  }
  for (const pb::NamedValueType& output : in.outputs()) {
    HW_TRY(NamedType decoded, DecodeNamedType(output));
    op.outputs.push_back(std::move(decoded));
  }
  for (const auto& [name, value] : in.attributes()) {
    auto constant = DecodeConstant(value);
    if (!constant)
      return Prefixed(std::move(constant).error(), fmt::format("attribute '{}'", name));
    op.attributes[name] = *std::move(constant);
  }
  for (const pb::Block& block : in.blocks()) {
    HW_TRY(Block decoded, DecodeBlock(block));
    op.blocks.push_back(std::move(decoded));
  }
  return op;
}

Result<Block> DecodeBlock(const pb::Block& in) {
  Block block;
  for (const pb::NamedValueType& input : in.inputs()) {
    HW_TRY(NamedType decoded, DecodeNamedType(input));
    block.inputs.push_back(std::move(decoded));
  }
  block.outputs.assign(in.outputs().begin(), in.outputs().end());
  block.operations.reserve(static_cast<size_t>(in.operations_size()));
  for (int i = 0; i < in.operations_size(); ++i) {
    auto op = DecodeOperation(in.operations(i));
    if (!op) {
      return Prefixed(std::move(op).error(), fmt::format("op {} '{}'", i, in.operations(i).type()));
    }
    block.operations.push_back(*std::move(op));
  }
  return block;
}

Result<Function> DecodeFunction(const pb::Function& in) {
  Function function;
  function.opset = in.opset();
  for (const pb::NamedValueType& input : in.inputs()) {
    HW_TRY(NamedType decoded, DecodeNamedType(input));
    function.inputs.push_back(std::move(decoded));
  }
  for (const auto& [opset, block] : in.block_specializations()) {
    auto decoded = DecodeBlock(block);
    if (!decoded) return Prefixed(std::move(decoded).error(), fmt::format("block '{}'", opset));
    function.specializations[opset] = *std::move(decoded);
  }
  return function;
}

Result<Program> DecodeProgram(const pb::Program& in) {
  Program program;
  program.version = in.version();
  for (const auto& [name, function] : in.functions()) {
    auto decoded = DecodeFunction(function);
    if (!decoded) return Prefixed(std::move(decoded).error(), fmt::format("function '{}'", name));
    program.functions[name] = *std::move(decoded);
  }
  return program;
}

Result<Feature> DecodeArray(const pb::ArrayFeatureType& in) {
  Feature feature;
  const auto dtype = DTypeFromFeatureNumber(in.data_type());
  if (!dtype) return Corrupt(fmt::format("array data type {} is unknown", in.data_type()));
  feature.dtype = *dtype;
  feature.shape.assign(in.shape().begin(), in.shape().end());
  HW_TRY_VOID(CheckDims(feature.shape));
  if (!IsFullyKnown(feature.shape)) return Corrupt("expected a shape without negative extents");
  if (in.has_shape_range()) {
    feature.flexibility = Flexibility::kRange;
    for (const pb::SizeRange& range : in.shape_range().size_ranges()) {
      feature.ranges.push_back({range.lower_bound(), range.upper_bound()});
    }
  } else if (in.has_enumerated_shapes()) {
    feature.flexibility = Flexibility::kEnumerated;
    for (const pb::Shape& shape : in.enumerated_shapes().shapes()) {
      feature.enumerated.emplace_back(shape.shape().begin(), shape.shape().end());
      HW_TRY_VOID(CheckDims(feature.enumerated.back()));
    }
  }
  return feature;
}

Result<std::vector<Feature>> DecodeFeatures(
    const google::protobuf::RepeatedPtrField<pb::FeatureDescription>& in, bool states) {
  std::vector<Feature> features;
  for (const pb::FeatureDescription& description : in) {
    const std::string context = fmt::format("description: feature '{}'", description.name());
    const pb::FeatureType& type = description.type();
    if (states ? !type.state_type().has_array_type() : !type.has_multi_array_type()) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{}: expected a {}, found another feature type", context,
                              states ? "state" : "multi-array"));
    }
    auto feature = DecodeArray(states ? type.state_type().array_type() : type.multi_array_type());
    if (!feature) return Prefixed(std::move(feature).error(), context);
    feature->name = description.name();
    feature->description = description.short_description();
    feature->is_optional = type.is_optional();
    features.push_back(*std::move(feature));
  }
  return features;
}

template <class In>
Result<FunctionDescription> DecodeFunctionDescription(const In& in, std::string name) {
  FunctionDescription description;
  description.name = std::move(name);
  HW_TRY(description.inputs, DecodeFeatures(in.input(), false));
  HW_TRY(description.outputs, DecodeFeatures(in.output(), false));
  HW_TRY(description.states, DecodeFeatures(in.state(), true));
  return description;
}

Result<void> DecodeDescription(const pb::ModelDescription& in, Model* model) {
  if (in.functions_size() == 0) {
    HW_TRY(FunctionDescription main, DecodeFunctionDescription(in, "main"));
    model->functions.push_back(std::move(main));
  }
  for (const pb::FunctionDescription& function : in.functions()) {
    HW_TRY(FunctionDescription decoded, DecodeFunctionDescription(function, function.name()));
    model->functions.push_back(std::move(decoded));
  }
  model->default_function = in.default_function_name();
  const pb::Metadata& metadata = in.metadata();
  model->metadata = {metadata.short_description(),
                     metadata.version_string(),
                     metadata.author(),
                     metadata.license(),
                     {metadata.user_defined().begin(), metadata.user_defined().end()}};
  return {};
}

}  // namespace

Result<Model> DecodeModel(std::span<const std::byte> bytes) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    return Corrupt(
        fmt::format("model.mlmodel: expected less than 2 GB, found {} bytes", bytes.size()));
  }
  const google::protobuf::LogSilencer
      silence;  // damage is our error to report, not a line on stderr
  proto::MessageHolder<pb::Model> message;
  if (!message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Corrupt(
        fmt::format("model.mlmodel: expected a protobuf message, found {} bytes that do not parse "
                    "(truncated or damaged)",
                    bytes.size()));
  }
  if (!message->has_ml_program()) {
    return Fail(ErrorCode::kUnsupported,
                "model.mlmodel: expected an ML Program, found another model type or none");
  }
  Model model;
  model.specification_version = message->specification_version();
  if (Result<void> described = DecodeDescription(message->description(), &model); !described) {
    return Prefixed(std::move(described).error(), "model.mlmodel");
  }
  auto program = DecodeProgram(message->ml_program());
  if (!program) return Prefixed(std::move(program).error(), "model.mlmodel");
  model.program = *std::move(program);
  return model;
}

}  // namespace headway::mil
