// The quality half of the golden gate.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gates/agreement.h"
#include "gates/golden.h"
#include "gates/stack.h"
#include "gates/thresholds.h"
#include "manifest/weight_noise.h"

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

// What the format of a package's weights must cost, expected.
struct FormatLoss {
  explicit FormatLoss(const Pipeline& pipeline)
      : hidden(HiddenNoise(WeightNoise(pipeline.manifest().weights),
                           pipeline.model().num_hidden_layers)),
        logits(hidden + WeightNoise(pipeline.manifest().weights)) {}
  FormatLoss() = default;

  double hidden = 0;  // squared relative errors
  double logits = 0;
  double kl = 0;  // nats, of all positions so far
};

// What it costs at one position: errors of logits are independent and have their share of the
// logits' own spread, so that the divergence, half their variance under the distribution p, is half
// their square times 1 - sum p^2.
struct PositionLoss {
  double kl = 0;
  double lead = kDecidedLead;  // of a clear choice
};
PositionLoss LossAt(std::span<const float> reference, const FormatLoss& format) {
  if (format.logits == 0) return {};
  const auto n = static_cast<double>(reference.size());
  const auto largest = static_cast<double>(*std::max_element(reference.begin(), reference.end()));
  double sum = 0;
  double squares = 0;
  double weight = 0;
  double weight_squares = 0;
  for (const float logit : reference) {
    const auto x = static_cast<double>(logit);
    const double p = std::exp(x - largest);
    sum += x;
    squares += x * x;
    weight += p;
    weight_squares += p * p;
  }
  const double variance =
      format.logits * std::max(squares / n - sum / n * (sum / n), 0.0);  // of a logit's error
  return {.kl = 0.5 * variance * (1 - weight_squares / (weight * weight)),
          .lead = std::max(kDecidedLead, kFormatLead * std::sqrt(2 * variance))};
}

void CountChoice(const Best& reference, int32_t token, double clear_lead, QualityFigures* figures) {
  if (token == reference.token) ++figures->same_choice;
  if (reference.lead < clear_lead) return;
  ++figures->decided;
  if (token != reference.token) ++figures->decided_wrong;
}

void CompareLogits(const std::vector<float>& logits, const Goldens& goldens, FormatLoss* format,
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
    const PositionLoss loss = LossAt(expected, *format);
    format->kl += loss.kl / static_cast<double>(goldens.ids.size());
    CountChoice({.token = row.reference_token, .lead = row.reference_gap}, row.token, loss.lead,
                figures);
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
                            KvType kv, const FormatLoss& format, QualityFigures* figures) {
  const auto V = static_cast<size_t>(goldens.vocab_size);
  HW_TRY(const std::vector<int32_t> choices,
         Choices(model, heads.front(), goldens.ids, goldens.NumTokens(), kv));
  for (size_t t = 0; t < choices.size(); ++t) {
    const auto expected = std::span(goldens.reference_logits).subspan(t * V, V);
    CountChoice(BestOf(expected), choices[t], LossAt(expected, format).lead, figures);
  }
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
    figures->problems.push_back(fmt::format(
        "choices: expected the reference's wherever it leads clearly ({} or more), found "
        "{} others",
        kDecidedLead, figures->decided_wrong));
  }
}

}  // namespace

Result<QualityFigures> CompareQuality(OpenedModel* model, const Heads& heads,
                                      const Goldens& goldens) {
  QualityFigures figures;
  figures.positions = goldens.NumTokens();
  FormatLoss format(*heads.front());
  HW_TRY(const std::vector<float> hidden, RunLayers(heads.front().get(), goldens.ids));
  CompareHidden(hidden, goldens, &figures);
  const auto with_logits = WithLogits(heads);
  if (with_logits != heads.end()) {
    HW_TRY(const std::vector<float> logits, RunHead(with_logits->get(), hidden));
    CompareLogits(logits, goldens, &format, &figures);
  } else {
    HW_TRY_VOID(CompareChoices(*model, heads, goldens, KvType::kF16, format, &figures));
  }
  // The cosine of two vectors that differ by e: 1 - e^2 / 2.
  Judge({.cosine = std::clamp(1 - kFormatRoom * format.hidden / 2, kLeastCosine, kQualityCosine),
         .kl = std::clamp(kFormatRoom * format.kl, kQualityKl, kMostKl)},
        &figures);
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
  FormatLoss format;  // devices with such sessions keep the file's own weights
  if (with_logits != heads.end()) {
    CompareLogits(outputs->logits, goldens, &format, &figures);
  } else {
    HW_TRY_VOID(CompareChoices(model, heads, goldens, kKv, format, &figures));
  }
  Judge({.cosine = kQ8KvCosine, .kl = kQ8KvKl}, &figures);
  return figures;
}

}  // namespace headway::gates
