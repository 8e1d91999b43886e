// A decoded token asks for no memory, on any thread. A program of its own: it replaces malloc.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "base/aligned_buffer.h"
#include "count_allocations.h"
#include "model_fixture.h"

namespace headway::parity {
namespace {

TEST(CountAllocationsTest, EveryWayToMemory_IsCounted) {
  if (!CountsAllocations()) GTEST_SKIP() << "a sanitizer's allocator is in use";
  int64_t before = NumAllocations();
  const auto counted = [&] {
    const bool more = NumAllocations() > before;
    before = NumAllocations();
    return more;
  };
  const auto number = std::make_unique<int>(3);
  EXPECT_TRUE(counted()) << *number;
  void* volatile memory = std::malloc(3);
  EXPECT_TRUE(counted());
  std::free(memory);
  const AlignedBuffer small(64);
  EXPECT_TRUE(counted());
  const AlignedBuffer large(size_t{8} << 20);
  EXPECT_TRUE(counted());
  EXPECT_FALSE(counted());
}

struct Case {
  const char* name;
  sampling::SamplingParams sampling;
  bool want_logprobs = false;
};

std::vector<Case> Cases() {
  Case greedy{.name = "greedy", .sampling = {}};
  Case plain{.name = "temperature", .sampling = {}};
  plain.sampling.temperature = 0.8F;
  Case filtered{.name = "all filters", .sampling = {}, .want_logprobs = true};
  filtered.sampling = {
      .temperature = 1.2F, .top_k = 40, .top_p = 0.9F, .min_p = 0.02F, .repeat_penalty = 1.2F};
  filtered.sampling.logit_bias = {{7, -3.0F}, {9, 1.0F}};
  Case top_p{.name = "top-p of the whole vocabulary", .sampling = {}};
  top_p.sampling = {
      .temperature = 1.0F, .top_p = 0.95F, .repeat_penalty = 1.1F, .repeat_last_n = -1};
  Case allowed{.name = "allowed ids", .sampling = {}};
  allowed.sampling.allow_ids = {1, 5, 8, 13};
  return {greedy, plain, filtered, top_p, allowed};
}

// From 50 tokens to 74: new key tiles, and in tiny-phi the LongRoPE border at 64 with its rebuilt
// cache.
TEST(DecodeAllocationTest, EveryTokenAfterTheFirst_AsksForNoMemory) {
  if (!CountsAllocations()) GTEST_SKIP() << "a sanitizer's allocator is in use";
  for (const char* type : {"q4_k_m", "f16"}) {
    const TestModel model("tiny-phi", type);
    const std::string package = model.Pack("1", {"full:3", "certified"});
    struct Way {
      const char* head;
      int threads;
      KvType kv;
    };
    for (const auto& [head, threads, kv] :
         {Way{"full:3", 1, KvType::kF16}, Way{"full:3", 3, KvType::kQ8_0},
          Way{"certified", 2, KvType::kF16}}) {
      const auto opened = OpenPackage(package, {.threads = threads, .head = head});
      for (const Case& test : Cases()) {
        SessionOptions options{.capacity_tokens = 200, .kv = kv, .sampling = test.sampling};
        options.want_logprobs = test.want_logprobs;
        const auto session = NewSession(*opened, options);
        ASSERT_TRUE(session->Append(TestIds(49, 320)));
        ASSERT_TRUE(session->Decode());
        const int64_t before = NumAllocations();
        bool all_decoded = true;
        for (int i = 0; i < 25; ++i) all_decoded = session->Decode().has_value() && all_decoded;
        EXPECT_EQ(NumAllocations() - before, 0)
            << type << ", " << head << ", " << test.name << ", " << threads << " threads";
        EXPECT_TRUE(all_decoded);
        EXPECT_EQ(session->GetCounters().cache_rebuilds, 1U);
      }
    }
  }
}

// Four conversations of different kinds, one of them with drafts, from 50 tokens across the border.
TEST(DecodeAllocationTest, ABatchOfConversations_AsksForNoMemory) {
  if (!CountsAllocations()) GTEST_SKIP() << "a sanitizer's allocator is in use";
  const TestModel model("tiny-phi", "q4_k_m");
  const std::string package = model.Pack("2", {"full:3", "certified"});
  for (const char* head : {"full:3", "certified"}) {
    const auto opened = OpenPackage(package, {.threads = 2, .head = head});
    std::vector<std::unique_ptr<Sequence>> sequences;
    std::vector<BatchRow> rows;
    for (const Case& test : Cases()) {
      SessionOptions options{.capacity_tokens = 200, .sampling = test.sampling};
      options.want_logprobs = test.want_logprobs;
      auto sequence = opened->executor->NewSequence(options);
      ASSERT_TRUE(sequence);
      (*sequence)->AddPrompt(TestIds(49, 320));
      rows.push_back({.sequence = sequence->get()});
      sequences.push_back(*std::move(sequence));
    }
    const std::vector<int32_t> drafts = {5, 7, 9};
    rows[1].drafts = drafts;
    opened->executor->Step(rows);
    const int64_t before = NumAllocations();
    bool all_decoded = true;
    for (int i = 0; i < 25; ++i) {
      opened->executor->Step(rows);
      for (const BatchRow& row : rows) all_decoded = all_decoded && row.choices.has_value();
    }
    EXPECT_EQ(NumAllocations() - before, 0) << head;
    EXPECT_TRUE(all_decoded);
  }
}

// Going back and decoding again must not grow what keeps one entry a step.
TEST(DecodeAllocationTest, MoreStepsThanTheCapacity_AskForNoMemory) {
  if (!CountsAllocations()) GTEST_SKIP() << "a sanitizer's allocator is in use";
  const TestModel model("tiny-phi", "q8_0");
  const auto opened = OpenPackage(model.Pack("2", {"full:1"}));
  const auto session = NewSession(*opened, 16);
  ASSERT_TRUE(session->Append(TestIds(4, 320)));
  ASSERT_TRUE(session->Decode());
  const int64_t before = NumAllocations();
  for (int i = 0; i < 20; ++i) {
    session->Truncate(5);
    for (int step = 0; step < 3; ++step) static_cast<void>(session->Decode().has_value());
  }
  EXPECT_EQ(NumAllocations() - before, 0);
}

}  // namespace
}  // namespace headway::parity
