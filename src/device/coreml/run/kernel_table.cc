#include <algorithm>

#include "device/coreml/run/kernel.h"

namespace headway::mil {
namespace {

using P = std::string_view;
constexpr P kX[] = {"x"};
constexpr P kXY[] = {"x", "y"};
constexpr P kSelect[] = {"cond", "a", "b"};
constexpr P kNorm[] = {"x", "gamma", "beta"};
constexpr P kAttention[] = {"query", "key", "value", "attn_mask"};
constexpr P kValues[] = {"values"};
constexpr P kUpdate[] = {"x", "update"};
constexpr P kGather[] = {"x", "indices"};
constexpr P kConv[] = {"x", "*weight", "bias"};

constexpr bool kExact = true;

// Constants and states have no row: the interpreter handles them itself.
constexpr KernelRow kRows[] = {
    {"add", kXY, kernels::Binary},
    {"sub", kXY, kernels::Binary},
    {"mul", kXY, kernels::Binary},
    {"real_div", kXY, kernels::Binary},
    {"floor_div", kXY, kernels::Binary},
    {"mod", kXY, kernels::Binary},
    {"maximum", kXY, kernels::Binary, kExact},
    {"minimum", kXY, kernels::Binary, kExact},
    {"pow", kXY, kernels::Binary},
    {"equal", kXY, kernels::Binary, kExact},
    {"not_equal", kXY, kernels::Binary, kExact},
    {"greater", kXY, kernels::Binary, kExact},
    {"greater_equal", kXY, kernels::Binary, kExact},
    {"less", kXY, kernels::Binary, kExact},
    {"less_equal", kXY, kernels::Binary, kExact},
    {"logical_and", kXY, kernels::Binary, kExact},
    {"logical_or", kXY, kernels::Binary, kExact},
    {"logical_xor", kXY, kernels::Binary, kExact},
    {"logical_not", kX, kernels::Unary, kExact},
    {"rsqrt", kX, kernels::Unary},
    {"log", kX, kernels::Unary},
    {"sqrt", kX, kernels::Unary},
    {"exp", kX, kernels::Unary},
    {"exp2", kX, kernels::Unary},
    {"tanh", kX, kernels::Unary},
    {"erf", kX, kernels::Unary},
    {"floor", kX, kernels::Unary},
    {"round", kX, kernels::Unary},
    {"sigmoid", kX, kernels::Unary},
    {"silu", kX, kernels::Unary},
    {"relu", kX, kernels::Unary, kExact},
    {"gelu", kX, kernels::Unary},
    {"abs", kX, kernels::Unary, kExact},
    {"square", kX, kernels::Unary},
    {"sign", kX, kernels::Unary, kExact},
    {"clip", kX, kernels::Unary},
    {"identity", kX, kernels::Share, kExact},
    {"cast", kX, kernels::Cast},
    {"select", kSelect, kernels::Select, kExact},
    {"reduce_mean", kX, kernels::Reduce},
    {"reduce_sum", kX, kernels::Reduce},
    {"reduce_max", kX, kernels::Reduce, kExact},
    {"reduce_min", kX, kernels::Reduce, kExact},
    {"reduce_prod", kX, kernels::Reduce},
    {"reduce_sum_square", kX, kernels::Reduce},
    {"reduce_l2_norm", kX, kernels::Reduce},
    {"reduce_log_sum_exp", kX, kernels::Reduce},
    {"reduce_argmax", kX, kernels::ReduceArg, kExact},
    {"reduce_argmin", kX, kernels::ReduceArg, kExact},
    {"topk", kX, kernels::TopK, kExact},
    {"argsort", kX, kernels::TopK, kExact},
    {"softmax", kX, kernels::Softmax},
    {"reshape", kX, kernels::Share, kExact},
    {"expand_dims", kX, kernels::Share, kExact},
    {"squeeze", kX, kernels::Share, kExact},
    {"transpose", kX, kernels::Transpose, kExact},
    {"tile", kX, kernels::Tile, kExact},
    {"concat", kValues, kernels::Concat, kExact},
    {"stack", kValues, kernels::Stack, kExact},
    {"split", kX, kernels::Split, kExact},
    {"slice_by_index", kX, kernels::SliceByIndex, kExact},
    {"slice_by_size", kX, kernels::SliceBySize, kExact},
    {"slice_update", kUpdate, kernels::SliceUpdate, kExact},
    {"gather", kGather, kernels::Gather, kExact},
    {"gather_along_axis", kGather, kernels::GatherAlongAxis, kExact},
    {"conv", kConv, kernels::Conv},
    {"linear", kConv, kernels::Linear},
    {"matmul", kXY, kernels::MatMul},
    {"max_pool", kX, kernels::MaxPool, kExact},
    {"layer_norm", kNorm, kernels::LayerNorm},
    {"scaled_dot_product_attention", kAttention, kernels::Attention},
};

}  // namespace

std::span<const KernelRow> KernelTable() { return kRows; }

const KernelRow* FindKernel(std::string_view op) {
  const auto* found = std::find_if(std::begin(kRows), std::end(kRows),
                                   [&](const KernelRow& row) { return row.op == op; });
  return found == std::end(kRows) ? nullptr : found;
}

std::span<float> KernelArgs::NewFloats(size_t i) const {
  out[i].floats = buffers->Floats(out[i].Count());
  return out[i].Floats();
}

std::span<int32_t> KernelArgs::NewInts(size_t i) const {
  out[i].ints = buffers->Ints(out[i].Count());
  return out[i].Ints();
}

void KernelArgs::Parallel(int64_t total, int64_t cost,
                          const std::function<void(int64_t, int64_t)>& work) const {
  // Below about 2^16 multiplications (10 us) waking the team costs more than it saves.
  constexpr int64_t kWorthSharing = int64_t{1} << 16;
  if (pool == nullptr || pool->NumThreads() == 1 || total < 2 || cost * total < kWorthSharing) {
    if (total > 0) work(0, total);
    return;
  }
  ChunkQueue queue;
  const int64_t chunk = std::max<int64_t>(1, total / (int64_t{8} * pool->NumThreads()));
  pool->Run([&](int) {
    int64_t begin = 0;
    int64_t end = 0;
    while (queue.Take(total, chunk, &begin, &end)) work(begin, end);
  });
}

}  // namespace headway::mil
