// Several ranks give what one host gives, bit for bit; and say so when one of them is lost.

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "distributed/predict.h"
#include "grammar/compile.h"
#include "ranks_fixture.h"

namespace headway::distributed {
namespace {

using parity::NewSession;

// Seven layers, 1,032 rows: not a whole number of blocks of 16; the rotary factors change at 64.
const parity::TestModel& Model() {
  static const parity::TestModel model("test-phi", "q4_k_m");
  return model;
}
const std::string& Package() {
  static const std::string package = Model().Pack("1", {"full:8", "certified", "reduced:100"});
  return package;
}

SessionOptions Options(float temperature) {
  SessionOptions options{.capacity_tokens = 120, .sampling = {}};
  options.sampling.temperature = temperature;
  options.sampling.seed = 17;
  return options;
}

// Decodes with guesses, some right and some wrong; everything that was chosen, with its logit.
std::vector<std::pair<int32_t, float>> Decode(const OpenedModel& model, SessionOptions options,
                                              bool drafts) {
  const auto session = NewSession(model, std::move(options));
  if (session == nullptr) return {};
  const auto prompt = parity::TestIds(9, model.pipeline->model().vocab_size);
  EXPECT_TRUE(session->Append(prompt));
  std::vector<std::pair<int32_t, float>> chosen;
  std::vector<int32_t> guesses;
  while (chosen.size() < 80 && !session->GrammarIsOver()) {
    const auto choices = session->DecodeWithDrafts(guesses);
    EXPECT_TRUE(choices) << choices.error().message;
    if (!choices) return chosen;
    for (const auto& choice : *choices) chosen.emplace_back(choice.token, choice.logit);
    guesses.clear();
    // The same token again is often right in these models; 7 mostly is not.
    if (drafts) guesses = {chosen.back().first, chosen.back().first, 7};
  }
  return chosen;
}

class RanksTest : public testing::TestWithParam<std::tuple<int, const char*>> {};

TEST_P(RanksTest, TokensAndLogits_AnyHead_EqualOneHost) {
  for (const char* head : {"full:8", "certified", "reduced:100"}) {
    const auto one = parity::OpenPackage(Package(), {.head = head});
    Ranks ranks(std::get<1>(GetParam()), std::get<0>(GetParam()), {Package()}, head);
    ASSERT_NE(ranks.Model(), nullptr) << ranks.Problem();
    for (const float temperature : {0.0F, 0.8F}) {
      for (const bool drafts : {false, true}) {
        SCOPED_TRACE(std::string(head) + " " + std::to_string(temperature));
        EXPECT_EQ(Decode(*one, Options(temperature), drafts),
                  Decode(*ranks.Model(), Options(temperature), drafts));
      }
    }
    SessionOptions filters = Options(0.9F);
    filters.sampling.top_k = 20;
    filters.sampling.top_p = 0.9F;
    filters.sampling.repeat_penalty = 1.2F;
    filters.sampling.logit_bias = {{3, 1.0F}, {900, -2.0F}};
    EXPECT_EQ(Decode(*one, filters, false), Decode(*ranks.Model(), filters, false)) << head;
    SessionOptions nucleus = Options(0.9F);
    nucleus.sampling.top_p = 0.8F;
    EXPECT_EQ(Decode(*one, nucleus, true), Decode(*ranks.Model(), nucleus, true)) << head;
    SessionOptions allowed = Options(0.7F);
    allowed.sampling.allow_ids = {5, 17, 300, 1030};
    EXPECT_EQ(Decode(*one, allowed, false), Decode(*ranks.Model(), allowed, false)) << head;
  }
}

TEST_P(RanksTest, TeacherForced_AnyPieces_EqualBits) {
  const auto one = parity::OpenPackage(Package(), {.head = "full:8"});
  Ranks ranks(std::get<1>(GetParam()), std::get<0>(GetParam()), {Package()}, "full:8");
  ASSERT_NE(ranks.Model(), nullptr) << ranks.Problem();
  const auto ids = parity::TestIds(100, one->pipeline->model().vocab_size);
  for (const int64_t piece : {0, 7}) {
    EXPECT_TRUE(parity::SameBits(parity::TeacherForced(*one, ids, piece),
                                 parity::TeacherForced(*ranks.Model(), ids, piece)));
  }
  EXPECT_TRUE(parity::SameBits(parity::TeacherForced(*one, ids, 0, KvType::kQ8_0),
                               parity::TeacherForced(*ranks.Model(), ids, 0, KvType::kQ8_0)));
}

// Keys and values elsewhere are shared, cut and given back with what happens here.
TEST_P(RanksTest, SharedBeginnings_EqualFreshOnes) {
  Ranks ranks(std::get<1>(GetParam()), std::get<0>(GetParam()), {Package()}, "full:8");
  ASSERT_NE(ranks.Model(), nullptr) << ranks.Problem();
  Executor& executor = *ranks.Model()->executor;
  const auto ids = parity::TestIds(40, ranks.Model()->pipeline->model().vocab_size);
  const auto state_of = [&](Sequence* sequence) {
    EXPECT_TRUE(executor.Read(sequence, sequence->Length(), nullptr));
    return std::vector<float>(sequence->Hidden().begin(), sequence->Hidden().end());
  };
  const auto fresh = executor.NewSequence(Options(0.0F));
  (*fresh)->AddPrompt(ids);
  const std::vector<float> expected = state_of(fresh->get());

  auto first = executor.NewSequence(Options(0.0F));
  (*first)->AddPrompt(std::span(ids).first(30));
  state_of(first->get());
  const auto second = executor.NewSequence(Options(0.0F));
  EXPECT_EQ((*second)->ShareFrom(**first, 25), 25);
  first->reset();
  (*second)->AddPrompt(std::span(ids).subspan(25, 10));
  state_of(second->get());
  (*second)->Truncate(28);
  (*second)->AddPrompt(std::span(ids).subspan(28));
  EXPECT_TRUE(parity::SameBits(expected, state_of(second->get())));
}

TEST_P(RanksTest, Traffic_GreedyStep_IsAsPredicted) {
  for (const char* kind : {"full:8", "certified"}) {
    Ranks ranks(std::get<1>(GetParam()), std::get<0>(GetParam()), {Package()}, kind);
    ASSERT_NE(ranks.Model(), nullptr) << ranks.Problem();
    const auto session = NewSession(*ranks.Model(), Options(0.0F));
    ASSERT_TRUE(session->Append(parity::TestIds(5, 1000)));
    ASSERT_TRUE(session->Decode());
    const auto before = ranks.GetCluster().Sent();
    const uint64_t fallbacks_before = session->GetCounters().head_fallbacks;
    constexpr uint64_t kSteps = 10;
    for (uint64_t i = 0; i < kSteps; ++i) ASSERT_TRUE(session->Decode());
    const auto after = ranks.GetCluster().Sent();
    ASSERT_TRUE(before && after);
    const Traffic counted = *after - *before;
    const Hosts& hosts = ranks.GetCluster().GetHosts();
    const Manifest& manifest = ranks.Model()->pipeline->manifest();
    const Traffic predicted = PredictStep(hosts, manifest, *FindHead(manifest, kind));
    // Where a search gives up, which in a head as small as this some do, the full head runs as well.
    const uint64_t fallbacks = session->GetCounters().head_fallbacks - fallbacks_before;
    const auto others = static_cast<uint64_t>(hosts.HeadParts() - (hosts.HasHead(0) ? 1 : 0));
    const auto state_bytes = static_cast<uint64_t>(manifest.model.hidden_size) * sizeof(float);
    EXPECT_EQ(counted.messages, kSteps * predicted.messages + fallbacks * 2 * others);
    EXPECT_EQ(counted.reductions, kSteps * predicted.reductions);
    const uint64_t sure_bytes = kSteps * predicted.bytes + fallbacks * others * (state_bytes + 69);
    ASSERT_GE(counted.bytes, sure_bytes);
    const uint64_t found_rows = (counted.bytes - sure_bytes) / kFoundRowBytes;
    EXPECT_EQ(counted.bytes, sure_bytes + found_rows * kFoundRowBytes);
    if (kind[0] == 'f') {
      EXPECT_EQ(found_rows, 0U);
    }
    EXPECT_LE(found_rows, kSteps * 1032);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Hosts, RanksTest,
    testing::Values(std::tuple(1, "layers:1,head:1"), std::tuple(2, "layers:1,head:1"),
                    std::tuple(2, "layers:2,head:2"), std::tuple(3, "layers:2,head:3"),
                    std::tuple(4, "layers:2,head:4"), std::tuple(8, "layers:3,head:5"),
                    std::tuple(8, "layers:7,head:8")));

TEST(LostRankTest, Silence_EndsWithItsNameEverywhere) {
  for (const int lost : {1, 2}) {
    Ranks ranks("layers:2,head:2", 3, {Package()}, "certified", std::chrono::milliseconds(400));
    ASSERT_NE(ranks.Model(), nullptr) << ranks.Problem();
    {
      const auto session = NewSession(*ranks.Model(), Options(0.0F));
      ASSERT_TRUE(session->Append(parity::TestIds(5, 1000)));
      ASSERT_TRUE(session->Decode());
      ranks.Silence(lost);
      const auto choice = session->Decode();
      ASSERT_FALSE(choice);
      EXPECT_EQ(choice.error().code, ErrorCode::kIo);
      const std::string name = "lost " + ranks.GetCluster().GetHosts().NameOf(lost);
      EXPECT_NE(choice.error().message.find(name), std::string::npos) << choice.error().message;
      EXPECT_FALSE(session->Decode());
    }
    const std::vector<std::string> said = ranks.End();
    const std::string other = said[static_cast<size_t>(3 - lost)];
    EXPECT_NE(other.find("lost rank " + std::to_string(lost)), std::string::npos) << other;
    EXPECT_NE(said[static_cast<size_t>(lost)].find("lost rank 0"), std::string::npos);
  }
}

TEST(DifferentPackagesTest, AreNamedBeforeAnyWork) {
  static const parity::TestModel other("test-phi", "q8_0");
  Ranks ranks("layers:2,head:2", 2, {Package(), other.Pack("1", {"full:8"})}, "full:8");
  EXPECT_EQ(ranks.Model(), nullptr);
  EXPECT_NE(ranks.Problem().find("rank 1 (layers 2 of 2, head 2 of 2): another model than rank 0"),
            std::string::npos)
      << ranks.Problem();
}

TEST(MissingPackageTest, IsNamedByRank) {
  Ranks ranks("layers:2,head:2", 2, {Package(), Model().Path("nowhere")}, "full:8");
  EXPECT_EQ(ranks.Model(), nullptr);
  EXPECT_NE(ranks.Problem().find("rank 1 (layers 2 of 2, head 2 of 2)"), std::string::npos);
  EXPECT_NE(ranks.Problem().find("nowhere"), std::string::npos) << ranks.Problem();
}

TEST(TooManyPartsTest, AreRefusedByTheirNumber) {
  Ranks ranks("layers:1,head:5", 5, {Model().Pack("7", {"full:4"})}, "full:4");
  EXPECT_EQ(ranks.Model(), nullptr);
  EXPECT_NE(ranks.Problem().find("expected a package of at least 5 shards"), std::string::npos)
      << ranks.Problem();
}

}  // namespace
}  // namespace headway::distributed
