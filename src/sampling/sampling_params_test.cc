#include "sampling/sampling_params.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace headway::sampling {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::string MessageFor(const SamplingParams& params) {
  const Result<void> result = Validate(params, 100);
  if (result) return "";
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidInput);
  return result.error().message;
}

TEST(SamplingParams, Defaults_AreValid) { EXPECT_EQ(MessageFor({}), ""); }

TEST(SamplingParams, EdgesOfEveryRange_AreValid) {
  EXPECT_EQ(MessageFor({.temperature = 1e-6F, .top_k = 1000, .top_p = 1e-9F, .min_p = 1.0F}), "");
  EXPECT_EQ(MessageFor({.repeat_penalty = 0.5F, .repeat_last_n = -1}), "");
  EXPECT_EQ(MessageFor({.logit_bias = {{99, -kInfinity}}, .allow_ids = {0, 99}}), "");
}

TEST(SamplingParams, NonsenseNumbers_AreNamedWithWhatWasExpected) {
  EXPECT_EQ(MessageFor({.temperature = -1.0F}),
            "sampling: temperature: expected 0 (greedy) or a positive finite number, found -1");
  EXPECT_EQ(MessageFor({.temperature = kNan}),
            "sampling: temperature: expected 0 (greedy) or a positive finite number, found nan");
  EXPECT_EQ(MessageFor({.top_k = -3}),
            "sampling: top-k: expected 0 (off) or a positive count, found -3");
  EXPECT_EQ(MessageFor({.top_p = 0.0F}),
            "sampling: top-p: expected a number above 0 and at most 1 (off), found 0");
  EXPECT_EQ(MessageFor({.min_p = 1.5F}),
            "sampling: min-p: expected a number from 0 (off) to 1, found 1.5");
  EXPECT_EQ(MessageFor({.repeat_penalty = 0.0F}),
            "sampling: repeat-penalty: expected a positive finite number (1: off), found 0");
  EXPECT_EQ(MessageFor({.presence_penalty = kNan}),
            "sampling: presence-penalty: expected a finite number (0: off), found nan");
  EXPECT_NE(MessageFor({.frequency_penalty = kInfinity}), "");
  EXPECT_NE(MessageFor({.temperature = kInfinity}), "");
  EXPECT_NE(MessageFor({.top_p = kNan}), "");
  EXPECT_NE(MessageFor({.top_p = 1.01F}), "");
  EXPECT_NE(MessageFor({.min_p = -0.1F}), "");
  EXPECT_NE(MessageFor({.repeat_penalty = kNan}), "");
  EXPECT_NE(MessageFor({.repeat_last_n = -2}), "");
}

TEST(SamplingParams, IdsOutsideTheVocabulary_AreRefused) {
  EXPECT_EQ(MessageFor({.logit_bias = {{100, 1.0F}}}),
            "sampling: logit-bias: expected token ids from 0 to 99, found 100");
  EXPECT_EQ(MessageFor({.allow_ids = {3, -1}}),
            "sampling: allow-ids: expected token ids from 0 to 99, found -1");
  EXPECT_EQ(MessageFor({.logit_bias = {{7, kInfinity}}}),
            "sampling: logit-bias: expected a finite number or -inf for token 7, found inf");
}

TEST(SamplingParams, NothingLeftToSample_IsRefused) {
  EXPECT_EQ(MessageFor({.logit_bias = {{4, -kInfinity}}, .allow_ids = {4, 4}}),
            "sampling: allow-ids: expected at least one token that may be sampled, found none: "
            "a bias of -inf bans every one");
}

}  // namespace
}  // namespace headway::sampling
