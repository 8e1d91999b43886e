#pragma once

// Copies between dense tensors and strided views of 4-byte elements, for the kernels that move
// values.

#include "device/coreml/run/kernel.h"

namespace headway::mil::kernels {

inline constexpr int64_t kElementBytes = 4;

// The number of elements that axes [from, to) span: one where there are none.
int64_t ElementsBetween(const Dims& dims, size_t from, size_t to);

// Storage of 4-byte elements, whatever they mean.
const char* Raw(const Tensor& tensor);
// New storage of output i.
char* NewRaw(const KernelArgs& args, size_t i);

// A view of a dense tensor: extents and element strides from an element offset.
struct StridedView {
  Dims dims;
  std::vector<int64_t> strides;
  int64_t offset = 0;
};

// Reads the view row-major into dense storage.
void CopyFromView(const char* tensor, const StridedView& view, char* dense);
// Writes dense storage into the view.
void CopyToView(const char* dense, const StridedView& view, char* tensor);

}  // namespace headway::mil::kernels
