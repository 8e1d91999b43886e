#include "pack/pack_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <numeric>
#include <string_view>
#include <utility>

#include "manifest/head_kind.h"
#include "model/model.h"
#include "model/vocabulary.h"
#include "pack/auto_head.h"
#include "pack/pack.h"
#include "tokenizer/tokenizer.h"

namespace headway::pack {
namespace {

using graph::Range;

// The weight of the last product of a head.
std::string LastWeight(const graph::Graph& head) {
  for (auto node = head.nodes.rbegin(); node != head.nodes.rend(); ++node) {
    if (node->op != graph::Op::kLinear) continue;
    return head.weights[static_cast<size_t>(node->weights[0])].name;
  }
  return "";
}

// The head whose rows `kind` uses: certified and reduced heads those of the first full head, or of
// the first of their own kind, any other its own. On devices that screen, its own. Heads are
// numbered as listed; `own` is the number of the head itself.
Result<size_t> SharedHead(const std::vector<std::string>& heads, const HeadKind& kind, size_t own,
                          Emitter* emitter) {
  if (!kind.HasPlanes() || emitter->Screens() != nullptr) return own;
  size_t first = own;
  for (size_t i = heads.size(); i-- > 0;) {
    HW_TRY(const HeadKind other, ParseHeadKind(heads[i]));
    if (other.HasPlanes()) first = std::min(first, i);
  }
  for (size_t i = 0; i < heads.size(); ++i) {
    HW_TRY(const HeadKind other, ParseHeadKind(heads[i]));
    if (other.form == HeadForm::kFull) return i;
  }
  return first;
}

// The rows that a reduced head computes first. Errors: kInvalidInput.
Result<void> PlanFirstRows(const HeadKind& kind, const graph::Graph& head,
                           const tokenizer::Tokenizer& tokenizer, const PackOptions& options,
                           PackPlan* plan, PackPlan::PlannedHead* planned) {
  const int64_t vocab_size = plan->model.vocab_size;
  if (kind.first_rows >= vocab_size) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("head '{}': expected fewer rows than the vocabulary's {}",
                            KindText(kind), vocab_size));
  }
  HW_TRY(planned->first_ids,
         MostUsedTokens(tokenizer, options.usage_text, vocab_size, kind.first_rows));
  HW_TRY(planned->first, graph::CutHeadRows(head, {.begin = 0, .end = kind.first_rows}));
  plan->total_bytes += static_cast<uint64_t>(graph::WeightBytes(planned->first));
  return {};
}

// Errors: kUnsupported, kInvalidInput.
Result<int64_t> ChooseMaxSeq(const PackOptions& options, const DeviceTraits& traits,
                             const ModelConfig& model) {
  const int64_t context = model.max_position_embeddings;
  if (options.max_seq < 0 || options.max_seq > context) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--max-seq: expected 1 to {} positions (the model's context), found {}",
                            context, options.max_seq));
  }
  return std::min(options.max_seq > 0 ? options.max_seq : traits.default_max_seq, context);
}

// Errors: kUnsupported.
Result<void> CheckWidths(const PackOptions& options, const Emitter& emitter) {
  const DeviceTraits& traits = emitter.GetTraits();
  if (options.widths.empty() || (!traits.fixed_widths && options.widths != PackOptions{}.widths)) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("--batch-tokens: expected none for the device {}, whose shards take any "
                    "number of tokens",
                    traits.name));
  }
  return emitter.CheckWidths(options.widths);
}

}  // namespace

Result<PackPlan> MakePackPlan(const gguf::GgufFile& file, const PackOptions& options,
                              Emitter* emitter) {
  const DeviceTraits& traits = emitter->GetTraits();
  PackPlan plan;
  HW_TRY(plan.model, model::ReadModelConfig(file));
  HW_TRY(plan.max_seq, ChooseMaxSeq(options, traits, plan.model));
  HW_TRY_VOID(CheckWidths(options, *emitter));
  const int64_t num_layers = plan.model.num_hidden_layers;
  // A package whose tokenizer cannot be opened would be found useless only when it is run.
  HW_TRY(tokenizer::Vocabulary vocabulary, model::VocabularyFromGguf(file));
  HW_TRY(const tokenizer::Tokenizer tokenizer, tokenizer::Tokenizer::Create(std::move(vocabulary)));
  HW_TRY(const std::vector<Range> topology, graph::ParseTopology(options.topology, num_layers));
  HW_TRY(const graph::Graph graph, model::BuildGraph(file, plan.model));
  HW_TRY(graph::Graph embedding, graph::CutEmbedding(graph));
  for (const Range& range : topology) {
    HW_TRY(graph::Graph part, graph::CutStages(graph, range));
    plan.total_bytes += static_cast<uint64_t>(graph::WeightBytes(part));
    plan.layers.emplace_back(range, std::move(part));
  }
  HW_TRY(plan.head, graph::CutStages(graph, {.begin = num_layers, .end = num_layers + 1}));
  plan.head_weight = LastWeight(plan.head);
  std::vector<std::string> heads = options.heads;
  if (heads.size() == 1 && heads.front() == kAutoHead) {
    HW_TRY(const ConstTensorView rows, file.GetTensor(plan.head_weight));
    heads.front() = kHeadOfAuto;
    plan.auto_head = true;
    plan.may_be_certified = CanRecord(emitter) && ShapeCanPay(rows);
  }
  for (const std::string& text : heads) {
    HW_TRY(const HeadKind kind, ParseHeadKind(text));
    HW_TRY_VOID(CheckHeadKind(text, kind, traits.name, traits.head_forms));
    HW_TRY(const size_t shares, SharedHead(heads, kind, plan.heads.size(), emitter));
    PackPlan::PlannedHead planned{
        .kind = kind, .shards = {}, .shares = shares, .first_ids = {}, .first = {}};
    if (kind.first_rows > 0) {
      HW_TRY_VOID(PlanFirstRows(kind, plan.head, tokenizer, options, &plan, &planned));
    }
    if (shares == plan.heads.size()) {
      HW_TRY(const std::vector<Range> rows,
             graph::SplitVocabulary(plan.model.vocab_size, kind.num_shards));
      for (const Range& range : rows) {
        HW_TRY(graph::Graph part, graph::CutHeadRows(plan.head, range));
        plan.total_bytes += static_cast<uint64_t>(graph::WeightBytes(part));
        planned.shards.emplace_back(range, std::move(part));
      }
    }
    plan.heads.push_back(std::move(planned));
  }
  if (plan.heads.empty())
    return Fail(ErrorCode::kInvalidInput, "head: expected at least one kind, found none");
  plan.own_embedding = !plan.model.tie_word_embeddings || traits.keeps_tied_embedding;
  if (plan.own_embedding) {
    plan.embedding = std::move(embedding);
    plan.total_bytes += static_cast<uint64_t>(graph::WeightBytes(plan.embedding));
  }
  return plan;
}

Result<std::vector<StepWidth>> ParseStepWidths(const std::string& text) {
  if (text.empty()) return std::vector<StepWidth>{StepWidth{}};
  std::vector<StepWidth> widths;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    const bool flexible = item.starts_with("1..");
    const std::string_view number = flexible ? item.substr(3) : item;
    StepWidth width{.tokens = 0, .flexible = flexible};
    const char* const stop = number.data() + number.size();
    const auto [parsed, error] = std::from_chars(number.data(), stop, width.tokens);
    const bool valid = error == std::errc{} && parsed == stop &&
                       width.tokens >= (flexible ? 2 : 1) && width.tokens <= kMaxStepTokens;
    if (!valid || std::find(widths.begin(), widths.end(), width) != widths.end()) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("--batch-tokens: expected different numbers from 1 to {}, or a range "
                              "like 1..4, found '{}'",
                              kMaxStepTokens, item));
    }
    widths.push_back(width);
  }
  return widths;
}

Result<std::vector<int32_t>> MostUsedTokens(const tokenizer::Tokenizer& tokenizer,
                                            std::string_view text, int64_t vocab_size,
                                            int64_t count) {
  std::vector<int64_t> uses(static_cast<size_t>(vocab_size), 0);
  HW_TRY(const std::vector<int32_t> tokens, tokenizer.Encode(text, {.add_bos = false}));
  for (const int32_t id : tokens) ++uses[static_cast<size_t>(id)];
  std::vector<int32_t> ids(static_cast<size_t>(vocab_size));
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) {
    return uses[static_cast<size_t>(a)] > uses[static_cast<size_t>(b)];
  });
  ids.resize(static_cast<size_t>(count));
  std::sort(ids.begin(), ids.end());
  return ids;
}

GatheredRows::GatheredRows(const ConstTensorView& tensor, std::span<const int32_t> ids)
    : view_(tensor) {
  const auto row_bytes = static_cast<size_t>(tensor.row_stride_bytes);
  bytes_.resize(ids.size() * row_bytes);
  for (size_t i = 0; i < ids.size(); ++i)
    std::memcpy(bytes_.data() + i * row_bytes, tensor.Row(ids[i]), row_bytes);
  view_.shape = Shape{static_cast<int64_t>(ids.size()), tensor.shape.Columns()};
}

ConstTensorView GatheredRows::View() const {
  ConstTensorView view = view_;
  view.data = bytes_.data();
  return view;
}

}  // namespace headway::pack
