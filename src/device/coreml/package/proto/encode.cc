#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstring>
#include <limits>

#include "coreml_model.pb.h"
#include "device/coreml/package/proto/message_holder.h"
#include "device/coreml/package/proto/model_proto.h"
#include "device/coreml/package/type_numbers.h"

namespace headway::mil {
namespace {

namespace pb = headway::coreml_proto;

void EncodeTensorType(const TensorType& type, pb::TensorType* out) {
  out->set_data_type(MilNumber(type.dtype));
  out->set_rank(static_cast<int64_t>(type.dims.size()));
  for (const int64_t dim : type.dims) {
    pb::Dimension* dimension = out->add_dimensions();
    if (dim == kUnknownDim) {
      dimension->mutable_unknown()->set_variadic(false);
    } else {
      dimension->mutable_constant()->set_size(static_cast<uint64_t>(dim));
    }
  }
}

void EncodeType(const Type& type, pb::ValueType* out) {
  pb::ValueType* tensor = type.is_state ? out->mutable_state_type()->mutable_wrapped_type() : out;
  EncodeTensorType(type.tensor, tensor->mutable_tensor_type());
}

template <class Out, class Values>
void AddAll(const Values& values, Out* out) {
  for (const auto value : values) {
    out->add_values(static_cast<std::decay_t<decltype(out->values(0))>>(value));
  }
}

// Which member of TensorValue carries which element type: docs/formats/coreml_package.md,
// "immediates".
void EncodeImmediate(const Constant& constant, pb::TensorValue* out) {
  if (const auto* texts = std::get_if<std::vector<std::string>>(&constant.value)) {
    pb::Strings* strings = out->mutable_strings();
    for (const std::string& text : *texts) strings->add_values(text);
    return;
  }
  const auto& bytes = std::get<std::vector<std::byte>>(constant.value);
  const DType dtype = constant.type.dtype;
  const auto count = static_cast<size_t>(NumElements(constant.type.dims).value_or(0));
  if (dtype == DType::kF32) {
    std::vector<float> values(count);
    ReadFloats(dtype, bytes, values);
    return AddAll(values, out->mutable_floats());
  }
  if (dtype == DType::kF64) {
    std::vector<double> values(count);
    ReadDoubles(dtype, bytes, values);
    return AddAll(values, out->mutable_doubles());
  }
  const bool as_ints = dtype == DType::kI32 || dtype == DType::kI16 || dtype == DType::kU16;
  const bool as_longs = dtype == DType::kI64 || dtype == DType::kU64;
  if (as_ints || as_longs || dtype == DType::kBool) {
    std::vector<int64_t> values(count);
    ReadInts(dtype, bytes, values);
    if (as_ints) return AddAll(values, out->mutable_ints());
    if (as_longs) return AddAll(values, out->mutable_long_ints());
    return AddAll(values, out->mutable_bools());
  }
  out->mutable_bytes()->set_values(bytes.data(), bytes.size());
}

void EncodeConstant(const Constant& constant, pb::Value* out) {
  EncodeTensorType(constant.type, out->mutable_type()->mutable_tensor_type());
  if (const BlobRef* ref = constant.Blob()) {
    out->mutable_blob_file_value()->set_file_name(ref->file);
    out->mutable_blob_file_value()->set_offset(ref->offset);
  } else {
    EncodeImmediate(constant, out->mutable_immediate_value()->mutable_tensor());
  }
}

void EncodeNamedType(const NamedType& named, pb::NamedValueType* out) {
  out->set_name(named.name);
  EncodeType(named.type, out->mutable_type());
}

void EncodeBlock(const Block& block, pb::Block* out);

void EncodeOperation(const Operation& op, pb::Operation* out) {
  out->set_type(op.type);
  for (const auto& [param, argument] : op.inputs) {
    pb::Argument& encoded = (*out->mutable_inputs())[param];
    for (const Binding& binding : argument) {
      pb::Binding* bound = encoded.add_arguments();
      if (const auto* constant = std::get_if<Constant>(&binding)) {
        EncodeConstant(*constant, bound->mutable_value());
      } else {
        bound->set_name(std::get<std::string>(binding));
      }
    }
  }
  for (const NamedType& output : op.outputs) EncodeNamedType(output, out->add_outputs());
  for (const Block& block : op.blocks) EncodeBlock(block, out->add_blocks());
  for (const auto& [name, constant] : op.attributes) {
    EncodeConstant(constant, &(*out->mutable_attributes())[name]);
  }
}

void EncodeBlock(const Block& block, pb::Block* out) {
  for (const NamedType& input : block.inputs) EncodeNamedType(input, out->add_inputs());
  for (const std::string& output : block.outputs) out->add_outputs(output);
  for (const Operation& op : block.operations) EncodeOperation(op, out->add_operations());
}

void EncodeFeature(const Feature& feature, bool is_state, pb::FeatureDescription* out) {
  out->set_name(feature.name);
  if (!feature.description.empty()) out->set_short_description(feature.description);
  pb::FeatureType* type = out->mutable_type();
  if (feature.is_optional) type->set_is_optional(true);
  pb::ArrayFeatureType* array = is_state ? type->mutable_state_type()->mutable_array_type()
                                         : type->mutable_multi_array_type();
  for (const int64_t extent : feature.shape) array->add_shape(extent);
  array->set_data_type(FeatureNumber(feature.dtype).value_or(0));
  if (feature.flexibility == Flexibility::kRange) {
    for (const DimRange& range : feature.ranges) {
      pb::SizeRange* sizes = array->mutable_shape_range()->add_size_ranges();
      sizes->set_lower_bound(range.lower);
      sizes->set_upper_bound(range.upper);
    }
  } else if (feature.flexibility == Flexibility::kEnumerated) {
    for (const Dims& dims : feature.enumerated) {
      pb::Shape* shape = array->mutable_enumerated_shapes()->add_shapes();
      for (const int64_t extent : dims) shape->add_shape(extent);
    }
  }
}

template <class Out>
void EncodeFeatures(const FunctionDescription& function, Out* out) {
  for (const Feature& feature : function.inputs) EncodeFeature(feature, false, out->add_input());
  for (const Feature& feature : function.outputs) EncodeFeature(feature, false, out->add_output());
  for (const Feature& feature : function.states) EncodeFeature(feature, true, out->add_state());
}

void EncodeDescription(const Model& model, pb::ModelDescription* out) {
  if (model.functions.size() == 1 && model.functions[0].name == "main") {
    EncodeFeatures(model.functions[0], out);
  } else {
    for (const FunctionDescription& function : model.functions) {
      pb::FunctionDescription* encoded = out->add_functions();
      encoded->set_name(function.name);
      EncodeFeatures(function, encoded);
    }
    out->set_default_function_name(model.default_function);
  }
  pb::Metadata* metadata = out->mutable_metadata();
  metadata->set_short_description(model.metadata.short_description);
  metadata->set_version_string(model.metadata.version);
  metadata->set_author(model.metadata.author);
  metadata->set_license(model.metadata.license);
  for (const auto& [key, value] : model.metadata.user_defined)
    (*metadata->mutable_user_defined())[key] = value;
}

void EncodeProgram(const Program& program, pb::Program* out) {
  out->set_version(program.version);
  for (const auto& [name, function] : program.functions) {
    pb::Function& encoded = (*out->mutable_functions())[name];
    for (const NamedType& input : function.inputs) EncodeNamedType(input, encoded.add_inputs());
    encoded.set_opset(function.opset);
    for (const auto& [opset, block] : function.specializations) {
      EncodeBlock(block, &(*encoded.mutable_block_specializations())[opset]);
    }
  }
}

}  // namespace

Result<std::string> EncodeModel(const Model& model) {
  proto::MessageHolder<pb::Model> message;
  message->set_specification_version(model.specification_version);
  EncodeDescription(model, message->mutable_description());
  EncodeProgram(model.program, message->mutable_ml_program());
  const size_t size = message->ByteSizeLong();
  if (size > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    return Fail(ErrorCode::kUnsupported,
                "model.mlmodel: expected less than 2 GB; put large constants into blobs");
  }
  std::string bytes(size, '\0');  // a stream that grows would ask for memory in its destructor
  {
    google::protobuf::io::ArrayOutputStream stream(bytes.data(), static_cast<int>(size));
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);  // maps in key order
    message->SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace headway::mil
