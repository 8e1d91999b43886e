// The quality half of the golden gate.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gates/agreement.h"
#include "gates/golden.h"
#include "gates/stack.h"
#include "gates/thresholds.h"

namespace headway::gates {
namespace {

// The hidden states as the head's product sees them, up to the norm's factor (which a cosine does
// not see).
std::vector<float> WithGain(std::vector<float> hidden, const std::vector<float>& gain) {
  for (size_t i = 0; i < hidden.size(); ++i) hidden[i] *= gain[i % gain.size()];
  return hidden;
}

struct Best {
  int32_t token = 0;
  double lead = 0;  // over the second best
};

Best BestOf(std::span<const float> logits) {
  const auto best = std::max_element(logits.begin(), logits.end());
  double second = -INFINITY;
  for (auto it = logits.begin(); it != logits.end(); ++it) {
    if (it != best) second = std::max(second, static_cast<double>(*it));
  }
  return {.token = static_cast<int32_t>(best - logits.begin()),
          .lead = static_cast<double>(*best) - second};
}

void CountChoice(const Best& reference, int32_t token, QualityFigures* figures) {
  if (token == reference.token) ++figures->same_choice;
  if (reference.lead < kDecidedLead) return;
  ++figures->decided;
  if (token != reference.token) ++figures->decided_wrong;
}

void CompareLogits(const std::vector<float>& logits, const Goldens& goldens,
                   QualityFigures* figures) {
  const auto V = static_cast<size_t>(goldens.vocab_size);
  figures->has_logits = true;
  for (size_t t = 0; t < goldens.ids.size(); ++t) {
    const auto expected = std::span(goldens.reference_logits).subspan(t * V, V);
    const std::vector<double> reference(expected.begin(), expected.end());
    const gates::RowComparison row =
        gates::CompareRows(reference, std::span(logits).subspan(t * V, V));
    figures->mean_kl += row.kl / static_cast<double>(goldens.ids.size());
    figures->largest_kl = std::max(figures->largest_kl, row.kl);
    CountChoice({.token = row.reference_token, .lead = row.reference_gap}, row.token, figures);
  }
}

// The first head that gives logits; the end when none does.
auto WithLogits(const Heads& heads) {
  return std::find_if(heads.begin(), heads.end(),
                      [](const auto& head) { return GivesLogits(head->Head().kind); });
}

void CompareHidden(const std::vector<float>& hidden, const Goldens& goldens,
                   QualityFigures* figures) {
  figures->cosine = LowestCosine(WithGain(hidden, goldens.final_gain), goldens.reference_hidden,
                                 goldens.hidden_size);
}

// For heads that give no logits.
Result<void> CompareChoices(const OpenedModel& model, const Heads& heads, const Goldens& goldens,
                            KvType kv, QualityFigures* figures) {
  const auto V = static_cast<size_t>(goldens.vocab_size);
  HW_TRY(const std::vector<int32_t> choices,
         Choices(model, heads.front(), goldens.ids, goldens.NumTokens(), kv));
  for (size_t t = 0; t < choices.size(); ++t)
    CountChoice(BestOf(std::span(goldens.reference_logits).subspan(t * V, V)), choices[t], figures);
  return {};
}

struct Limits {
  double cosine;
  double kl;
};

void Judge(const Limits& limits, QualityFigures* figures) {
  if (!(figures->cosine >= limits.cosine)) {
    figures->problems.push_back(
        fmt::format("hidden states: expected a cosine of at least {} at every position, found "
                    "{:.6f}: the packed model is not the model file",
                    limits.cosine, figures->cosine));
  }
  if (!(figures->mean_kl <= limits.kl)) {
    figures->problems.push_back(
        fmt::format("distributions: expected a KL divergence of at most {} nats, found {:.3g}",
                    limits.kl, figures->mean_kl));
  }
  if (figures->decided_wrong > 0) {
    figures->problems.push_back(
        fmt::format("choices: expected the reference's wherever it leads by {} or more, found {} "
                    "others",
                    kDecidedLead, figures->decided_wrong));
  }
}

}  // namespace

Result<QualityFigures> CompareQuality(OpenedModel* model, const Heads& heads,
                                      const Goldens& goldens) {
  QualityFigures figures;
  figures.positions = goldens.NumTokens();
  HW_TRY(const std::vector<float> hidden, RunLayers(heads.front().get(), goldens.ids));
  CompareHidden(hidden, goldens, &figures);
  const auto with_logits = WithLogits(heads);
  if (with_logits != heads.end()) {
    HW_TRY(const std::vector<float> logits, RunHead(with_logits->get(), hidden));
    CompareLogits(logits, goldens, &figures);
  } else {
    HW_TRY_VOID(CompareChoices(*model, heads, goldens, KvType::kF16, &figures));
  }
  Judge({.cosine = kQualityCosine, .kl = kQualityKl}, &figures);
  return figures;
}

Result<QualityFigures> CompareQualityOfQ8Kv(const OpenedModel& model, const Heads& heads,
                                            const Goldens& goldens) {
  QualityFigures figures;
  constexpr KvType kKv = KvType::kQ8_0;
  const auto& layers = heads.front()->Layers();
  if (!std::all_of(layers.begin(), layers.end(),
                   [](const auto& shard) { return shard->CanStore(kKv); }))
    return figures;
  figures.positions = goldens.NumTokens();
  const auto with_logits = WithLogits(heads);
  const auto& head = with_logits == heads.end() ? heads.front() : *with_logits;
  const auto outputs = RunSession(model, head, goldens.ids, kKv);
  if (!outputs) {
    if (outputs.error().code != ErrorCode::kCorrupt) return tl::unexpected<Error>(outputs.error());
    figures.problems.push_back(outputs.error().message);
    return figures;
  }
  CompareHidden(outputs->hidden, goldens, &figures);
  if (with_logits != heads.end()) {
    CompareLogits(outputs->logits, goldens, &figures);
  } else {
    HW_TRY_VOID(CompareChoices(model, heads, goldens, kKv, &figures));
  }
  Judge({.cosine = kQ8KvCosine, .kl = kQ8KvKl}, &figures);
  return figures;
}

}  // namespace headway::gates
