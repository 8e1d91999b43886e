#pragma once

// Constants of a program as numbers: const ops, constants in place, and the constexpr ops that
// store weights in compressed form. Weights of products are read row by row and kept decoded only
// while they fit a budget, so that a shard of several GB can be interpreted too.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "device/coreml/ir/verify.h"
#include "device/coreml/run/tensor.h"

namespace headway::mil {

// Decodes elements [first, first + out.size()) of a constant, row-major.
using ElementDecoder = std::function<void(int64_t first, std::span<float> out)>;

// A constant as a matrix [rows, columns]: axis 0 against all others.
class WeightRows {
 public:
  WeightRows(Dims dims, ElementDecoder decoder, bool keep);

  const Dims& Shape() const { return dims_; }
  int64_t Columns() const { return columns_; }
  // Row `row`: a pointer into the kept copy, or into `scratch` (Columns() floats) after decoding.
  const float* Row(int64_t row, float* scratch) const {
    if (!kept_.empty()) return kept_.data() + row * columns_;
    decoder_(row * columns_, {scratch, static_cast<size_t>(columns_)});
    return scratch;
  }

 private:
  Dims dims_;
  int64_t columns_;
  ElementDecoder decoder_;
  std::vector<float> kept_;
};

class ConstantStore {
 public:
  // All must outlive the store. Up to `keep_bytes` of decoded weights are kept.
  ConstantStore(const Function& function, const FunctionScope& scope, const BlobSource* blobs,
                int64_t keep_bytes);

  // True for constants in place and for the names of const and constexpr ops.
  bool IsConstant(const Binding& binding) const;
  // The decoder of a constant binding (a name or a constant in place), valid while the binding
  // lives. Errors: kCorrupt, kUnsupported.
  Result<ElementDecoder> Decoder(const Binding& binding) const;
  // All elements of a constant binding.
  Result<Tensor> Dense(const Binding& binding) const;
  // The rows of a weight; shared between callers that name the same value.
  Result<std::shared_ptr<const WeightRows>> Rows(const Binding& binding);

 private:
  Result<ElementDecoder> OfConstant(const Constant& constant) const;
  Result<ElementDecoder> OfOperation(const Operation& op) const;
  TensorType TypeOf(const Binding& binding) const;

  const Function& function_;
  const FunctionScope& scope_;
  const BlobSource* blobs_;
  int64_t keep_bytes_;
  std::map<std::string, std::shared_ptr<const WeightRows>> rows_;
};

}  // namespace headway::mil
