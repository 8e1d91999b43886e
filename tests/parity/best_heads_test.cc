// Heads that select where the logits are made: the choices of the full head, in every way of
// running them.

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "model_fixture.h"

namespace headway::parity {
namespace {

constexpr int64_t kLength = 40;

struct Decoded {
  std::vector<int32_t> tokens;
  std::vector<float> logits;  // of the chosen tokens
};

// Decodes with `drafts` guesses a step, half of them the reference's own tokens.
Decoded Decode(const OpenedModel& model, size_t drafts, const Decoded& reference) {
  const auto session = NewSession(model, kLength);
  const int64_t vocab_size = model.pipeline->model().vocab_size;
  EXPECT_TRUE(session->Append(TestIds(7, vocab_size)));
  Decoded decoded;
  while (static_cast<int64_t>(session->Tokens().size()) < kLength) {
    const auto left = static_cast<size_t>(kLength) - session->Tokens().size();
    std::vector<int32_t> guesses(std::min(drafts, left - 1), 3);
    for (size_t i = 0; i < (guesses.size() + 1) / 2; ++i)
      guesses[i] = reference.tokens[decoded.tokens.size() + i];
    const auto choices = session->DecodeWithDrafts(guesses);
    EXPECT_TRUE(choices) << choices.error().message;
    if (!choices) break;
    for (const auto& choice : *choices) {
      decoded.tokens.push_back(choice.token);
      decoded.logits.push_back(choice.logit);
    }
  }
  return decoded;
}

class BestHeads : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(BestHeads, ChooseAsTheFullHead) {
  const TestModel model(GetParam().first, GetParam().second);
  const std::vector<std::string> heads = {"full:3",     "top1:1",     "top1:3",
                                          "blockmax:1", "blockmax:3", "top1:20"};
  const std::string package = model.Pack("2", heads);
  const auto full = OpenPackage(package, {.threads = 1, .head = "full:3"});
  ASSERT_NE(full, nullptr);
  const Decoded expected = Decode(*full, 0, {});
  ASSERT_EQ(expected.tokens.size(), static_cast<size_t>(kLength) - 7);
  for (const std::string& set : InstructionSets()) {
    for (const int threads : {1, 3}) {
      for (const std::string& head : heads) {
        const auto opened =
            OpenPackage(package, {.threads = threads, .instruction_set = set, .head = head});
        ASSERT_NE(opened, nullptr);
        for (const size_t drafts : {0U, 5U}) {
          const Decoded found = Decode(*opened, drafts, expected);
          EXPECT_EQ(found.tokens, expected.tokens) << head << ' ' << set << ' ' << threads;
          EXPECT_TRUE(SameBits(found.logits, expected.logits)) << head << ' ' << set;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, BestHeads,
                         testing::Values(std::pair("tiny-phi", "q8_0"),
                                         std::pair("tiny-phi", "q4_k_m"),
                                         std::pair("tiny-phi", "f16"),
                                         std::pair("tiny-gemma2", "q8_0")));

TEST(BestHeadsTest, LogitsOfBlockmax_AreTheFullHeads_AndTop1HasNone) {
  const TestModel model("tiny-phi", "q4_0");
  const std::string package = model.Pack("2", {"full:2", "blockmax:2", "top1:2"});
  const auto ids = TestIds(9, 320);
  const auto full = OpenPackage(package, {.head = "full:2"});
  const auto blockmax = OpenPackage(package, {.head = "blockmax:2"});
  ASSERT_TRUE(full != nullptr && blockmax != nullptr);
  EXPECT_TRUE(SameBits(TeacherForced(*full, ids), TeacherForced(*blockmax, ids)));
  const auto top1 = OpenPackage(package, {.head = "top1:2"});
  ASSERT_NE(top1, nullptr);
  const auto session = NewSession(*top1, kLength);
  ASSERT_TRUE(session->Append(ids));
  const auto logits = session->Logits();
  ASSERT_FALSE(logits);
  EXPECT_NE(logits.error().message.find("head top1:2"), std::string::npos)
      << logits.error().message;
  EXPECT_TRUE(session->Decode());
  const auto sampled =
      Session::Create(top1->pipeline, top1->pool.get(), top1->kernels->kernels,
                      {.capacity_tokens = kLength, .sampling = {.temperature = 1.0F}});
  ASSERT_FALSE(sampled);
  EXPECT_NE(sampled.error().message.find("greedy"), std::string::npos) << sampled.error().message;
}

}  // namespace
}  // namespace headway::parity
