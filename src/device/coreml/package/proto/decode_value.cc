#include "device/coreml/package/proto/decode_value.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "device/coreml/package/type_numbers.h"

namespace headway::mil::proto {
namespace {

namespace pb = headway::coreml_proto;

Result<TensorType> DecodeTensorType(const pb::TensorType& in) {
  const auto dtype = DTypeFromMilNumber(in.data_type());
  if (!dtype) return Corrupt(fmt::format("data type {} is unknown", in.data_type()));
  if (in.rank() != in.dimensions_size()) {
    return Corrupt(fmt::format("expected {} dimensions as the rank says, found {}", in.rank(),
                               in.dimensions_size()));
  }
  if (in.rank() > kMaxRank)
    return Corrupt(fmt::format("expected a rank of at most {}, found {}", kMaxRank, in.rank()));
  TensorType type{*dtype, {}};
  for (const pb::Dimension& dimension : in.dimensions()) {
    if (dimension.has_constant()) {
      const uint64_t size = dimension.constant().size();
      if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return Corrupt(fmt::format("expected extents below 2^63, found {}", size));
      }
      type.dims.push_back(static_cast<int64_t>(size));
    } else if (dimension.has_unknown() && !dimension.unknown().variadic()) {
      type.dims.push_back(kUnknownDim);
    } else {
      return Corrupt("expected a constant or an unknown dimension of one axis");
    }
  }
  HW_TRY_VOID(CheckDims(type.dims));
  return type;
}

// Elements of a repeated field as packed bytes of T.
template <class T, class Field>
std::vector<std::byte> Packed(const Field& values) {
  std::vector<std::byte> bytes(sizeof(T) * static_cast<size_t>(values.size()));
  for (int i = 0; i < values.size(); ++i) {
    const T value = static_cast<T>(values[i]);
    std::memcpy(bytes.data() + sizeof(T) * static_cast<size_t>(i), &value, sizeof(T));
  }
  return bytes;
}

std::vector<std::byte> PackedInts(DType dtype, const pb::Ints& ints) {
  switch (Traits(dtype).bits) {
    case 8:
      return Packed<int8_t>(ints.values());
    case 16:
      return Packed<int16_t>(ints.values());
    default:
      return Packed<int32_t>(ints.values());
  }
}

// Which member carries which element type: docs/formats/coreml_package.md, "immediates". int8 and
// uint8 are accepted as ints too, which some writers do.
Result<std::vector<std::byte>> DecodeNumbers(DType dtype, const pb::TensorValue& in) {
  using Kind = pb::TensorValue::KindCase;
  const DTypeTraits& traits = Traits(dtype);
  const bool integer =
      traits.type_class == DTypeClass::kSigned || traits.type_class == DTypeClass::kUnsigned;
  const Kind kind = in.kind_case();
  if (kind == Kind::kFloats && dtype == DType::kF32) return Packed<float>(in.floats().values());
  if (kind == Kind::kDoubles && dtype == DType::kF64) return Packed<double>(in.doubles().values());
  if (kind == Kind::kBools && dtype == DType::kBool) return Packed<uint8_t>(in.bools().values());
  if (kind == Kind::kLongInts && integer && traits.bits == 64)
    return Packed<int64_t>(in.long_ints().values());
  if (kind == Kind::kInts && integer && traits.bits >= 8 && traits.bits <= 32)
    return PackedInts(dtype, in.ints());
  if (kind == Kind::kBytes && dtype != DType::kString && dtype != DType::kBool) {
    const std::string& text = in.bytes().values();
    std::vector<std::byte> bytes(text.size());
    if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
  }
  return Corrupt(fmt::format("expected a value of type {}, found member {} of TensorValue",
                             NameOf(dtype), static_cast<int>(kind)));
}

}  // namespace

Result<Type> DecodeType(const pb::ValueType& in) {
  using Kind = pb::ValueType::KindCase;
  switch (in.kind_case()) {
    case Kind::kTensorType: {
      HW_TRY(TensorType tensor, DecodeTensorType(in.tensor_type()));
      return Type{std::move(tensor), false};
    }
    case Kind::kStateType: {
      if (!in.state_type().wrapped_type().has_tensor_type())
        return Corrupt("expected a state of a tensor");
      HW_TRY(TensorType tensor, DecodeTensorType(in.state_type().wrapped_type().tensor_type()));
      return Type{std::move(tensor), true};
    }
    case Kind::kListType:
      return Fail(ErrorCode::kUnsupported, "expected a tensor or a state, found a list");
    case Kind::kTupleType:
      return Fail(ErrorCode::kUnsupported, "expected a tensor or a state, found a tuple");
    case Kind::kDictionaryType:
      return Fail(ErrorCode::kUnsupported, "expected a tensor or a state, found a dictionary");
    case Kind::KIND_NOT_SET:
      break;
  }
  return Corrupt("expected a tensor or a state, found no type");
}

Result<Constant> DecodeConstant(const pb::Value& in) {
  HW_TRY(Type type, DecodeType(in.type()));
  if (type.is_state) return Corrupt("expected a tensor value, found a state");
  const std::optional<int64_t> count = NumElements(type.tensor.dims);
  if (!count) return Corrupt("expected a value with known extents, found " + ToString(type));
  Constant constant{std::move(type.tensor), {}};
  if (in.has_blob_file_value()) {
    constant.value = BlobRef{in.blob_file_value().file_name(), in.blob_file_value().offset()};
    return constant;
  }
  if (!in.has_immediate_value() || !in.immediate_value().has_tensor()) {
    return Corrupt("expected a tensor in place or in a blob file, found neither");
  }
  const pb::TensorValue& tensor = in.immediate_value().tensor();
  const DType dtype = constant.type.dtype;
  if (dtype == DType::kString) {
    const auto& texts = tensor.strings().values();
    if (!tensor.has_strings() || texts.size() != *count) {
      return Corrupt(fmt::format("expected {} strings, found {}", *count, texts.size()));
    }
    constant.value = std::vector<std::string>(texts.begin(), texts.end());
    return constant;
  }
  HW_TRY(std::vector<std::byte> bytes, DecodeNumbers(dtype, tensor));
  const int64_t expected = PackedBytes(dtype, *count);
  if (static_cast<int64_t>(bytes.size()) != expected) {
    return Corrupt(fmt::format("value of type {}: expected {} bytes, found {}",
                               ToString(Type{constant.type, false}), expected, bytes.size()));
  }
  constant.value = std::move(bytes);
  return constant;
}

}  // namespace headway::mil::proto
