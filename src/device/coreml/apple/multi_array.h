#pragma once

// Arrays as Core ML takes and gives them. Inside this folder only.

#import <CoreML/CoreML.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "device/coreml/apple/owned.h"
#include "device/coreml/array.h"

namespace headway::coreml {

MLMultiArrayDataType DataTypeOf(mil::DType dtype);

// What every array of this folder is besides.
class HoldsMultiArray {
 public:
  virtual ~HoldsMultiArray() = default;
  MLMultiArray* Object() const { return object_.Get(); }

 protected:
  explicit HoldsMultiArray(Owned<MLMultiArray*> object) : object_(std::move(object)) {}

 private:
  const Owned<MLMultiArray*> object_;
};

// Memory of ours that Core ML reads and writes in place. Errors: kIo.
Result<std::shared_ptr<HostArray>> NewBackedArray(const mil::TensorType& type);

// What a prediction has given as `name`. Errors: kIo, unless it has that type, and strides that stay
// inside its memory.
Result<std::shared_ptr<Array>> WrapGiven(MLMultiArray* given, const mil::TensorType& type,
                                         const std::string& name);

// The object of an array that was made here.
MLMultiArray* ObjectOf(const Array& array);

// Copies fp16 numbers between arrays of one shape, whatever their strides. Errors: kIo (other shapes
// or types).
Result<void> CopyHalves(MLMultiArray* from, MLMultiArray* to);

}  // namespace headway::coreml
