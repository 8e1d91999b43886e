// The certified head on kinds of text that its recorded texts do not hold: what it reads, and that
// it chooses the full head's tokens. HEADWAY_REPLAY_MODEL names another model file.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
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

TEST(SlowHeldOutKinds, ChoicesAreTheFullHeads) {
  EngineOptions options;
  options.threads = 1;
  options.head = "certified";
  options.cache_directory = BinaryDirectory() + "/held_out_kinds_cache";
  const auto opened = pack::OpenModel(HeldOutModelFile(), options);
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  const OpenedModel& model = **opened;
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

}  // namespace
}  // namespace headway
