#include "pack/pack_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "manifest/head_kind.h"
#include "model/model.h"
#include "model/vocabulary.h"
#include "pack/first_rows.h"
#include "tokenizer/tokenizer.h"

namespace headway::compile {
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
                          const Emitter& emitter) {
  if (!kind.HasPlanes() || emitter.ScreensOnDevice()) return own;
  size_t first = own;
  for (size_t i = heads.size(); i-- > 0;) {
    HW_TRY(const HeadKind other, ParseHeadKind(heads[i]));
    if (other.HasPlanes()) first = std::min(first, i);
  }
  for (size_t i = 0; i < heads.size(); ++i) {
    HW_TRY(const HeadKind other, ParseHeadKind(heads[i]));
    if (other.name == "full") return i;
  }
  return first;
}

// The rows that a reduced head computes first. Errors: kInvalidInput.
Result<void> PlanFirstRows(const HeadKind& kind, const graph::Graph& head,
                           const tokenizer::Tokenizer& tokenizer, const PackOptions& options,
                           PackPlan* plan, PackPlan::Head* planned) {
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
Result<int64_t> ChooseMaxSeq(const PackOptions& options, const Emitter& emitter,
                             const ModelConfig& model) {
  const int64_t context = model.max_position_embeddings;
  if (options.max_seq < 0 || options.max_seq > context) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--max-seq: expected 1 to {} positions (the model's context), found {}",
                            context, options.max_seq));
  }
  if (options.widths.empty() || (!emitter.HasWidths() && options.widths != PackOptions{}.widths)) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("--batch-tokens: expected none for the device {}, whose shards take any "
                    "number of tokens",
                    emitter.Device()));
  }
  return std::min(options.max_seq > 0 ? options.max_seq : emitter.DefaultMaxSeq(), context);
}

}  // namespace

Result<PackPlan> MakePackPlan(const gguf::GgufFile& file, const PackOptions& options,
                              const Emitter& emitter) {
  PackPlan plan;
  HW_TRY(plan.model, model::ReadModelConfig(file));
  HW_TRY(plan.max_seq, ChooseMaxSeq(options, emitter, plan.model));
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
  for (const std::string& text : options.heads) {
    HW_TRY(const HeadKind kind, ParseHeadKind(text));
    HW_TRY_VOID(CheckHeadKind(text, kind, emitter.Device(), emitter.HeadKinds()));
    HW_TRY(const size_t shares, SharedHead(options.heads, kind, plan.heads.size(), emitter));
    PackPlan::Head planned{.kind = KindText(kind),
                           .shards = {},
                           .with_planes = kind.HasPlanes(),
                           .shares = shares,
                           .first_ids = {},
                           .first = {}};
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
  plan.total_bytes *= options.widths.size();
  plan.own_embedding = !plan.model.tie_word_embeddings || emitter.KeepsTiedEmbedding();
  if (plan.own_embedding) {
    plan.embedding = std::move(embedding);
    plan.total_bytes += static_cast<uint64_t>(graph::WeightBytes(plan.embedding));
  }
  return plan;
}

}  // namespace headway::compile
