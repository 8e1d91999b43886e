// headway bench speculate --prompt-file: prompt lookup on the continuation of a text, greedy or
// sampled, against plain decoding in turns.

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/clock.h"
#include "base/file_writer.h"
#include "bench_common.h"
#include "engine/lookup_drafter.h"
#include "engine/speculator.h"
#include "lab/measure/turns.h"

namespace headway::cli {
namespace {

constexpr uint64_t kMostPromptBytes = uint64_t{1} << 20;
constexpr int64_t kMinNgram = 2;
constexpr int64_t kMaxNgram = 4;
constexpr int64_t kMostDrafts = 7;

// Decodes until the sequence has `length` tokens; the prompt is in the session, and its head has
// run once. Seconds, reading the prompt for drafts not included.
Result<double> DecodeWithLookup(Session* session, int64_t length, SpeculationCounters* counters) {
  Speculator speculator(std::make_unique<LookupDrafter>(kMinNgram, kMaxNgram, length),
                        {.most_drafts = kMostDrafts, .adapt = true, .is_end = nullptr});
  HW_TRY_VOID(speculator.ReadPrompt(session->Tokens()));
  const SpeculationCounters before = session->GetCounters().speculation;
  const uint64_t start = NowNs();
  while (static_cast<int64_t>(session->Tokens().size()) < length) {
    const auto left = length - static_cast<int64_t>(session->Tokens().size());
    HW_TRY([[maybe_unused]] const auto choices, speculator.Step(session, left));
  }
  const double seconds = Seconds(NowNs() - start);
  const SpeculationCounters& after = session->GetCounters().speculation;
  counters->passes = after.passes - before.passes;
  counters->drafted = after.drafted - before.drafted;
  counters->accepted = after.accepted - before.accepted;
  return seconds;
}

Result<double> DecodePlainly(Session* session, int64_t length) {
  const uint64_t start = NowNs();
  while (static_cast<int64_t>(session->Tokens().size()) < length) {
    HW_TRY([[maybe_unused]] const auto choice, session->Decode());
  }
  return Seconds(NowNs() - start);
}

}  // namespace

Result<void> BenchLookup(OpenedModel* model, const BenchSetting& setting,
                         const std::string& prompt_file, bool sampled) {
  HW_TRY(const std::string text, ReadTextFile(prompt_file, kMostPromptBytes));
  HW_TRY(const std::vector<int32_t> prompt, model->tokenizer->Encode(text, {}));
  const auto prompt_length = static_cast<int64_t>(prompt.size());
  const int64_t length = prompt_length + setting.tokens;
  SamplingParams sampling;
  sampling.temperature = sampled ? 1.0F : 0.0F;
  HW_TRY(const auto session, NewSession(setting, model, model->pipeline, length, sampling));
  HW_TRY_VOID(session->Append(prompt));
  HW_TRY([[maybe_unused]] const double first, DecodePlainly(session.get(), length));
  const std::vector<int32_t> reference(session->Tokens().begin(), session->Tokens().end());
  Result<void> failure;
  bool all_equal = true;
  SpeculationCounters counters;
  const auto measured = [&](bool lookup) {
    session->Truncate(prompt_length);
    // The last token of the prompt runs again, outside the clock.
    if (const auto logits = session->Logits(); !logits)
      failure = tl::unexpected<Error>(logits.error());
    const auto seconds = lookup ? DecodeWithLookup(session.get(), length, &counters)
                                : DecodePlainly(session.get(), length);
    if (!seconds) failure = tl::unexpected<Error>(seconds.error());
    all_equal = all_equal && std::equal(reference.begin(), reference.end(),
                                        session->Tokens().begin(), session->Tokens().end());
    return seconds ? static_cast<double>(setting.tokens) / *seconds : 0.0;
  };
  const auto results = measure::MeasureInTurns(
      {[&] { return measured(false); }, [&] { return measured(true); }}, 2 * setting.rounds, 1);
  if (!failure) return failure;
  Title(setting, *model,
        fmt::format("lookup {}..{} on {}, {} + {} tokens, temperature {}", kMinNgram, kMaxNgram,
                    prompt_file, prompt_length, setting.tokens, sampling.temperature));
  Say(setting, "{:>8}{:>12}{:>20}{:>14}{:>20}{:>10}{:>10}{:>10}\n", "", "tokens/s", "min - max",
      "against plain", "95 % interval", "passes", "drafted", "accepted");
  for (size_t v = 0; v < results.size(); ++v) {
    const measure::Spread& speed = results[v].value;
    const measure::Spread& ratio = results[v].ratio_to_first;
    const SpeculationCounters shown = v == 0 ? SpeculationCounters{} : counters;
    Say(setting, "{:>8}{:>12.2f}{:>20}{:>14.3f}{:>20}{:>10}{:>10}{:>10}\n",
        v == 0 ? "plain" : "lookup", speed.median,
        fmt::format("{:.2f} - {:.2f}", speed.min, speed.max), ratio.median,
        fmt::format("{:.3f} - {:.3f}", ratio.low, ratio.high), shown.passes, shown.drafted,
        shown.accepted);
    Keep(setting, {.table = "lookup",
                   .row = v == 0 ? "plain" : "lookup",
                   .figures = {{"tokens_per_second", speed.median},
                               {"against_plain", ratio.median},
                               {"against_plain_low", ratio.low},
                               {"against_plain_high", ratio.high},
                               {"drafted", static_cast<double>(shown.drafted)},
                               {"accepted", static_cast<double>(shown.accepted)}},
                   .logits_hash = ""});
  }
  if (!all_equal) {
    return Fail(ErrorCode::kCorrupt, "lookup: expected the tokens of plain decoding, found others");
  }
  Say(setting, "tokens equal to plain decoding: yes, in every round\n");
  return {};
}

}  // namespace headway::cli
