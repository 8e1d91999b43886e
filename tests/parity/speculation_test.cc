// The heart of speculation: whatever is drafted, the tokens, the cache and the last logits are
// those of plain decoding.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>

#include "engine/drafter.h"
#include "engine/speculator.h"
#include "model_fixture.h"
#include "patched_file.h"

namespace headway::parity {
namespace {

using sampling::Sampler;

SessionOptions Options(int64_t capacity, const SamplingParams& sampling) {
  return {.capacity_tokens = capacity, .sampling = sampling};
}

// A plain run: what every other way of decoding must give.
struct Plain {
  std::vector<int32_t> tokens;  // prompt and output
  std::vector<float> last_logits;
  // By position: the token that came second, for drafts that are wrong by as little as can be.
  std::vector<int32_t> runner_up;
};

Plain DecodePlainly(const OpenedModel& model, const SamplingParams& sampling,
                    std::span<const int32_t> prompt, int64_t length) {
  const auto session = NewSession(model, Options(length, sampling));
  EXPECT_TRUE(session->Append(prompt));
  Plain plain;
  plain.runner_up.resize(prompt.size());
  while (static_cast<int64_t>(session->Tokens().size()) < length) {
    std::vector<float> logits = LastLogits(session.get());
    const auto choice = session->Decode();
    EXPECT_TRUE(choice) << choice.error().message;
    if (!choice) break;
    logits[static_cast<size_t>(choice->token)] = -1e30F;
    plain.runner_up.push_back(
        static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
  }
  plain.tokens.assign(session->Tokens().begin(), session->Tokens().end());
  plain.last_logits = LastLogits(session.get());
  return plain;
}

// Knows the plain tokens and spoils some of its guesses.
class SpoilingDrafter final : public Drafter {
 public:
  enum class Spoil { kRunnerUp, kAnything };
  SpoilingDrafter(const Plain& plain, double right, Spoil spoil, unsigned seed)
      : plain_(plain), right_(right), spoil_(spoil), random_(seed) {}

  Result<GuessedDraft> Propose(std::span<const int32_t> tokens, int64_t most) override {
    draft_.clear();
    for (size_t i = tokens.size(); i < tokens.size() + static_cast<size_t>(most); ++i) {
      const bool known = i < plain_.tokens.size();
      const auto anything = static_cast<int32_t>(random_() % 320);
      if (known && std::uniform_real_distribution<double>(0, 1)(random_) < right_) {
        draft_.push_back(plain_.tokens[i]);
      } else {
        draft_.push_back(known && spoil_ == Spoil::kRunnerUp ? plain_.runner_up[i] : anything);
      }
    }
    return GuessedDraft{.tokens = draft_, .ngram = 0};
  }
  bool IsFree() const override { return true; }

 private:
  const Plain& plain_;
  const double right_;
  const Spoil spoil_;
  std::mt19937 random_;
  std::vector<int32_t> draft_;
};

void ExpectSame(const OpenedModel& model, const SamplingParams& sampling, const Plain& plain,
                std::span<const int32_t> prompt, std::unique_ptr<Drafter> drafter,
                SpeculatorOptions options, const std::string& what) {
  const auto length = static_cast<int64_t>(plain.tokens.size());
  const auto session = NewSession(model, Options(length, sampling));
  ASSERT_TRUE(session->Append(prompt));
  Speculator speculator(std::move(drafter), std::move(options));
  while (static_cast<int64_t>(session->Tokens().size()) < length) {
    const int64_t left = length - static_cast<int64_t>(session->Tokens().size());
    const auto choices = speculator.Step(session.get(), left);
    ASSERT_TRUE(choices) << what << ": " << choices.error().message;
    ASSERT_GE(choices->size(), 1U);
    ASSERT_LE(static_cast<int64_t>(choices->size()), left);
    // The choices are what was appended.
    const auto appended = session->Tokens().last(choices->size());
    for (size_t i = 0; i < choices->size(); ++i) ASSERT_EQ((*choices)[i].token, appended[i]);
  }
  ASSERT_TRUE(std::equal(plain.tokens.begin(), plain.tokens.end(), session->Tokens().begin(),
                         session->Tokens().end()))
      << what;
  EXPECT_TRUE(SameBits(LastLogits(session.get()), plain.last_logits)) << what;
}

std::vector<std::pair<std::string, SamplingParams>> Samplings() {
  std::vector<std::pair<std::string, SamplingParams>> all;
  all.emplace_back("greedy", SamplingParams{});
  SamplingParams penalised;
  penalised.repeat_penalty = 1.3F;  // depends on the drafts accepted in the same step
  penalised.repeat_last_n = 6;
  all.emplace_back("greedy with a penalty", penalised);
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SamplingParams sampled;
    sampled.temperature = seed % 2 == 0 ? 0.7F : 3.0F;
    sampled.seed = seed;
    if (seed % 3 == 0) sampled.top_k = 20;
    if (seed % 3 == 1) sampled.top_p = 0.9F;
    if (seed % 4 == 0) sampled.repeat_penalty = 1.2F;
    all.emplace_back("seed " + std::to_string(seed), sampled);
  }
  return all;
}

class SpeculationTest : public testing::TestWithParam<const char*> {
 protected:
  const TestModel model_{GetParam(), "q8_0"};
};

// tiny-phi changes its rotary factors at a length of 64, in the middle of these runs.
TEST_P(SpeculationTest, AnyDrafts_GiveThePlainTokens) {
  const std::string package = model_.Pack("1", {"full:1", "full:2", "full:3", "full:4"});
  const std::vector<int32_t> prompt = TestIds(30, 320);
  for (const char* head : {"full:1", "full:2", "full:3", "full:4"}) {
    const auto opened = OpenPackage(package, {.threads = 1, .instruction_set = "", .head = head});
    for (const auto& [name, sampling] : Samplings()) {
      const Plain plain = DecodePlainly(*opened, sampling, prompt, 100);
      for (const int64_t width : {2, 4, 8, 16}) {
        for (const double right : {0.0, 0.7, 1.0}) {
          for (const auto spoil :
               {SpoilingDrafter::Spoil::kRunnerUp, SpoilingDrafter::Spoil::kAnything}) {
            ExpectSame(*opened, sampling, plain, prompt,
                       std::make_unique<SpoilingDrafter>(plain, right, spoil, 5),
                       {.most_drafts = width - 1, .adapt = false},
                       std::string(head) + ", " + name + ", width " + std::to_string(width));
          }
        }
      }
    }
  }
}

TEST_P(SpeculationTest, ThreadsInstructionSetsAndPrompts_ChangeNothing) {
  const std::string package = model_.Pack("1", {"full:3"});
  for (const std::string& set : InstructionSets()) {
    for (const int threads : {1, 2}) {
      const auto opened = OpenPackage(package, {.threads = threads, .instruction_set = set});
      for (const int64_t prompt_tokens : {1, 2, 63, 64, 65}) {
        if (threads == 2 && prompt_tokens != 63) continue;  // slow where processors are shared
        const std::vector<int32_t> prompt = TestIds(prompt_tokens, 320);
        SamplingParams sampling;
        sampling.temperature = 1.0F;
        sampling.seed = static_cast<uint64_t>(prompt_tokens);
        const Plain plain = DecodePlainly(*opened, sampling, prompt, prompt_tokens + 24);
        ExpectSame(
            *opened, sampling, plain, prompt,
            std::make_unique<SpoilingDrafter>(plain, 0.8, SpoilingDrafter::Spoil::kRunnerUp, 1),
            {.most_drafts = 5, .adapt = false},
            set + ", prompt of " + std::to_string(prompt_tokens));
      }
    }
  }
}

TEST_P(SpeculationTest, LookupAndDraftModel_GiveThePlainTokens) {
  const auto opened = OpenPackage(model_.Pack("1", {"full:2"}));
  const TestModel other(GetParam(), "q4_0");  // the same weights, less exactly
  const auto small = OpenPackage(other.Pack("2", {"full:1"}));
  std::vector<int32_t> prompt = TestIds(12, 320);
  const std::vector<int32_t> again = prompt;
  prompt.insert(prompt.end(), again.begin(), again.end());
  for (const auto& [name, sampling] : Samplings()) {
    const Plain plain = DecodePlainly(*opened, sampling, prompt, 100);
    for (const bool adapt : {true, false}) {
      ExpectSame(*opened, sampling, plain, prompt, std::make_unique<LookupDrafter>(1, 3, 100),
                 {.most_drafts = 7, .adapt = adapt}, "lookup, " + name);
      for (const int64_t capacity : {100, 60}) {  // 60: the small model stops half way
        ExpectSame(*opened, sampling, plain, prompt,
                   std::make_unique<ModelDrafter>(NewSession(*small, Options(capacity, sampling)),
                                                  capacity),
                   {.most_drafts = 3, .adapt = adapt}, "draft model, " + name);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SpeculationTest, testing::Values("tiny-phi", "tiny-llama"),
                         [](const auto& test) {
                           return std::string(test.param) == "tiny-phi" ? "TinyPhi" : "TinyLlama";
                         });

class DraftsTest : public testing::Test {
 protected:
  const TestModel model_{"tiny-llama", "q8_0"};
  const std::unique_ptr<OpenedModel> opened_ = OpenPackage(model_.Pack("1", {"full:2"}));
};

TEST_F(DraftsTest, AModelThatDraftsForItself_IsAlwaysRight) {
  SamplingParams sampling;
  sampling.temperature = 1.5F;
  sampling.seed = 9;
  sampling.repeat_penalty = 1.1F;
  const auto session = NewSession(*opened_, Options(100, sampling));
  ASSERT_TRUE(session->Append(TestIds(5, 320)));
  Speculator speculator(
      std::make_unique<ModelDrafter>(NewSession(*opened_, Options(100, sampling)), 100),
      {.most_drafts = 3, .adapt = false});
  while (session->Tokens().size() < 86) ASSERT_TRUE(speculator.Step(session.get(), 8));
  const Counters& counters = session->GetCounters();
  EXPECT_EQ(counters.speculation.drafted, 60U);
  EXPECT_EQ(counters.speculation.accepted, 60U);
  EXPECT_EQ(counters.steps, 20U);
  EXPECT_EQ(counters.step_tokens, 80U);
}

TEST_F(DraftsTest, BadDrafts_AreRefusedAndChangeNothing) {
  const auto session = NewSession(*opened_, 64);
  EXPECT_FALSE(session->DecodeWithDrafts(std::vector<int32_t>{1}));
  ASSERT_TRUE(session->Append(TestIds(5, 320)));
  ASSERT_TRUE(session->Decode());
  const std::vector<float> before = LastLogits(session.get());
  EXPECT_EQ(session->DecodeWithDrafts(std::vector<int32_t>(16, 1)).error().message,
            "drafts: expected at most 15 (a step takes 16 tokens), found 16");
  EXPECT_EQ(session->DecodeWithDrafts(std::vector<int32_t>{1, 320}).error().message,
            "token 1: expected an id from 0 to 319, found 320");
  EXPECT_EQ(session->Tokens().size(), 6U);
  EXPECT_TRUE(SameBits(LastLogits(session.get()), before));
  // And it goes on as if nothing had been asked.
  const Plain plain = DecodePlainly(*opened_, {}, TestIds(5, 320), 20);
  while (session->Tokens().size() < 20) {
    const size_t at = session->Tokens().size();
    ASSERT_TRUE(session->DecodeWithDrafts(std::vector<int32_t>(at < 18 ? 2 : 0, plain.tokens[at])));
  }
  EXPECT_TRUE(std::equal(plain.tokens.begin(), plain.tokens.end(), session->Tokens().begin()));
}

TEST_F(DraftsTest, CapacityAndCancellation_AreThoseOfDecode) {
  std::atomic<bool> cancelled{false};
  SessionOptions options = Options(8, {});
  options.cancelled_or_null = &cancelled;
  const auto session = NewSession(*opened_, options);
  ASSERT_TRUE(session->Append(TestIds(5, 320)));
  ASSERT_TRUE(session->Decode());
  cancelled = true;
  EXPECT_EQ(session->DecodeWithDrafts(std::vector<int32_t>{1, 2}).error().code,
            ErrorCode::kCancelled);
  EXPECT_EQ(session->Tokens().size(), 6U);
  cancelled = false;
  const Plain plain = DecodePlainly(*opened_, {}, TestIds(5, 320), 8);
  const auto choices =
      session->DecodeWithDrafts(std::vector<int32_t>{plain.tokens[6], plain.tokens[7], 3, 4, 5});
  ASSERT_TRUE(choices);
  EXPECT_EQ(choices->size(), 2U);  // all that fit
  EXPECT_TRUE(std::equal(plain.tokens.begin(), plain.tokens.end(), session->Tokens().begin()));
  EXPECT_FALSE(session->DecodeWithDrafts({}));
}

// A token that overflows the layers is harmless as a wrong draft, and as a right one is reported by
// the step in which plain decoding meets it.
TEST_F(DraftsTest, DraftsThatAreNotNumbers_LeaveNoTrace) {
  PoisonRow(model_.File(), "token_embd.weight", 200);
  const auto opened = OpenPackage(model_.Pack("1", {"full:1"}));
  SamplingParams never_200;
  never_200.logit_bias = {{200, -100.0F}};
  const std::vector<int32_t> prompt = TestIds(5, 100);
  const Plain plain = DecodePlainly(*opened, never_200, prompt, 40);
  const auto session = NewSession(*opened, Options(40, never_200));
  ASSERT_TRUE(session->Append(prompt));
  while (session->Tokens().size() < 40) {
    const size_t at = session->Tokens().size();
    std::vector<int32_t> drafts = {200, 200, 200};
    if (at % 2 == 0 && at + 1 < 40) drafts[0] = plain.tokens[at];
    ASSERT_TRUE(session->DecodeWithDrafts(drafts));
  }
  EXPECT_TRUE(std::equal(plain.tokens.begin(), plain.tokens.end(), session->Tokens().begin()));
  EXPECT_TRUE(SameBits(LastLogits(session.get()), plain.last_logits));

  SamplingParams always_200;
  always_200.logit_bias = {{200, 1000.0F}};
  const auto doomed = NewSession(*opened, Options(40, always_200));
  ASSERT_TRUE(doomed->Append(prompt));
  ASSERT_EQ(doomed->Decode()->token, 200);
  const auto failed = doomed->DecodeWithDrafts(std::vector<int32_t>{200, 200});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(doomed->Tokens().size(), 6U);
}

TEST_F(DraftsTest, Probe_CountsWhatFixedDraftsWouldGive) {
  const std::vector<int32_t> prompt = TestIds(5, 320);
  const auto speculating = NewSession(*opened_, Options(400, {}));
  ASSERT_TRUE(speculating->Append(prompt));
  Speculator speculator(std::make_unique<LookupDrafter>(1, 3, 400),
                        {.most_drafts = 4, .adapt = false});
  const auto plain = NewSession(*opened_, Options(400, {}));
  ASSERT_TRUE(plain->Append(prompt));
  SpeculationProbe probe(std::make_unique<LookupDrafter>(1, 3, 400), 4);
  // Both begin after the first token, which has no drafts. 20 tokens short of the capacity, so that
  // no draft is cut.
  ASSERT_TRUE(speculating->Decode());
  int64_t passes = 0;
  while (speculating->Tokens().size() < 380) {
    ASSERT_TRUE(speculator.Step(speculating.get(), 20));
    ++passes;
  }
  const size_t length = speculating->Tokens().size();
  while (plain->Tokens().size() < length) {
    ASSERT_TRUE(plain->Decode());
    ASSERT_TRUE(probe.Follow(plain->Tokens()));
  }
  SpeculationCounters real = speculating->GetCounters().speculation;
  speculator.AddTo(&real);
  EXPECT_EQ(probe.Counts().passes, static_cast<uint64_t>(passes));
  EXPECT_EQ(probe.Counts().tokens, static_cast<uint64_t>(length - 6));
  EXPECT_EQ(probe.Counts().drafted, real.drafted);
  EXPECT_EQ(probe.Counts().accepted, real.accepted);
  EXPECT_EQ(probe.Counts().drafted_by_ngram, real.drafted_by_ngram);
  EXPECT_EQ(probe.Counts().accepted_by_ngram, real.accepted_by_ngram);
  EXPECT_GT(real.accepted, 100U);  // a tiny model soon loops
}

TEST_F(DraftsTest, EndOfText_IsOnlyEverTheLastChoice) {
  const Plain plain = DecodePlainly(*opened_, {}, TestIds(5, 320), 60);
  const int32_t end = plain.tokens[30];
  const auto session = NewSession(*opened_, Options(60, {}));
  ASSERT_TRUE(session->Append(TestIds(5, 320)));
  Speculator speculator(
      std::make_unique<SpoilingDrafter>(plain, 1.0, SpoilingDrafter::Spoil::kAnything, 1),
      {.most_drafts = 15, .adapt = false, .is_end = [end](int32_t id) { return id == end; }});
  while (session->Tokens().size() < 60) {
    const auto choices = speculator.Step(session.get(), 60);
    ASSERT_TRUE(choices);
    for (size_t i = 0; i + 1 < choices->size(); ++i) EXPECT_NE((*choices)[i].token, end);
  }
}

}  // namespace
}  // namespace headway::parity
