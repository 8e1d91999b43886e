#include "device/coreml/run/strided_copy.h"

#include <cstring>

namespace headway::mil::kernels {
namespace {

static_assert(sizeof(float) == kElementBytes && sizeof(int32_t) == kElementBytes);

// Calls row(view offset in elements) for each innermost row, in row-major order.
template <class Row>
void ForRows(const StridedView& view, const Row& row) {
  const size_t last = view.dims.size() - 1;
  int64_t rows = 1;
  for (size_t i = 0; i < last; ++i) rows *= view.dims[i];
  Dims index(last, 0);
  int64_t offset = view.offset;
  for (int64_t r = 0; r < rows; ++r) {
    row(offset);
    for (size_t i = last; i-- > 0;) {
      offset += view.strides[i];
      if (++index[i] < view.dims[i]) break;
      offset -= view.strides[i] * view.dims[i];
      index[i] = 0;
    }
  }
}

}  // namespace

int64_t ElementsBetween(const Dims& dims, size_t from, size_t to) {
  int64_t elements = 1;
  for (size_t i = from; i < to; ++i) elements *= dims[i];
  return elements;
}

const char* Raw(const Tensor& tensor) {
  return tensor.IsFloat() ? reinterpret_cast<const char*>(tensor.floats.get())
                          : reinterpret_cast<const char*>(tensor.ints.get());
}

char* NewRaw(const KernelArgs& args, size_t i) {
  return args.out[i].IsFloat() ? reinterpret_cast<char*>(args.NewFloats(i).data())
                               : reinterpret_cast<char*>(args.NewInts(i).data());
}

void CopyFromView(const char* tensor, const StridedView& view, char* dense) {
  if (view.dims.empty()) {
    std::memcpy(dense, tensor + view.offset * kElementBytes, kElementBytes);
    return;
  }
  const int64_t length = view.dims.back();
  const int64_t step = view.strides.back() * kElementBytes;
  ForRows(view, [&](int64_t offset) {
    const char* from = tensor + offset * kElementBytes;
    if (step == kElementBytes) {
      std::memcpy(dense, from, static_cast<size_t>(length * kElementBytes));
      dense += length * kElementBytes;
      return;
    }
    for (int64_t i = 0; i < length; ++i, dense += kElementBytes)
      std::memcpy(dense, from + i * step, kElementBytes);
  });
}

void CopyToView(const char* dense, const StridedView& view, char* tensor) {
  if (view.dims.empty()) {
    std::memcpy(tensor + view.offset * kElementBytes, dense, kElementBytes);
    return;
  }
  const int64_t length = view.dims.back();
  const int64_t step = view.strides.back() * kElementBytes;
  ForRows(view, [&](int64_t offset) {
    char* to = tensor + offset * kElementBytes;
    if (step == kElementBytes) {
      std::memcpy(to, dense, static_cast<size_t>(length * kElementBytes));
      dense += length * kElementBytes;
      return;
    }
    for (int64_t i = 0; i < length; ++i, dense += kElementBytes)
      std::memcpy(to + i * step, dense, kElementBytes);
  });
}

}  // namespace headway::mil::kernels
