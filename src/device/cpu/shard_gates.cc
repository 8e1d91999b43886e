// What the gates ask of a shard: who serves each op, and its products one by one.

#include <fmt/format.h>

#include "base/aligned_buffer.h"
#include "device/cpu/shard.h"
#include "kernels/tiles.h"

namespace headway::cpu {
namespace {

constexpr std::string_view kReference = "reference";

std::string ReasonAgainst(const std::string& op, std::string_view served_by,
                          const kernels::KernelSet& kernels) {
  if (served_by != kReference) return "";
  if (kernels.name == kReference) return "the reference kernels were asked for, or none else run";
  return fmt::format("the set {} has no kernel for this {}", kernels.name, op);
}

// An op and the set that serves it.
OpPlacement Placed(const std::string& op, const std::string& name, std::string_view served_by,
                   bool counts, const kernels::KernelSet& kernels) {
  return {.op = op,
          .name = name,
          .where = std::string(served_by),
          .counts = counts,
          .resident = served_by != kReference,
          .reason = ReasonAgainst(op, served_by, kernels)};
}

}  // namespace

headway::Residency CpuShard::Residency() const {
  const graph::Graph& graph = file.graph;
  const kernels::SelectedKernels& k = *kernels;
  headway::Residency residency;
  for (const graph::Node& node : graph.nodes) {
    const std::string& name = graph.values[static_cast<size_t>(node.output)].name;
    const auto add = [&](const char* op, const std::string& what, std::string_view served_by,
                         bool counts) {
      residency.ops.push_back(Placed(op, what, served_by, counts, k.kernels));
    };
    switch (node.op) {
      case graph::Op::kLinear: {
        const graph::Weight& weight = graph.weights[static_cast<size_t>(node.weights[0])];
        add("linear", fmt::format("{} {}", weight.name, Traits(weight.type).name),
            k.ProductServedBy(weight.type), true);
        if (IsQuantised(weight.type)) add("quantise", name, k.ServedBy("quantise_rows"), true);
        if (graph::SoftCapOf(node) > 0.0F) add("soft_cap", name, k.ServedBy("soft_cap"), true);
        break;
      }
      case graph::Op::kBias:
        add("bias", name, k.ServedBy("add"), true);
        break;
      case graph::Op::kAttention:
        add("attention", name, k.ServedBy("attention"), true);
        add("store_kv", name, k.ServedBy("store_kv"), true);
        break;
      case graph::Op::kRmsNorm:
        add("rms_norm", name, k.ServedBy("rms_norm"), true);
        break;
      case graph::Op::kGate:  // a field of the kernels for each activation, of the same name
        add(graph::NameOf(node), name, k.ServedBy(graph::NameOf(node)), true);
        break;
      case graph::Op::kAdd:
        add("add", name, k.ServedBy("add"), true);
        break;
      case graph::Op::kRotary:
        add("rotary", name, k.ServedBy("rotary"), true);
        break;
      case graph::Op::kScale:
        add("scale", name, "plain loop", true);
        break;
      case graph::Op::kEmbedding:  // one row a token: reading it is all the work there is
        add("embedding", name, "row copy", true);
        break;
      case graph::Op::kTop1:
      case graph::Op::kBlockMax:
        add(Traits(node.op).name, name, k.ServedBy("argmax"), true);
        break;
      case graph::Op::kSlice:  // a view
        break;
    }
  }
  return residency;
}

std::vector<Product> CpuShard::Products() const {
  std::vector<Product> products;
  for (const graph::Node& node : file.graph.nodes) {
    if (node.op != graph::Op::kLinear) continue;
    const graph::Weight& weight = file.graph.weights[static_cast<size_t>(node.weights[0])];
    products.push_back({.weight = weight.name,
                        .row_begin = weight.row_begin,
                        .rows = weight.shape[0],
                        .columns = weight.shape.Columns()});
  }
  return products;
}

void CpuShard::RunProduct(size_t index, int64_t num_tokens, const float* x, float* y) const {
  size_t seen = 0;
  for (const graph::Node& node : file.graph.nodes) {
    if (node.op != graph::Op::kLinear || seen++ != index) continue;
    const graph::Weight& weight = file.graph.weights[static_cast<size_t>(node.weights[0])];
    const int64_t columns = weight.shape.Columns();
    kernels::MatMulArgs args{.tiles = file.WeightData(node.weights[0]),
                             .num_rows = weight.shape[0],
                             .num_channels = columns,
                             .tile_begin = 0,
                             .tile_end = kernels::NumTiles(weight.shape[0]),
                             .num_tokens = num_tokens,
                             .xq = {},
                             .x = x,
                             .x_stride = columns,
                             .y = y,
                             .y_stride = weight.shape[0]};
    AlignedBuffer quantised;
    if (IsQuantised(weight.type)) {
      quantised =
          AlignedBuffer(static_cast<size_t>(kernels::QuantisedRowsBytes(num_tokens, columns)));
      args.xq = {.blocks = quantised.Pointer<kernels::ActivationBlock>(),
                 .num_tokens = num_tokens,
                 .num_channels = columns};
      kernels->kernels.quantise_rows(x, columns, 0, num_tokens, args.xq);
    }
    kernels->kernels.matmul[static_cast<size_t>(weight.type)](args);
  }
}

}  // namespace headway::cpu
