#pragma once

// Kernels of the interpreter. A factory reads an op's parameters once and gives a function of
// tensors; one table row per op of device/coreml/ir/op_table.h. Kernels compute in binary32; the
// interpreter rounds float results to fp16 where the type says so, unless the row is marked exact
// (its results are values that were rounded already).

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "device/coreml/ir/op_table.h"
#include "device/coreml/run/constants.h"
#include "device/coreml/run/tensor.h"

namespace headway::mil {

struct KernelArgs {
  std::span<const Tensor* const> in;  // in the order of the row's parameters; null where absent
  std::span<Tensor> out;              // type set, storage not
  ThreadPool* pool;                   // null: this thread alone
  BufferPool* buffers;

  const Tensor& In(size_t i) const { return *in[i]; }
  // Gives out[i] storage of its own.
  std::span<float> NewFloats(size_t i) const;
  std::span<int32_t> NewInts(size_t i) const;
  // Calls work(begin, end) over [0, total), on all threads when total * cost is large. Pieces are
  // disjoint.
  void Parallel(int64_t total, int64_t cost,
                const std::function<void(int64_t, int64_t)>& work) const;
};

using Kernel = std::function<void(const KernelArgs&)>;

struct KernelContext {
  const OpView& op;
  ConstantStore& constants;
};

using KernelFactory = Result<Kernel> (*)(const KernelContext& context);

struct KernelRow {
  std::string_view op;
  // Tensor parameters; "*name": only when it is computed (constants are read by the factory);
  // variadic ones expand.
  std::span<const std::string_view> params;
  KernelFactory make;
  bool exact = false;
};

std::span<const KernelRow> KernelTable();
const KernelRow* FindKernel(std::string_view op);

// Groups of factories, one file each.
namespace kernels {
Result<Kernel> Binary(const KernelContext& context);  // add ... logical_xor
Result<Kernel> Unary(const KernelContext& context);   // rsqrt ... clip
Result<Kernel> Cast(const KernelContext& context);
Result<Kernel> Select(const KernelContext& context);
Result<Kernel> Reduce(const KernelContext& context);
Result<Kernel> ReduceArg(const KernelContext& context);
Result<Kernel> TopK(const KernelContext& context);  // topk, argsort
Result<Kernel> Softmax(const KernelContext& context);
Result<Kernel> LayerNorm(const KernelContext& context);
Result<Kernel> Attention(const KernelContext& context);
Result<Kernel> Share(const KernelContext& context);  // reshape, squeeze, expand_dims, identity
Result<Kernel> Transpose(const KernelContext& context);
Result<Kernel> Tile(const KernelContext& context);
Result<Kernel> Concat(const KernelContext& context);
Result<Kernel> Stack(const KernelContext& context);
Result<Kernel> Split(const KernelContext& context);
Result<Kernel> SliceByIndex(const KernelContext& context);
Result<Kernel> SliceBySize(const KernelContext& context);
Result<Kernel> SliceUpdate(const KernelContext& context);
Result<Kernel> Gather(const KernelContext& context);
Result<Kernel> GatherAlongAxis(const KernelContext& context);
Result<Kernel> Conv(const KernelContext& context);
Result<Kernel> Linear(const KernelContext& context);
Result<Kernel> MatMul(const KernelContext& context);
Result<Kernel> MaxPool(const KernelContext& context);

// Sum of a[i] * b[i] in 16 partial sums, added pairwise.
float Dot(const float* a, const float* b, int64_t count);
}  // namespace kernels

}  // namespace headway::mil
