// headway bench speculate: steps of several tokens against plain decoding, with drafts that are
// right at a given rate, so that the cost of verifying is measured apart from the art of guessing.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <random>

#include "base/clock.h"
#include "bench_tables.h"
#include "engine/session.h"
#include "lab/measure/turns.h"

namespace headway::cli {
namespace {

constexpr double kAcceptance = 0.7;

// Decodes until the sequence is as long as `reference`, with up to `width - 1` drafts a step that
// know it and are spoiled at random. Returns the seconds; counts the steps.
Result<double> DecodeAlong(Session* session, std::span<const int32_t> reference, int64_t width,
                           int64_t vocab_size, unsigned seed, int64_t* steps) {
  std::mt19937 random(seed);
  std::vector<int32_t> drafts;
  const uint64_t start = NowNs();
  *steps = 0;
  while (session->Tokens().size() < reference.size()) {
    const size_t at = session->Tokens().size();
    const size_t count = std::min(static_cast<size_t>(width) - 1, reference.size() - at - 1);
    drafts.assign(reference.begin() + static_cast<int64_t>(at),
                  reference.begin() + static_cast<int64_t>(at + count));
    for (int32_t& draft : drafts) {
      const bool right = std::uniform_real_distribution<double>(0, 1)(random) < kAcceptance;
      if (!right) draft = static_cast<int32_t>((draft + 1) % vocab_size);
    }
    HW_TRY([[maybe_unused]] const auto choices, session->DecodeWithDrafts(drafts));
    ++*steps;
  }
  return static_cast<double>(NowNs() - start) * 1e-9;
}

}  // namespace

Result<void> BenchSpeculation(OpenedModel* model, const BenchSetting& setting) {
  const ModelConfig& config = model->pipeline->model();
  const int64_t length = setting.context + setting.tokens;
  HW_TRY(const auto session,
         Session::Create(model->executor,
                         {.capacity_tokens = length, .kv = setting.kv, .sampling = {}}));
  std::vector<int32_t> prompt;
  for (int64_t i = 0; i < setting.context; ++i)
    prompt.push_back(static_cast<int32_t>((i * 7919 + 11) % config.vocab_size));
  HW_TRY_VOID(session->Append(prompt));
  while (static_cast<int64_t>(session->Tokens().size()) < length) {
    HW_TRY([[maybe_unused]] const auto choice, session->Decode());
  }
  const std::vector<int32_t> reference(session->Tokens().begin(), session->Tokens().end());
  const std::vector<int64_t> widths = {1, 2, 4, 8};
  std::vector<double> tokens_a_step(widths.size(), 0.0);
  Result<void> failure;
  bool all_equal = true;
  unsigned round = 0;
  std::vector<std::function<double()>> variants;
  for (size_t w = 0; w < widths.size(); ++w) {
    variants.emplace_back([&, w] {
      session->Truncate(setting.context);
      // The last token of the prompt runs again, outside the clock.
      if (const auto logits = session->Logits(); !logits)
        failure = tl::unexpected<Error>(logits.error());
      int64_t steps = 0;
      const auto seconds =
          DecodeAlong(session.get(), reference, widths[w], config.vocab_size, round++, &steps);
      if (!seconds) failure = tl::unexpected<Error>(seconds.error());
      all_equal = all_equal && std::equal(reference.begin(), reference.end(),
                                          session->Tokens().begin(), session->Tokens().end());
      tokens_a_step[w] += static_cast<double>(setting.tokens) / static_cast<double>(steps);
      return seconds ? static_cast<double>(setting.tokens) / *seconds : 0.0;
    });
  }
  const int rounds = 2 * setting.rounds;
  const auto results = measure::MeasureInTurns(variants, rounds, 1);
  if (!failure) return failure;
  fmt::print("\nspeculate: {}, {} threads; drafts right at {:.0f} %, each on its own\n",
             model->summary.name, model->summary.threads, 100 * kAcceptance);
  fmt::print("{:>8}{:>16}{:>12}{:>20}{:>14}{:>20}\n", "width", "tokens a step", "tokens/s",
             "min - max", "against one", "95 % interval");
  for (size_t w = 0; w < widths.size(); ++w) {
    const measure::Spread& v = results[w].value;
    const measure::Spread& ratio = results[w].ratio_to_first;
    fmt::print("{:>8}{:>16.2f}{:>12.2f}{:>20}{:>14.3f}{:>20}\n", widths[w],
               tokens_a_step[w] / (rounds + 1), v.median,
               fmt::format("{:.2f} - {:.2f}", v.min, v.max), ratio.median,
               fmt::format("{:.3f} - {:.3f}", ratio.low, ratio.high));
  }
  fmt::print("tokens equal to plain decoding: {}\n", all_equal ? "yes, in every round" : "NO");
  if (all_equal) return {};
  return Fail(ErrorCode::kCorrupt,
              "speculate: expected the tokens of plain decoding, found others");
}

}  // namespace headway::cli
