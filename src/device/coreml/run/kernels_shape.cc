#include <algorithm>
#include <cstring>

#include "device/coreml/run/strided_copy.h"

namespace headway::mil::kernels {
namespace {

// The result is `rounds` rounds over the inputs, each round taking sizes[i] elements more of input
// i.
void Join(const KernelArgs& args, int64_t rounds, const std::vector<int64_t>& sizes) {
  char* to = NewRaw(args, 0);
  for (int64_t b = 0; b < rounds; ++b) {
    for (size_t i = 0; i < args.in.size(); ++i) {
      const int64_t bytes = sizes[i] * kElementBytes;
      std::memcpy(to, Raw(args.In(i)) + b * bytes, static_cast<size_t>(bytes));
      to += bytes;
    }
  }
}

}  // namespace

Result<Kernel> Share(const KernelContext&) {
  return Kernel([](const KernelArgs& args) {
    args.out[0].floats = args.In(0).floats;
    args.out[0].ints = args.In(0).ints;
  });
}

Result<Kernel> Transpose(const KernelContext& context) {
  return Kernel([perm = context.op.Ints("perm").value_or(std::vector<int64_t>())](
                    const KernelArgs& args) {
    const std::vector<int64_t> strides = StridesOf(args.In(0).type.dims);
    std::vector<int64_t> permuted;
    permuted.reserve(perm.size());
    for (const int64_t axis : perm) {
      permuted.push_back(
          strides[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(perm.size()) : axis)]);
    }
    CopyFromView(Raw(args.In(0)), {args.out[0].type.dims, permuted, 0}, NewRaw(args, 0));
  });
}

Result<Kernel> Tile(const KernelContext&) {
  return Kernel([](const KernelArgs& args) {
    // A tiled axis [r * n] is [r, n] with stride 0 on r.
    const Dims& x = args.In(0).type.dims;
    const std::vector<int64_t> own = StridesOf(x);
    Dims dims;
    std::vector<int64_t> strides;
    for (size_t i = 0; i < x.size(); ++i) {
      dims.push_back(x[i] == 0 ? 0 : args.out[0].type.dims[i] / x[i]);
      strides.push_back(0);
      dims.push_back(x[i]);
      strides.push_back(own[i]);
    }
    CopyFromView(Raw(args.In(0)), {dims, strides, 0}, NewRaw(args, 0));
  });
}

Result<Kernel> Concat(const KernelContext& context) {
  const size_t rank = context.op.Tensor("values").dims.size();
  HW_TRY(const size_t axis, ResolveAxis(context.op.IntOr("axis", 0), rank));
  const bool interleave = context.op.BoolOr("interleave", false);
  return Kernel([axis, interleave](const KernelArgs& args) {
    // Interleaved inputs give one element of the axis a round, others all of it.
    const size_t joined = interleave ? axis + 1 : axis;
    const Dims& first = args.In(0).type.dims;
    std::vector<int64_t> sizes;
    for (const Tensor* part : args.in)
      sizes.push_back(ElementsBetween(part->type.dims, joined, first.size()));
    Join(args, ElementsBetween(first, 0, joined), sizes);
  });
}

Result<Kernel> Stack(const KernelContext& context) {
  const size_t rank = context.op.Tensor("values").dims.size() + 1;
  HW_TRY(const size_t axis, ResolveAxis(context.op.IntOr("axis", 0), rank));
  return Kernel([axis](const KernelArgs& args) {
    const Dims& dims = args.In(0).type.dims;
    Join(args, ElementsBetween(dims, 0, axis),
         std::vector<int64_t>(args.in.size(), ElementsBetween(dims, axis, dims.size())));
  });
}

Result<Kernel> Split(const KernelContext& context) {
  const size_t rank = context.op.Tensor("x").dims.size();
  HW_TRY(const size_t axis, ResolveAxis(context.op.IntOr("axis", 0), rank));
  return Kernel([axis](const KernelArgs& args) {
    const std::vector<int64_t> strides = StridesOf(args.In(0).type.dims);
    int64_t first = 0;
    for (size_t i = 0; i < args.out.size(); ++i) {
      CopyFromView(Raw(args.In(0)), {args.out[i].type.dims, strides, first * strides[axis]},
                   NewRaw(args, i));
      first += args.out[i].type.dims[axis];
    }
  });
}

}  // namespace headway::mil::kernels
