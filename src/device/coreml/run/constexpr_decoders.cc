#include "device/coreml/run/constexpr_decoders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "device/coreml/ir/constant.h"
#include "device/coreml/ir/packing.h"

namespace headway::mil {
namespace {

std::vector<float> All(const ConstexprPart& part) {
  std::vector<float> values(static_cast<size_t>(NumElements(part.type.dims).value_or(0)));
  part.decoder(0, values);
  return values;
}

// Maps a flat element index to the index of its group, where the extents of `groups` divide those
// of `dims`.
class GroupIndex {
 public:
  GroupIndex(const Dims& dims, const Dims& groups) : dims_(dims), groups_(groups) {
    // Elements of a run share a group: whole inner axes up to the first one that is cut into
    // groups.
    for (size_t i = dims.size(); i-- > 0;) {
      run_ *= dims[i] / groups[i];
      if (groups[i] != 1) break;
    }
  }
  int64_t Run() const { return run_; }
  int64_t Of(int64_t element) const {
    int64_t group = 0;
    int64_t stride = 1;
    for (size_t i = dims_.size(); i-- > 0;) {
      group += element % dims_[i] / (dims_[i] / groups_[i]) * stride;
      element /= dims_[i];
      stride *= groups_[i];
    }
    return group;
  }

 private:
  Dims dims_, groups_;
  int64_t run_ = 1;
};

// Calls apply(group, piece) for each stretch of `out` whose elements share a group.
template <class Apply>
void ForRuns(const GroupIndex& index, int64_t first, std::span<float> out, const Apply& apply) {
  size_t at = 0;
  while (at < out.size()) {
    const int64_t element = first + static_cast<int64_t>(at);
    const auto left = static_cast<size_t>(index.Run() - element % index.Run());
    const size_t length = std::min(left, out.size() - at);
    apply(static_cast<size_t>(index.Of(element)), out.subspan(at, length));
    at += length;
  }
}

// (data - offset) * scale
ElementDecoder Blockwise(const TensorType& result, const ConstexprParts& parts) {
  const ConstexprPart& scale = parts.at("scale");
  const auto offset = parts.find("offset");
  return [data = parts.at("data").decoder, scales = All(scale),
          offsets = offset == parts.end() ? std::vector<float>() : All(offset->second),
          index = GroupIndex(result.dims, scale.type.dims),
          half = result.dtype == DType::kF16](int64_t first, std::span<float> out) {
    data(first, out);
    ForRuns(index, first, out, [&](size_t group, std::span<float> piece) {
      const float factor = scales[group];
      const float shift = offsets.empty() ? 0.0F : offsets[group];
      for (float& value : piece) value = (value - shift) * factor;
    });
    if (half) RoundToHalf(out);
  };
}

// lut[group, index, component]: each index stands for a vector along one axis of the result.
ElementDecoder LutOfVectors(const ConstexprParts& parts, const Dims& groups) {
  const Dims& indices = parts.at("indices").type.dims;
  const Dims& lut = parts.at("lut").type.dims;
  const auto rank = static_cast<int64_t>(indices.size());
  const auto given = static_cast<int64_t>(All(parts.at("vector_axis")).front());
  const int64_t axis = given < 0 ? given + rank : given;
  int64_t inner = 1;  // elements behind the axis
  for (auto i = static_cast<size_t>(axis) + 1; i < indices.size(); ++i) inner *= indices[i];
  return [codes = parts.at("indices").decoder, table = All(parts.at("lut")),
          index = GroupIndex(indices, groups), inner, entries = lut[lut.size() - 2],
          vector = lut.back()](int64_t first, std::span<float> out) {
    for (size_t i = 0; i < out.size(); ++i) {
      const int64_t element = first + static_cast<int64_t>(i);
      const int64_t component = element / inner % vector;
      const int64_t source = element / (inner * vector) * inner + element % inner;
      float code = 0;
      codes(source, {&code, 1});
      const int64_t row = index.Of(source) * entries + static_cast<int64_t>(code);
      out[i] = table[static_cast<size_t>(row * vector + component)];
    }
  };
}

// lut[group, index]
ElementDecoder Lut(const TensorType& result, const ConstexprParts& parts) {
  const TensorType& type = parts.at("lut").type;
  const Dims groups(type.dims.begin(), type.dims.end() - 2);
  if (type.dims.back() != 1) return LutOfVectors(parts, groups);
  const auto entries = static_cast<size_t>(type.dims[type.dims.size() - 2]);
  return [codes = parts.at("indices").decoder, table = All(parts.at("lut")), entries,
          index = GroupIndex(result.dims, groups)](int64_t first, std::span<float> out) {
    codes(first, out);
    ForRuns(index, first, out, [&](size_t group, std::span<float> piece) {
      const float* row = table.data() + group * entries;
      for (float& value : piece) value = row[static_cast<size_t>(value)];
    });
  };
}

// The iOS 16 form: one table, codes packed into bytes.
ElementDecoder LutOld(const ConstexprParts& parts) {
  const std::vector<float> codes = All(parts.at("indices"));
  std::vector<std::byte> packed(codes.size());
  std::transform(codes.begin(), codes.end(), packed.begin(),
                 [](float code) { return static_cast<std::byte>(static_cast<uint8_t>(code)); });
  const auto entries = parts.at("lut").type.dims[0];
  const DType dtype = entries == 2    ? DType::kU1
                      : entries == 4  ? DType::kU2
                      : entries == 16 ? DType::kU4
                      : entries == 64 ? DType::kU6
                                      : DType::kU8;
  return [packed = std::move(packed), dtype, table = All(parts.at("lut"))](int64_t first,
                                                                           std::span<float> out) {
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] =
          table[static_cast<size_t>(UnpackElement(dtype, packed, first + static_cast<int64_t>(i)))];
    }
  };
}

// scale * (q - zero_point), along one axis
ElementDecoder Affine(const TensorType& result, const ConstexprParts& parts) {
  const auto axis_value = static_cast<int64_t>(All(parts.at("axis")).front());
  const auto rank = static_cast<int64_t>(result.dims.size());
  const auto axis = static_cast<size_t>(axis_value < 0 ? axis_value + rank : axis_value);
  Dims groups(result.dims.size(), 1);
  groups[axis] = result.dims[axis];
  const auto spread = [&](const char* name) {
    std::vector<float> values = All(parts.at(name));
    if (values.size() == 1) values.resize(static_cast<size_t>(groups[axis]), values.front());
    return values;
  };
  return [data = parts.at("quantized_data").decoder, scales = spread("scale"),
          zeros = spread("zero_point"), index = GroupIndex(result.dims, groups),
          half = result.dtype == DType::kF16](int64_t first, std::span<float> out) {
    data(first, out);
    ForRuns(index, first, out, [&](size_t group, std::span<float> piece) {
      for (float& value : piece) value = scales[group] * (value - zeros[group]);
    });
    if (half) RoundToHalf(out);
  };
}

Result<ElementDecoder> Sparse(const ConstexprParts& parts) {
  const std::vector<float> mask = All(parts.at("mask"));
  const std::vector<float> values = All(parts.at("nonzero_data"));
  const auto ones = static_cast<size_t>(std::count(mask.begin(), mask.end(), 1.0F));
  if (ones != values.size()) {
    return Fail(
        ErrorCode::kCorrupt,
        fmt::format("constexpr_sparse_to_dense: expected {} values as the mask says, found {}",
                    ones, values.size()));
  }
  std::vector<float> dense(mask.size());
  size_t next = 0;
  for (size_t i = 0; i < mask.size(); ++i) dense[i] = mask[i] != 0.0F ? values[next++] : 0.0F;
  return ElementDecoder([dense = std::move(dense)](int64_t first, std::span<float> out) {
    std::copy_n(dense.begin() + first, out.size(), out.begin());
  });
}

}  // namespace

ElementDecoder DecodePlain(DType dtype, std::span<const std::byte> bytes) {
  if (dtype == DType::kI8) {  // the common case of large weights
    return [bytes](int64_t first, std::span<float> out) {
      const auto* values = reinterpret_cast<const int8_t*>(bytes.data()) + first;
      for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(values[i]);
    };
  }
  const int bits = Traits(dtype).bits;
  if (bits < 8) {
    return [dtype, bytes](int64_t first, std::span<float> out) {
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<float>(UnpackElement(dtype, bytes, first + static_cast<int64_t>(i)));
      }
    };
  }
  return [dtype, bytes, bits](int64_t first, std::span<float> out) {
    ReadFloats(dtype, bytes.subspan(static_cast<size_t>(first * bits / 8)), out);
  };
}

Result<ElementDecoder> DecodeConstexpr(const std::string& op, const TensorType& result,
                                       ConstexprParts parts) {
  if (op == "constexpr_blockwise_shift_scale") return Blockwise(result, parts);
  if (op == "constexpr_lut_to_dense")
    return parts.count("shape") != 0 ? LutOld(parts) : Lut(result, parts);
  if (op == "constexpr_affine_dequantize") return Affine(result, parts);
  if (op == "constexpr_sparse_to_dense") return Sparse(parts);
  if (op == "constexpr_cast") return parts.at("source_val").decoder;
  return Fail(ErrorCode::kUnsupported, fmt::format("constant op '{}' is not implemented", op));
}

}  // namespace headway::mil
