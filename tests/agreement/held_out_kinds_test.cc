// The certified head on kinds of text that its recorded texts do not hold: what it reads, and that
// it chooses the full head's tokens. HEADWAY_REPLAY_MODEL names another model file,
// HEADWAY_REPLAY_CHOICES the number of choices.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/file_writer.h"
#include "engine/full_head.h"
#include "engine/head.h"
#include "engine/run_shards.h"
#include "pack/open_model.h"
#include "test_paths.h"

namespace headway {
namespace {

constexpr size_t kMostTokens = 160;
constexpr size_t kSkippedTokens = 2;

struct KindOfText {
  std::string name;
  std::string text;
};

std::vector<KindOfText> HeldOutKinds() {
  const auto all =
      ReadTextFile(SourceDirectory() + "/tests/agreement/held_out_kinds.txt", 1 << 20).value();
  std::vector<KindOfText> kinds;
  for (size_t begin = all.find("=== "); begin < all.size();) {
    const size_t line_end = all.find('\n', begin);
    const size_t next = std::min(all.find("\n=== ", line_end), all.size() - 1);
    kinds.push_back({.name = all.substr(begin + 4, line_end - begin - 4),
                     .text = all.substr(line_end + 1, next - line_end - 1)});
    begin = next + 1;
  }
  return kinds;
}

std::string HeldOutModelFile() {
  const char* wanted = std::getenv("HEADWAY_REPLAY_MODEL");
  return wanted == nullptr ? SourceDirectory() + "/models/story-12m.gguf" : wanted;
}

Counters NoCountsOf(const OpenedModel& model) {
  Counters counters;
  counters.head_shard_ns.assign(model.pipeline->Head().shards.size(), 0);
  return counters;
}

std::unique_ptr<OpenedModel> OpenHeldOutModel() {
  EngineOptions options;
  options.threads = 1;
  options.head = "certified";
  options.cache_directory = BinaryDirectory() + "/held_out_kinds_cache";
  auto opened = pack::OpenModel(HeldOutModelFile(), options);
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
  return opened ? *std::move(opened) : nullptr;
}

TEST(SlowHeldOutKinds, ChoicesAreTheFullHeads) {
  const auto opened = OpenHeldOutModel();
  ASSERT_NE(opened, nullptr);
  const OpenedModel& model = *opened;
  FullHead full(model.pipeline.get(), model.kernels->kernels, 1);
  const auto certified = MakeHead(model.pipeline.get(), model.pool.get(), model.kernels->kernels);
  ASSERT_TRUE(certified.has_value());
  std::printf("%lld common directions\n%-12s %6s %6s %8s %10s\n",
              static_cast<long long>(model.pipeline->Head().planes->Shape().directions), "kind",
              "tokens", "bytes", "rows", "fallbacks");
  const std::vector<KindOfText> kinds = HeldOutKinds();
  ASSERT_GE(kinds.size(), 20U);
  double shares = 0.0;
  for (const KindOfText& kind : kinds) {
    auto ids = model.tokenizer->Encode(kind.text, {.add_bos = true});
    ASSERT_TRUE(ids.has_value()) << kind.name << ": " << ids.error().message;
    ids->resize(std::min(ids->size(), kMostTokens));
    const std::vector<float> hidden = RunLayers(model.pipeline.get(), *ids).value();
    ChoiceRules rules({.sampling = {}, .certified = {.mode = {}, .may_switch = false}},
                      *model.pipeline, model.kernels->kernels, model.pool.get());
    Counters counters = NoCountsOf(model);
    Counters full_counters = NoCountsOf(model);
    for (size_t t = kSkippedTokens; t < ids->size(); ++t) {
      const float* state =
          hidden.data() + t * static_cast<size_t>(model.pipeline->model().hidden_size);
      const auto history = std::span<const int32_t>(*ids).first(t + 1);
      const HeadState chosen{.rules = &rules, .position = static_cast<int64_t>(t)};
      const HeadStep step{.hidden = state, .states = {&chosen, 1}};
      full.Begin(step, &full_counters);
      const auto expected = full.Choose(0, history, &full_counters);
      (*certified)->Begin(step, &counters);
      const auto found = (*certified)->Choose(0, history, &counters);
      ASSERT_TRUE(found.has_value() && expected.has_value());
      ASSERT_EQ(found->token, expected->token) << kind.name << ", position " << t;
      ASSERT_EQ(found->logit, expected->logit) << kind.name << ", position " << t;
    }
    const auto count = static_cast<double>(ids->size() - kSkippedTokens);
    const double share = static_cast<double>(counters.head_bytes_read) /
                         static_cast<double>(full_counters.head_bytes_read);
    shares += share / static_cast<double>(kinds.size());
    std::printf("%-12s %6.0f %6.3f %8.1f %8.1f %%\n", kind.name.c_str(), count, share,
                static_cast<double>(counters.head_rows_rescored) / count,
                100.0 * static_cast<double>(counters.head_fallbacks) / count);
    std::fflush(stdout);
  }
  std::printf("mean of the kinds: %.3f of the full head's bytes\n", shares);
}

// Windows of all kinds, each behind a token of the vocabulary at random, on which all its states
// depend. One reading of the full head judges all settings; the certified head takes states
// together, as in a batch of conversations, each with a setting of its own.
TEST(SlowHeldOutKinds, ManyChoicesOfEachState) {
  const char* wanted = std::getenv("HEADWAY_REPLAY_CHOICES");
  const int64_t most = wanted == nullptr ? 20000 : std::strtoll(wanted, nullptr, 10);
  const auto opened = OpenHeldOutModel();
  ASSERT_NE(opened, nullptr);
  const OpenedModel& model = *opened;
  const int64_t D = model.pipeline->model().hidden_size;
  const int64_t V = model.pipeline->model().vocab_size;
  const auto certified = MakeHead(model.pipeline.get(), model.pool.get(), model.kernels->kernels);
  ASSERT_TRUE(certified.has_value());
  constexpr int64_t kTogether = 4;
  FullHead full(model.pipeline.get(), model.kernels->kernels, kTogether);

  const std::vector<sampling::SamplingParams> settings = {
      {},
      {.temperature = 1.0F, .seed = 1},
      {.temperature = 0.8F, .seed = 2},
      {.temperature = 0.8F, .top_k = 40, .seed = 3},
      {.temperature = 1.0F, .top_p = 0.95F, .seed = 4}};
  std::vector<std::unique_ptr<ChoiceRules>> rules;
  for (const sampling::SamplingParams& params : settings) {
    rules.push_back(std::make_unique<ChoiceRules>(
        ChoiceOptions{.sampling = params, .certified = {.mode = {}, .may_switch = false}},
        *model.pipeline, model.kernels->kernels, model.pool.get()));
  }
  std::vector<std::vector<int32_t>> texts;
  for (const KindOfText& kind : HeldOutKinds())
    texts.push_back(model.tokenizer->Encode(kind.text, {.add_bos = true}).value());

  std::mt19937 random(7);
  Counters counters = NoCountsOf(model);
  Counters full_counters = NoCountsOf(model);
  std::vector<float> row(static_cast<size_t>(V));
  int64_t done = 0;
  int64_t differences = 0;
  int64_t reported = 0;
  for (size_t window = 0; done < most; ++window) {
    const std::vector<int32_t>& text = texts[window % texts.size()];
    const size_t length = std::min<size_t>(text.size() - 1, 64);
    const size_t first = 1 + random() % (text.size() - length);
    std::vector<int32_t> ids = {text.front(),
                                static_cast<int32_t>(random() % static_cast<uint32_t>(V))};
    ids.insert(ids.end(), text.begin() + static_cast<std::ptrdiff_t>(first),
               text.begin() + static_cast<std::ptrdiff_t>(first + length));
    const std::vector<float> hidden = RunLayers(model.pipeline.get(), ids).value();
    for (size_t t = 2; t + kTogether <= ids.size() && done < most; t += kTogether) {
      const float* states = hidden.data() + static_cast<int64_t>(t) * D;
      const auto logits = full.Logits(states, kTogether, static_cast<int64_t>(t), &full_counters);
      ASSERT_TRUE(logits.has_value()) << logits.error().message;
      for (size_t s = 0; s < settings.size(); ++s) {
        std::vector<HeadState> chosen(kTogether);
        for (size_t i = 0; i < kTogether; ++i) {
          chosen[i] = {.rules = rules[(s + i) % rules.size()].get(),
                       .position = static_cast<int64_t>(window * 100 + t + i)};
        }
        (*certified)->Begin({.hidden = states, .states = chosen}, &counters);
        for (size_t i = 0; i < kTogether; ++i, ++done) {
          const auto history = std::span<const int32_t>(ids).first(t + i + 1);
          const auto found = (*certified)->Choose(static_cast<int64_t>(i), history, &counters);
          ASSERT_TRUE(found.has_value()) << found.error().message;
          const auto mine = logits->subspan(i * static_cast<size_t>(V), static_cast<size_t>(V));
          std::copy(mine.begin(), mine.end(), row.begin());
          const auto expected = chosen[i].rules->sampler.Sample(
              row, static_cast<uint64_t>(chosen[i].position), history);
          differences += found->token == expected.token && found->logit == expected.logit ? 0 : 1;
        }
      }
    }
    if (done - reported >= 50000) {
      reported = done;
      std::printf("%lld choices, %lld differences\n", static_cast<long long>(done),
                  static_cast<long long>(differences));
      std::fflush(stdout);
    }
  }
  EXPECT_EQ(differences, 0);
  std::printf(
      "%lld choices of %zu kinds and %zu settings: %lld differences, %.1f rows exact, %.2f %% "
      "fallbacks\n",
      static_cast<long long>(done), texts.size(), settings.size(),
      static_cast<long long>(differences),
      static_cast<double>(counters.head_rows_rescored) / static_cast<double>(done),
      100.0 * static_cast<double>(counters.head_fallbacks) / static_cast<double>(done));
}

}  // namespace
}  // namespace headway
