// Steps of several tokens against plain decoding, in turns: with drafts that are right at a given
// rate, so that the cost of verifying is measured apart from the art of guessing; and with prompt
// lookup on the continuation of a text, greedy or sampled.

#include <algorithm>
#include <random>

#include "base/clock.h"
#include "base/file_writer.h"
#include "engine/drafter.h"
#include "engine/speculator.h"
#include "lab/bench/table.h"

namespace headway::lab {
namespace {

constexpr double kAcceptance = 0.7;
constexpr uint64_t kMostPromptBytes = uint64_t{1} << 20;
constexpr int64_t kMinNgram = 2;
constexpr int64_t kMaxNgram = 4;
constexpr int64_t kMostDrafts = 7;

// A session whose sequence plain decoding has made as long as asked, and what other ways of decoding
// from the same start must give.
class Continuation {
 public:
  Continuation(std::unique_ptr<Session> session, int64_t start, int64_t length)
      : session_(std::move(session)), start_(start), length_(length) {}

  Session* session() { return session_.get(); }
  std::span<const int32_t> Expected() const { return expected_; }

  Result<void> DecodePlainly() {
    while (Length() < length_) HW_TRY_VOID(session_->Decode());
    return {};
  }
  Result<void> MakeExpected() {
    HW_TRY_VOID(DecodePlainly());
    expected_.assign(session_->Tokens().begin(), session_->Tokens().end());
    return {};
  }

  // Back to the start. The last token of the prompt runs again, outside the clock.
  Result<void> Rewind() {
    session_->Truncate(start_);
    HW_TRY_VOID(session_->Logits());
    return {};
  }
  // Tokens a second of `decode` from the start to the full length.
  template <class Decode>
  Result<double> Time(const Decode& decode) {
    const uint64_t start = NowNs();
    HW_TRY_VOID(decode());
    const double seconds = Seconds(NowNs() - start);
    if (!std::equal(expected_.begin(), expected_.end(), session_->Tokens().begin(),
                    session_->Tokens().end())) {
      return Fail(ErrorCode::kCorrupt,
                  "speculate: expected the tokens of plain decoding, found others");
    }
    return static_cast<double>(length_ - start_) / seconds;
  }

  int64_t Length() const { return static_cast<int64_t>(session_->Tokens().size()); }

 private:
  std::unique_ptr<Session> session_;
  int64_t start_;
  int64_t length_;
  std::vector<int32_t> expected_;
};

// Up to `width - 1` drafts a step that know what comes and are spoiled at random. Returns the number
// of steps.
Result<int64_t> DecodeAlong(Session* session, std::span<const int32_t> expected, int64_t width,
                            int64_t vocab_size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<int32_t> drafts;
  int64_t steps = 0;
  while (session->Tokens().size() < expected.size()) {
    const size_t at = session->Tokens().size();
    const size_t count = std::min(static_cast<size_t>(width) - 1, expected.size() - at - 1);
    drafts.assign(expected.begin() + static_cast<int64_t>(at),
                  expected.begin() + static_cast<int64_t>(at + count));
    for (int32_t& draft : drafts) {
      const bool right = std::uniform_real_distribution<double>(0, 1)(random) < kAcceptance;
      if (!right) draft = static_cast<int32_t>((draft + 1) % vocab_size);
    }
    HW_TRY_VOID(session->DecodeWithDrafts(drafts));
    ++steps;
  }
  return steps;
}

}  // namespace

Result<BenchTable> BenchDrafts(const Bench& bench) {
  const BenchRequest& request = bench.request;
  const int64_t length = request.context + request.tokens;
  HW_TRY(auto session, NewContext(bench, length));
  Continuation text(std::move(session), request.context, length);
  HW_TRY_VOID(text.MakeExpected());
  const std::vector<int64_t> widths = {1, 2, 4, 8};
  std::vector<double> tokens_a_step(widths.size(), 0.0);
  const int rounds = 2 * request.rounds;
  unsigned seed = 0;
  std::vector<measure::Variant> variants;
  for (size_t w = 0; w < widths.size(); ++w) {
    variants.emplace_back([&, w]() -> Result<double> {
      HW_TRY_VOID(text.Rewind());
      return text.Time([&]() -> Result<void> {
        HW_TRY(const int64_t steps, DecodeAlong(text.session(), text.Expected(), widths[w],
                                                bench.model->summary.vocab_size, seed++));
        tokens_a_step[w] +=
            static_cast<double>(request.tokens) / static_cast<double>(steps) / (rounds + 1);
        return {};
      });
    });
  }
  HW_TRY(const auto results, measure::MeasureInTurns(variants, rounds, 1));
  BenchTable table = NewTable(
      bench, "speculate",
      fmt::format("speculate, drafts right at {:.0f} %, each on its own", 100 * kAcceptance),
      {"width", "tokens a step", "tokens/s", "min - max", "against one", "95 % interval"});
  for (size_t w = 0; w < widths.size(); ++w) {
    BenchRow row{.name = fmt::format("{}", widths[w]),
                 .figures = {Number("tokens_a_step", tokens_a_step[w], 2)}};
    Add(Speed("tokens_per_second", results[w].value, 2), &row);
    Add(Ratio("against_one", results[w].ratio_to_first), &row);
    table.rows.push_back(std::move(row));
  }
  table.note = "tokens equal to plain decoding: yes, in every round";
  return table;
}

Result<BenchTable> BenchLookup(const Bench& bench) {
  const BenchRequest& request = bench.request;
  HW_TRY(const std::string prompt_text, ReadTextFile(request.prompt_file, kMostPromptBytes));
  HW_TRY(const std::vector<int32_t> prompt, bench.model->tokenizer->Encode(prompt_text, {}));
  const auto start = static_cast<int64_t>(prompt.size());
  const int64_t length = start + request.tokens;
  SamplingParams sampling;
  sampling.temperature = request.sampled ? 1.0F : 0.0F;
  HW_TRY(auto session, NewSession(bench, bench.model->executor, length, sampling));
  HW_TRY_VOID(session->Append(prompt));
  Continuation text(std::move(session), start, length);
  HW_TRY_VOID(text.MakeExpected());
  SpeculationCounters counters;  // of the last round with lookup
  const auto plain = [&]() -> Result<double> {
    HW_TRY_VOID(text.Rewind());
    return text.Time([&] { return text.DecodePlainly(); });
  };
  const auto lookup = [&]() -> Result<double> {
    HW_TRY_VOID(text.Rewind());
    Speculator speculator(std::make_unique<LookupDrafter>(kMinNgram, kMaxNgram, length),
                          {.most_drafts = kMostDrafts, .adapt = true, .is_end = nullptr});
    HW_TRY_VOID(speculator.ReadPrompt(text.session()->Tokens()));
    const SpeculationCounters before = text.session()->GetCounters().speculation;
    HW_TRY(const double speed, text.Time([&]() -> Result<void> {
      while (text.Length() < length)
        HW_TRY_VOID(speculator.Step(text.session(), length - text.Length()));
      return {};
    }));
    const SpeculationCounters& after = text.session()->GetCounters().speculation;
    counters.drafted = after.drafted - before.drafted;
    counters.accepted = after.accepted - before.accepted;
    return speed;
  };
  HW_TRY(const auto results, measure::MeasureInTurns({plain, lookup}, 2 * request.rounds, 1));
  BenchTable table = NewTable(
      bench, "lookup",
      fmt::format("lookup {}..{} on {}, {} + {} tokens, temperature {}", kMinNgram, kMaxNgram,
                  request.prompt_file, start, request.tokens, sampling.temperature),
      {"", "tokens/s", "min - max", "against plain", "95 % interval", "drafted", "accepted"});
  for (size_t v = 0; v < results.size(); ++v) {
    const SpeculationCounters shown = v == 0 ? SpeculationCounters{} : counters;
    BenchRow row{.name = v == 0 ? "plain" : "lookup",
                 .figures = Speed("tokens_per_second", results[v].value, 2)};
    Add(Ratio("against_plain", results[v].ratio_to_first), &row);
    Add({Number("drafted", static_cast<double>(shown.drafted), 0),
         Number("accepted", static_cast<double>(shown.accepted), 0)},
        &row);
    table.rows.push_back(std::move(row));
  }
  table.note = "tokens equal to plain decoding: yes, in every round";
  return table;
}

}  // namespace headway::lab
