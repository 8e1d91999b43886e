#include "device/cpu/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "device/cpu/scratch_layout.h"
#include "kernels/kernel_set.h"
#include "kernels/tiles.h"

namespace headway::cpu {
namespace {

using graph::Node;
using graph::Op;
using graph::ValueId;

class Planner {
 public:
  Planner(const graph::Graph& graph, int64_t max_tokens) : graph_(graph), max_tokens_(max_tokens) {}

  Result<Plan> Run() {
    if (graph_.inputs.size() != 1 || graph_.outputs.size() != (HasBlockMaxima() ? 2U : 1U)) {
      return Fail(ErrorCode::kUnsupported,
                  "cpu: expected a shard with one input and one output, and block maxima of it at "
                  "most");
    }
    uses_.assign(graph_.values.size(), 0);
    for (const Node& node : graph_.nodes) {
      for (const ValueId id : node.inputs) ++uses_[static_cast<size_t>(id)];
    }
    places_.resize(graph_.values.size());
    buffer_of_.assign(graph_.values.size(), -1);
    const ValueId input = graph_.inputs[0];
    PlaceOf(input) = {.base = Place::Base::kInput,
                      .offset_bytes = 0,
                      .stride_channels = Channels(input),
                      .channel = 0};
    for (const Node& node : graph_.nodes) HW_TRY_VOID(Lower(node));
    if (!rotary_of_.empty())
      return Unsupported(rotary_of_.begin()->first, "rotary outside attention");
    plan_.scratch_bytes = PlaceBuffers(&buffers_, &plan_);
    return std::move(plan_);
  }

 private:
  Place& PlaceOf(ValueId id) { return places_[static_cast<size_t>(id)]; }
  int64_t Channels(ValueId id) const { return graph_.values[static_cast<size_t>(id)].channels; }
  bool IsOutput(ValueId id) const { return id == graph_.outputs[0]; }
  // Whether the second output is what a last block_max makes of the first.
  bool HasBlockMaxima() const {
    if (graph_.outputs.size() != 2 || graph_.nodes.empty()) return false;
    const Node& last = graph_.nodes.back();
    return last.op == Op::kBlockMax && last.output == graph_.outputs[1] &&
           last.inputs[0] == graph_.outputs[0];
  }
  // The selection that is the only reader of `id`, and the shard's result; else null.
  const Node* Top1Of(ValueId id) const {
    const Node& last = graph_.nodes.back();
    const bool only = uses_[static_cast<size_t>(id)] == 1 && !IsOutput(id);
    return only && last.op == Op::kTop1 && last.inputs[0] == id && IsOutput(last.output) ? &last
                                                                                         : nullptr;
  }
  int CurrentPhase() const { return static_cast<int>(plan_.phases.size()) - 1; }

  tl::unexpected<Error> Unsupported(ValueId id, const std::string& what) const {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("cpu: value '{}': {} is not supported",
                            graph_.values[static_cast<size_t>(id)].name, what));
  }

  // Until PlaceBuffers(), a scratch place's offset_bytes is an index into buffers_.
  int NewBuffer(int64_t size_bytes) {
    const int64_t rounded = (size_bytes + 63) / 64 * 64;
    buffers_.push_back(
        {.size_bytes = rounded, .first_phase = CurrentPhase(), .last_phase = CurrentPhase()});
    return static_cast<int>(buffers_.size()) - 1;
  }

  // The place a node writes its result to, in the current phase.
  Place Define(ValueId id) {
    Place place{.base = Place::Base::kOutput,
                .offset_bytes = 0,
                .stride_channels = Channels(id),
                .channel = 0};
    if (!IsOutput(id)) {
      const int buffer =
          NewBuffer(Channels(id) * max_tokens_ * static_cast<int64_t>(sizeof(float)));
      place = {.base = Place::Base::kScratch,
               .offset_bytes = buffer,
               .stride_channels = Channels(id),
               .channel = 0};
      buffer_of_[static_cast<size_t>(id)] = buffer;
    }
    PlaceOf(id) = place;
    return place;
  }

  // The place a node reads, in the current phase.
  Place Use(ValueId id) {
    const int buffer = buffer_of_[static_cast<size_t>(id)];
    if (buffer >= 0) Touch(buffer);
    return PlaceOf(id);
  }
  void Touch(int buffer) { buffers_[static_cast<size_t>(buffer)].last_phase = CurrentPhase(); }

  RowsPhase& Rows() {
    if (plan_.phases.empty() || !std::holds_alternative<RowsPhase>(plan_.phases.back())) {
      plan_.phases.emplace_back(RowsPhase{});
    }
    return std::get<RowsPhase>(plan_.phases.back());
  }

  Result<void> Lower(const Node& node) {
    switch (node.op) {
      case Op::kEmbedding:
        if (graph_.nodes.size() != 1)
          return Unsupported(node.output, "an embedding in one shard with other ops");
        plan_.phases.emplace_back(EmbeddingPhase{.table = node.weights[0]});
        plan_.matrix = node.weights[0];
        Define(node.output);
        return {};
      case Op::kSlice:
        return Alias(node, std::get<graph::SliceAttributes>(node.attributes).begin);
      case Op::kRotary: {
        // Done in place by the attention that reads it.
        const ValueId x = node.inputs[0];
        if (uses_[static_cast<size_t>(x)] != 1 || PlaceOf(x).base != Place::Base::kScratch) {
          return Unsupported(x, "rotary of a value used elsewhere");
        }
        rotary_of_[node.output] = std::get<graph::RotaryAttributes>(node.attributes);
        return Alias(node, 0);
      }
      case Op::kLinear:
        return LowerLinear(node);
      case Op::kBias:
        return LowerBias(node);
      case Op::kAttention:
        return LowerAttention(node);
      case Op::kRmsNorm:
        return LowerRow(node, RowOp::Kind::kRmsNorm);
      case Op::kAdd:
        return LowerRow(node, RowOp::Kind::kAdd);
      case Op::kGate:
        return LowerRow(node, RowOp::Kind::kGate);
      case Op::kScale:
        return LowerRow(node, RowOp::Kind::kScale);
      case Op::kTop1:
      case Op::kBlockMax:
        return LowerSelection(node);
    }
    return {};
  }

  Result<void> Alias(const Node& node, int64_t first_channel) {
    if (IsOutput(node.output)) return Unsupported(node.output, "a view as the shard's output");
    Place place = PlaceOf(node.inputs[0]);
    place.channel += first_channel;
    PlaceOf(node.output) = place;
    buffer_of_[static_cast<size_t>(node.output)] = buffer_of_[static_cast<size_t>(node.inputs[0])];
    return {};
  }

  Result<void> LowerRow(const Node& node, RowOp::Kind kind) {
    for (const ValueId id : node.inputs) {
      if (rotary_of_.count(id) != 0) return Unsupported(id, "rotary outside attention");
    }
    RowsPhase& rows = Rows();
    RowOp op{.kind = kind,
             .x = Use(node.inputs[0]),
             .y = {},
             .out = {},
             .channels = Channels(node.output)};
    if (node.inputs.size() > 1) op.y = Use(node.inputs[1]);
    if (const auto* norm = std::get_if<graph::RmsNormAttributes>(&node.attributes)) {
      op.gain = node.weights[0];
      op.eps = norm->eps;
      op.group = norm->group == 0 ? op.channels : norm->group;
    } else if (const auto* gate = std::get_if<graph::GateAttributes>(&node.attributes)) {
      op.activation = gate->activation;
    } else if (const auto* scale = std::get_if<graph::ScaleAttributes>(&node.attributes)) {
      op.factor = scale->factor;
    }
    op.out = Define(node.output);
    rows.ops.push_back(op);
    return {};
  }

  // The buffer that holds value `id` quantised; adds the op that fills it at the first call.
  int Quantised(ValueId id) {
    const auto found = quantised_.find(id);
    if (found != quantised_.end()) return found->second;
    AttentionPhase* attention = ByHeads(id);
    if (attention == nullptr) Rows();
    const int buffer = NewBuffer(kernels::QuantisedRowsBytes(max_tokens_, Channels(id)));
    const RowOp op{.kind = RowOp::Kind::kQuantise,
                   .x = Use(id),
                   .y = {},
                   .out = {.offset_bytes = buffer, .stride_channels = Channels(id), .channel = 0},
                   .channels = Channels(id)};
    if (attention != nullptr) {
      attention->quantise = op;
    } else {
      Rows().ops.push_back(op);
    }
    quantised_[id] = buffer;
    return buffer;
  }

  // The attention of the current phase when `id` is its result and each head's part of it is whole
  // blocks; else null.
  AttentionPhase* ByHeads(ValueId id) {
    if (plan_.phases.empty()) return nullptr;
    auto* phase = std::get_if<AttentionPhase>(&plan_.phases.back());
    if (phase == nullptr || attention_output_ != id) return nullptr;
    const graph::AttentionAttributes& a = phase->attention;
    return a.num_heads / a.num_kv_heads * a.head_dim % 32 == 0 ? phase : nullptr;
  }

  Result<void> LowerLinear(const Node& node) {
    const ValueId x = node.inputs[0];
    if (rotary_of_.count(x) != 0) return Unsupported(x, "rotary outside attention");
    const graph::Weight& weight = graph_.weights[static_cast<size_t>(node.weights[0])];
    LinearPart part{.weight = node.weights[0],
                    .x = {},
                    .quantised_bytes = -1,
                    .out = {},
                    .soft_cap = graph::SoftCapOf(node)};
    if (IsQuantised(weight.type)) part.quantised_bytes = Quantised(x);
    const bool joins = !plan_.phases.empty() &&
                       std::holds_alternative<LinearPhase>(plan_.phases.back()) &&
                       linear_input_ == x;
    if (!joins) plan_.phases.emplace_back(LinearPhase{});
    linear_input_ = x;
    if (part.quantised_bytes >= 0) Touch(static_cast<int>(part.quantised_bytes));
    part.x = Use(x);
    const Node* const top1 = Top1Of(node.output);
    if (top1 != nullptr) part.selection = Selection::kTop1;
    part.out = Define(top1 != nullptr ? top1->output : node.output);
    product_ = node.output;
    std::get<LinearPhase>(plan_.phases.back()).parts.push_back(part);
    plan_.matrix = node.weights[0];
    return {};
  }

  // Added by the product that makes its input, to the rows of each tile.
  Result<void> LowerBias(const Node& node) {
    auto* linear = plan_.phases.empty() ? nullptr : std::get_if<LinearPhase>(&plan_.phases.back());
    const ValueId x = node.inputs[0];
    if (linear == nullptr || product_ != x || uses_[static_cast<size_t>(x)] != 1 || IsOutput(x) ||
        linear->parts.back().selection != Selection::kNone ||
        linear->parts.back().soft_cap != 0.0F) {
      return Unsupported(node.output, "a bias of anything but the product before it");
    }
    linear->parts.back().bias = node.weights[0];
    return Alias(node, 0);
  }

  // Done tile by tile by the product, which must be the shard's last.
  Result<void> LowerSelection(const Node& node) {
    auto* linear = plan_.phases.empty() ? nullptr : std::get_if<LinearPhase>(&plan_.phases.back());
    if (linear == nullptr || linear->parts.size() != 1 || product_ != node.inputs[0])
      return Unsupported(node.output, "a selection of anything but the last product");
    LinearPart& part = linear->parts[0];
    if (node.op == Op::kTop1) {
      if (part.selection == Selection::kTop1) return {};
      return Unsupported(node.output, "a selection that is not the shard's one output");
    }
    const int64_t rows = std::get<graph::BlockMaxAttributes>(node.attributes).rows;
    if (rows != kernels::kTileRows || !HasBlockMaxima())
      return Unsupported(node.output, fmt::format("anything but the maxima of every {} rows of the "
                                                  "first output",
                                                  kernels::kTileRows));
    part.selection = Selection::kBlockMax;
    return {};
  }

  Result<void> LowerAttention(const Node& node) {
    AttentionPhase phase;
    phase.attention = std::get<graph::AttentionAttributes>(node.attributes);
    if (phase.attention.head_dim % 16 != 0)
      return Unsupported(node.output, "a head_dim that is no multiple of 16");
    const auto q_rotary = rotary_of_.extract(node.inputs[0]);
    const auto k_rotary = rotary_of_.extract(node.inputs[1]);
    if (q_rotary.empty() != k_rotary.empty())
      return Unsupported(node.output, "rotary of q or k alone");
    if (!q_rotary.empty()) {
      phase.rotary = q_rotary.mapped();
      if (!(phase.rotary == k_rotary.mapped()) ||
          phase.rotary.head_dim != phase.attention.head_dim) {
        return Unsupported(node.output, "different rotary of q and k");
      }
    }
    if (rotary_of_.count(node.inputs[2]) != 0)
      return Unsupported(node.inputs[2], "rotary of values");
    phase.cache_index = plan_.num_caches++;
    plan_.phases.emplace_back(phase);
    AttentionPhase& placed = std::get<AttentionPhase>(plan_.phases.back());
    placed.q = Use(node.inputs[0]);
    placed.k = Use(node.inputs[1]);
    placed.v = Use(node.inputs[2]);
    placed.out = Define(node.output);
    attention_output_ = node.output;
    return {};
  }

  const graph::Graph& graph_;
  const int64_t max_tokens_;
  Plan plan_;
  std::vector<int> uses_;
  std::vector<Place> places_;   // by value
  std::vector<int> buffer_of_;  // by value; -1: none
  std::vector<Buffer> buffers_;
  std::map<ValueId, graph::RotaryAttributes>
      rotary_of_;  // rotated values not yet read by attention
  std::map<ValueId, int> quantised_;
  ValueId linear_input_ = -1;
  ValueId product_ = -1;           // of the last linear
  ValueId attention_output_ = -1;  // of the last attention
};

}  // namespace

const LinearPart* Plan::LastProduct() const {
  if (phases.empty()) return nullptr;
  const auto* linear = std::get_if<LinearPhase>(&phases.back());
  return linear == nullptr || linear->parts.size() != 1 ? nullptr : &linear->parts.front();
}

Result<Plan> MakePlan(const graph::Graph& graph, int64_t max_tokens) {
  return Planner(graph, max_tokens).Run();
}

}  // namespace headway::cpu
