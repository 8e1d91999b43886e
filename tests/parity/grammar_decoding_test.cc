// Decoding under a grammar against the plain way: all logits, then everything that is not allowed
// set to -infinity. Rows that are not computed, heads that are not run and drafts change no token.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "engine/drafter.h"
#include "engine/speculator.h"
#include "grammar/compile.h"
#include "grammar/token_grammar.h"
#include "model_fixture.h"

namespace headway::parity {
namespace {

using grammar::Automaton;
using grammar::TokenGrammar;
using grammar::TokenTrie;

constexpr int64_t kVocab = 320;
constexpr int32_t kEnd = 319;

// Token 1 + b is the byte b; some words behind; 0 and 319 are no text, 319 ends one.
std::shared_ptr<const TokenTrie> Trie() {
  std::vector<std::string> tokens(kVocab);
  for (size_t byte = 0; byte < 256; ++byte)
    tokens[1 + byte] = std::string(1, static_cast<char>(byte));
  const std::vector<std::string> words = {"{\"",  "\":", "\",\"", "name", "na",
                                          "true", "fal", "},{",   "  ",   "[[",
                                          "]]",   "12",  "ab",    "abc",  "\xc3\xa9"};
  std::copy(words.begin(), words.end(), tokens.begin() + 257);
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  return std::make_shared<const TokenTrie>(views, std::vector<int32_t>{kEnd});
}

std::shared_ptr<const Automaton> Compile(const std::string& text) {
  const auto automaton =
      text.front() == '{' ? grammar::CompileJsonSchema(text) : grammar::CompileGbnf(text);
  EXPECT_TRUE(automaton) << automaton.error().message;
  return *automaton;
}

const std::vector<std::string>& Grammars() {
  static const std::vector<std::string> grammars = {
      R"({"properties": {"name": {"type": "string", "maxLength": 6}, "ok": {"type": "boolean"},
          "list": {"items": {"enum": ["ab", 12]}, "minItems": 2, "maxItems": 4}},
          "required": ["name", "ok", "list"]})",
      "root ::= \"abcabc\" (\"x\" | \"y\"){3,9} \"the end\" | [a-c]{40,60} \"!\"",
      "root ::= [^a]{30}",  // many allowed
  };
  return grammars;
}

SessionOptions Options(const SamplingParams& sampling, const std::string& grammar) {
  SessionOptions options{.capacity_tokens = 120, .sampling = sampling};
  options.grammar = Compile(grammar);
  options.trie = Trie();
  return options;
}

std::vector<SamplingParams> Samplings() {
  std::vector<SamplingParams> all(1);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SamplingParams sampled;
    sampled.temperature = 2.0F;
    sampled.seed = seed;
    if (seed == 2) sampled.top_k = 5;
    if (seed == 3) sampled.top_p = 0.8F;
    if (seed == 4) sampled.repeat_penalty = 1.5F;
    if (seed == 5) sampled.logit_bias = {{1 + 'b', -INFINITY}, {1 + 'c', 3.0F}};
    all.push_back(sampled);
  }
  return all;
}

// The slow way.
std::vector<int32_t> DecodeByMask(const OpenedModel& model, const SamplingParams& sampling,
                                  const std::string& grammar, std::span<const int32_t> prompt) {
  std::vector<uint64_t> banned(kVocab / 64, 0);
  for (const auto& [id, bias] : sampling.logit_bias) {
    if (std::isinf(bias)) banned[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
  }
  TokenGrammar masks(Compile(grammar), Trie(), banned, kVocab);
  auto at = masks.Start();
  sampling::Sampler sampler(sampling, kVocab, model.kernels->kernels, *model.pool);
  const auto session = NewSession(model, 120);
  EXPECT_TRUE(session->Append(prompt));
  while (session->Tokens().size() < 120) {
    std::vector<float> logits = LastLogits(session.get());
    const auto mask = masks.MaskAt(at);
    if (!mask) break;
    const auto choice =
        sampler.Sample(logits, session->Tokens().size(), session->Tokens(), false, (*mask)->bits);
    EXPECT_TRUE((*mask)->Allows(choice.token));
    EXPECT_TRUE(session->Append(std::vector<int32_t>{choice.token}));
    at = masks.After(at, choice.token);
    if (choice.token == kEnd) break;
  }
  const auto tokens = session->Tokens().subspan(prompt.size());
  return {tokens.begin(), tokens.end()};
}

class GrammarDecodingTest : public testing::TestWithParam<const char*> {
 protected:
  const TestModel model_{GetParam(), "q8_0"};
};

TEST_P(GrammarDecodingTest, Tokens_AreThoseOfMaskedLogits) {
  const std::string package = model_.Pack("1", {"full:1", "full:3", "certified", "reduced:40"});
  const std::vector<int32_t> prompt = TestIds(9, kVocab);
  uint64_t forced = 0;
  for (const char* head : {"full:1", "full:3", "certified", "reduced:40"}) {
    const auto opened = OpenPackage(package, {.threads = 1, .instruction_set = "", .head = head});
    for (const std::string& grammar : Grammars()) {
      for (const SamplingParams& sampling : Samplings()) {
        const std::vector<int32_t> expected = DecodeByMask(*opened, sampling, grammar, prompt);
        // Plain, with log-probabilities (all rows, no head left out), and with drafts that are
        // often right, often wrong, and sometimes not allowed.
        for (const int way : {0, 1, 2, 3}) {
          SessionOptions options = Options(sampling, grammar);
          options.want_logprobs = way == 1;
          const auto session = NewSession(*opened, options);
          ASSERT_TRUE(session->Append(prompt));
          std::mt19937 random(7);
          std::vector<int32_t> found;
          while (found.size() < expected.size()) {
            std::vector<int32_t> drafts;
            for (size_t i = found.size(); way >= 2 && i < found.size() + 5 && i < expected.size();
                 ++i) {
              const bool right = random() % 4 != 0;
              drafts.push_back(right ? expected[i] : static_cast<int32_t>(random() % kVocab));
            }
            const auto choices = session->DecodeWithDrafts(drafts);
            ASSERT_TRUE(choices) << choices.error().message;
            for (const auto& choice : *choices) found.push_back(choice.token);
          }
          found.resize(expected.size());
          ASSERT_EQ(found, expected)
              << head << ", seed " << sampling.seed << ", way " << way << "\n"
              << grammar;
          const Counters& c = session->GetCounters();
          forced += c.forced_tokens;
          EXPECT_TRUE(way != 1 || c.forced_tokens == 0);
          EXPECT_EQ(c.head_skipped, prompt.size() - 1 + c.forced_tokens);
        }
      }
    }
  }
  EXPECT_GT(forced, 100U);
}

TEST_P(GrammarDecodingTest, Lookup_WorksWithGrammars) {
  const auto opened = OpenPackage(model_.Pack("2", {"full:2"}));
  const std::vector<int32_t> prompt = TestIds(9, kVocab);
  const SamplingParams greedy;
  const std::vector<int32_t> expected = DecodeByMask(*opened, greedy, Grammars()[1], prompt);
  const auto session = NewSession(*opened, Options(greedy, Grammars()[1]));
  ASSERT_TRUE(session->Append(prompt));
  Speculator speculator(std::make_unique<LookupDrafter>(1, 3, 120),
                        {.most_drafts = 7, .adapt = false});
  while (session->Tokens().size() < prompt.size() + expected.size())
    ASSERT_TRUE(speculator.Step(session.get(), 8));
  const auto found = session->Tokens().subspan(prompt.size());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), found.begin()));
}

INSTANTIATE_TEST_SUITE_P(Models, GrammarDecodingTest,
                         testing::Values("tiny-phi", "tiny-llama", "tiny-gemma2"),
                         [](const auto& test) { return std::string(test.param).substr(5); });

class GrammarSessionTest : public testing::Test {
 protected:
  const TestModel model_{"tiny-llama", "q8_0"};
  const std::unique_ptr<OpenedModel> opened_ = OpenPackage(model_.Pack("1", {"full:2"}));
};

TEST_F(GrammarSessionTest, FewAllowedTokens_ComputeFewRows) {
  const auto session = NewSession(*opened_, Options({}, "root ::= [xy]{20}"));
  ASSERT_TRUE(session->Append(TestIds(5, kVocab)));
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(session->Decode());
  EXPECT_EQ(session->GetCounters().steps, 8U);
  EXPECT_EQ(session->GetCounters().head_rows_computed, 8U * 16);
}

TEST_F(GrammarSessionTest, CertifiedHeads_ScreenWhatAGrammarAllows) {
  const auto opened = OpenPackage(model_.Pack("1", {"certified"}));
  const auto session = NewSession(*opened, Options({}, Grammars()[2]));  // nearly all are allowed
  ASSERT_TRUE(session->Append(TestIds(5, kVocab)));
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(session->Decode());
  const Counters& c = session->GetCounters();
  EXPECT_EQ(c.steps, 8U);
  EXPECT_EQ(c.head_rows_screened, 8U * kVocab);
  EXPECT_EQ(c.head_rows_computed, c.head_fallbacks * kVocab);
}

TEST_F(GrammarSessionTest, ForcedTokens_RunNothing) {
  // No word of the vocabulary begins with t, h, i or s but "true": one byte at a time, no choice.
  const auto session = NewSession(*opened_, Options({}, "root ::= \"this is it\" [xy]"));
  ASSERT_TRUE(session->Append(TestIds(5, kVocab)));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(session->Decode());
  EXPECT_EQ(session->GetCounters().steps, 0U);
  EXPECT_EQ(session->GetCounters().forced_tokens, 10U);
  ASSERT_TRUE(session->Decode());  // x or y: the layers catch up in one reading
  EXPECT_EQ(session->GetCounters().steps, 1U);
  EXPECT_EQ(session->Decode()->token, kEnd);
  const auto after = session->Decode();
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().message, "grammar: expected a text that goes on, found its end");
}

TEST_F(GrammarSessionTest, NothingAllowed_IsAnErrorAndChangesNothing) {
  SamplingParams no_b;
  no_b.logit_bias = {{1 + 'b', -INFINITY}};
  const auto session = NewSession(*opened_, Options(no_b, "root ::= [xy] \"b\""));
  ASSERT_TRUE(session->Append(TestIds(5, kVocab)));
  ASSERT_TRUE(session->Decode());
  const std::vector<float> before = LastLogits(session.get());
  for (int i = 0; i < 2; ++i) {
    const auto choice = session->DecodeWithDrafts(std::vector<int32_t>{1 + 'b'});
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().code, ErrorCode::kInvalidInput);
    EXPECT_EQ(choice.error().message,
              "grammar: expected a token that may come next, found none in the vocabulary");
  }
  EXPECT_EQ(session->Tokens().size(), 6U);
  EXPECT_TRUE(SameBits(LastLogits(session.get()), before));
  // A new prompt begins a new text.
  ASSERT_TRUE(session->Append(TestIds(3, kVocab)));
  const int32_t token = session->Decode()->token;
  EXPECT_TRUE(token == 1 + 'x' || token == 1 + 'y');
}

// Whatever the budget, from the shortest text on: complete, and with room as without a budget.
TEST_F(GrammarSessionTest, FinishWithinCapacity_EndsTheText) {
  const std::vector<int32_t> prompt = TestIds(5, kVocab);
  for (const std::string& text : {Grammars()[0], Grammars()[1]}) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      SamplingParams sampling;
      sampling.temperature = 2.0F;
      sampling.seed = seed;
      int64_t complete_from = 0;
      for (int64_t budget = 1; budget < 90; budget += budget < 60 ? 1 : 7) {
        std::vector<std::vector<int32_t>> found;
        for (const bool with_drafts : {false, true}) {
          SessionOptions options = Options(sampling, text);
          options.capacity_tokens = static_cast<int64_t>(prompt.size()) + budget;
          options.finish_within_capacity = true;
          const auto session = NewSession(*opened_, options);
          ASSERT_TRUE(session->Append(prompt));
          std::mt19937 random(7);
          while (static_cast<int64_t>(session->Tokens().size()) < options.capacity_tokens &&
                 session->Tokens().back() != kEnd) {
            const auto length = static_cast<int64_t>(session->Tokens().size());
            std::vector<int32_t> drafts;
            while (with_drafts && static_cast<int64_t>(drafts.size()) < 4 &&
                   length + 1 + static_cast<int64_t>(drafts.size()) < options.capacity_tokens) {
              const auto at =
                  static_cast<size_t>(length - static_cast<int64_t>(prompt.size())) + drafts.size();
              drafts.push_back(at < found[0].size() && random() % 4 != 0
                                   ? found[0][at]
                                   : static_cast<int32_t>(random() % kVocab));
            }
            const auto choices = session->DecodeWithDrafts(drafts);
            ASSERT_TRUE(choices) << choices.error().message;
            if (session->Tokens().back() == kEnd) break;
          }
          const auto tokens = session->Tokens().subspan(prompt.size());
          found.emplace_back(tokens.begin(), tokens.end());
          if (session->TextIsComplete() && complete_from == 0) complete_from = budget;
          ASSERT_EQ(session->TextIsComplete(), complete_from > 0) << text << ", budget " << budget;
        }
        ASSERT_EQ(found[0], found[1]) << "with drafts, budget " << budget;
      }
      EXPECT_GT(complete_from, 1);
      EXPECT_LT(complete_from, 60);
    }
  }
}

TEST_F(GrammarSessionTest, Truncate_GoesBackInTheText) {
  const auto session = NewSession(*opened_, Options({}, "root ::= [pq] [rs] [tu] [vw]"));
  ASSERT_TRUE(session->Append(TestIds(5, kVocab)));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(session->Decode());
  const std::vector<int32_t> tokens(session->Tokens().begin(), session->Tokens().end());
  for (const int64_t length : {7, 6, 5}) {
    session->Truncate(length);
    while (session->Tokens().size() < 9) ASSERT_TRUE(session->Decode());
    EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), session->Tokens().begin())) << length;
  }
}

}  // namespace
}  // namespace headway::parity
