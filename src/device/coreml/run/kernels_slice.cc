#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "device/coreml/ir/infer.h"
#include "device/coreml/run/strided_copy.h"

namespace headway::mil::kernels {
namespace {

using infer::AxisSlice;

// The slice parameters as a view of x; squeezed axes keep an extent of 1, which changes nothing
// about the elements.
StridedView ViewOf(const Dims& x, const std::vector<AxisSlice>& slices) {
  const std::vector<int64_t> strides = StridesOf(x);
  StridedView view;
  for (size_t i = 0; i < x.size(); ++i) {
    view.dims.push_back(slices[i].length);
    view.strides.push_back(strides[i] * slices[i].stride);
    view.offset += slices[i].begin * strides[i];
  }
  return view;
}

Result<StridedView> SliceView(const KernelContext& context) {
  const Dims dims = context.op.Tensor("x").dims;
  const std::vector<int64_t> none;
  HW_TRY(const auto slices,
         infer::ResolveSlice(context.op, dims, context.op.Ints("begin").value_or(none),
                             context.op.Ints("end").value_or(none)));
  return ViewOf(dims, slices);
}

// An index into `extent` elements: negative ones count from the end, others outside are clamped, so
// that a program cannot read outside its tensors.
int64_t SafeIndex(int64_t index, int64_t extent) {
  return std::clamp<int64_t>(index < 0 ? index + extent : index, 0, extent - 1);
}

}  // namespace

Result<Kernel> SliceByIndex(const KernelContext& context) {
  HW_TRY(StridedView view, SliceView(context));
  return Kernel([view = std::move(view)](const KernelArgs& args) {
    CopyFromView(Raw(args.In(0)), view, NewRaw(args, 0));
  });
}

Result<Kernel> SliceBySize(const KernelContext& context) {
  const Dims x = context.op.Tensor("x").dims;
  const auto begin = context.op.Ints("begin");
  if (!begin || begin->size() != x.size())
    return Fail(ErrorCode::kInvalidInput, "expected begin with one entry per axis");
  return Kernel([begin = *begin](const KernelArgs& args) {
    const Dims& dims = args.In(0).type.dims;
    StridedView view{args.out[0].type.dims, StridesOf(dims), 0};
    for (size_t i = 0; i < dims.size(); ++i) {
      const int64_t first = begin[i] < 0 ? begin[i] + dims[i] : begin[i];
      view.offset += std::clamp<int64_t>(first, 0, dims[i] - view.dims[i]) * view.strides[i];
    }
    CopyFromView(Raw(args.In(0)), view, NewRaw(args, 0));
  });
}

Result<Kernel> SliceUpdate(const KernelContext& context) {
  HW_TRY(StridedView view, SliceView(context));
  const Dims x = context.op.Tensor("x").dims;
  const bool whole = view.dims == x && view.offset == 0 && view.strides == StridesOf(x);
  return Kernel([view = std::move(view), whole](const KernelArgs& args) {
    const Tensor& update = args.In(1);
    if (whole) {  // a cache that is blended whole: the update is the result
      args.out[0].floats = update.floats;
      args.out[0].ints = update.ints;
      return;
    }
    char* out = NewRaw(args, 0);
    std::memcpy(out, Raw(args.In(0)), static_cast<size_t>(args.In(0).Count() * kElementBytes));
    CopyToView(Raw(update), view, out);
  });
}

Result<Kernel> Gather(const KernelContext& context) {
  const Dims x = context.op.Tensor("x").dims;
  HW_TRY(const size_t axis, ResolveAxis(context.op.IntOr("axis", 0), x.size()));
  const auto batch = static_cast<size_t>(context.op.IntOr("batch_dims", 0));
  return Kernel([axis, batch](const KernelArgs& args) {
    const Dims& dims = args.In(0).type.dims;
    const Dims& index_dims = args.In(1).type.dims;
    const int64_t batches = ElementsBetween(dims, 0, batch);
    const int64_t middle = ElementsBetween(dims, batch, axis);
    const int64_t bytes = ElementsBetween(dims, axis + 1, dims.size()) * kElementBytes;
    const int64_t picks = ElementsBetween(index_dims, batch, index_dims.size());
    const char* from = Raw(args.In(0));
    char* to = NewRaw(args, 0);
    if (args.out[0].Count() == 0 || args.In(0).Count() == 0) return;
    for (int64_t b = 0; b < batches; ++b) {
      for (int64_t m = 0; m < middle; ++m) {
        const char* base = from + (b * middle + m) * dims[axis] * bytes;
        for (int64_t i = 0; i < picks; ++i, to += bytes) {
          const int64_t index = SafeIndex(args.In(1).ints.get()[b * picks + i], dims[axis]);
          std::memcpy(to, base + index * bytes, static_cast<size_t>(bytes));
        }
      }
    }
  });
}

Result<Kernel> GatherAlongAxis(const KernelContext& context) {
  const Dims x = context.op.Tensor("x").dims;
  HW_TRY(const size_t axis, ResolveAxis(context.op.IntOr("axis", 0), x.size()));
  return Kernel([axis](const KernelArgs& args) {
    const Dims& dims = args.In(0).type.dims;
    const Dims& out = args.out[0].type.dims;
    const int64_t before = ElementsBetween(dims, 0, axis);
    const int64_t after = ElementsBetween(dims, axis + 1, dims.size());
    const char* from = Raw(args.In(0));
    char* to = NewRaw(args, 0);
    if (args.out[0].Count() == 0 || args.In(0).Count() == 0) return;
    int64_t at = 0;
    for (int64_t b = 0; b < before; ++b) {
      for (int64_t i = 0; i < out[axis]; ++i) {
        for (int64_t a = 0; a < after; ++a, ++at) {
          const int64_t index = SafeIndex(args.In(1).ints.get()[at], dims[axis]);
          std::memcpy(to + at * kElementBytes,
                      from + ((b * dims[axis] + index) * after + a) * kElementBytes, kElementBytes);
        }
      }
    }
  });
}

}  // namespace headway::mil::kernels
