// What a session promises: interruptions and refused requests leave it usable, a window is
// honoured, and weights that are not numbers never become a token.

#include "engine/session.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "model_fixture.h"
#include "patched_file.h"
#include "reference_logits.h"

namespace headway::parity {
namespace {

class SessionTest : public testing::Test {
 protected:
  std::vector<int32_t> Ids(int64_t count) const {
    return TestIds(count, opened_->pipeline->model().vocab_size);
  }
  std::vector<float> Fresh(std::span<const int32_t> ids) const {
    const auto session = NewSession(*opened_, 512);
    EXPECT_TRUE(session->Append(ids));
    return LastLogits(session.get());
  }

  const TestModel model_{"tiny-llama", "q8_0"};
  const std::unique_ptr<OpenedModel> opened_ = OpenPackage(model_.Pack("1", {"full:2"}));
};

TEST_F(SessionTest, InterruptedPrefill_GoesOnWhereItStopped) {
  std::atomic<bool> cancelled{false};
  SessionOptions options{.capacity_tokens = 512, .sampling = {}};
  options.cancelled_or_null = &cancelled;
  int64_t done_tokens = 0;
  options.progress = [&](const char*, int64_t done, int64_t) {
    done_tokens = done;
    cancelled = true;  // as a signal handler would after the first step
  };
  const auto session = NewSession(*opened_, options);
  const std::vector<int32_t> ids = Ids(400);
  const auto appended = session->Append(ids);
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().code, ErrorCode::kCancelled);
  EXPECT_GT(done_tokens, 0);
  EXPECT_LT(done_tokens, 400);
  EXPECT_EQ(session->Tokens().size(), 400U);
  cancelled = false;
  EXPECT_TRUE(SameBits(LastLogits(session.get()), Fresh(ids)));
}

TEST_F(SessionTest, InterruptedDecode_ChoosesNothingAndGoesOn) {
  std::atomic<bool> cancelled{false};
  SessionOptions options{.capacity_tokens = 64, .sampling = {}};
  options.cancelled_or_null = &cancelled;
  const auto session = NewSession(*opened_, options);
  ASSERT_TRUE(session->Append(Ids(5)));
  ASSERT_TRUE(session->Decode());
  cancelled = true;
  const auto stopped = session->Decode();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(session->Tokens().size(), 6U);
  cancelled = false;
  const auto uninterrupted = NewSession(*opened_, 64);
  ASSERT_TRUE(uninterrupted->Append(Ids(5)));
  ASSERT_TRUE(uninterrupted->Decode());
  EXPECT_EQ(session->Decode()->token, uninterrupted->Decode()->token);
}

TEST_F(SessionTest, IdsOutsideTheVocabulary_AreRefusedAndChangeNothing) {
  const auto session = NewSession(*opened_, 64);
  ASSERT_TRUE(session->Append(Ids(5)));
  EXPECT_EQ(session->Append(std::vector<int32_t>{1, 320}).error().message,
            "token 1: expected an id from 0 to 319, found 320");
  const auto negative =
      session->AppendWithLogits(std::vector<int32_t>{-1}, [](int64_t, std::span<const float>) {});
  EXPECT_EQ(negative.error().message, "token 0: expected an id from 0 to 319, found -1");
  EXPECT_EQ(negative.error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(session->Tokens().size(), 5U);
  EXPECT_TRUE(SameBits(LastLogits(session.get()), Fresh(Ids(5))));
}

TEST_F(SessionTest, Capacity_IsALimitAndNotACrash) {
  const auto create = [&](int64_t capacity) {
    return Session::Create(opened_->pipeline, opened_->pool.get(), opened_->kernels->kernels,
                           {.capacity_tokens = capacity, .sampling = {}});
  };
  EXPECT_EQ(create(0).error().message,
            "sequence: expected 1 to 512 tokens (the model's context), found 0");
  EXPECT_EQ(create(513).error().message,
            "sequence: expected 1 to 512 tokens (the model's context), found 513");
  const auto session = NewSession(*opened_, 6);
  EXPECT_EQ(session->Decode().error().message, "sequence: expected at least one token, found none");
  EXPECT_EQ(session->Logits().error().message, "sequence: expected at least one token, found none");
  ASSERT_TRUE(session->Append(Ids(5)));
  EXPECT_EQ(session->Append(Ids(2)).error().message,
            "sequence: expected at most 6 tokens (model context 512), found 7");
  ASSERT_TRUE(session->Decode());
  EXPECT_EQ(session->Decode().error().message,
            "sequence: expected at most 6 tokens, found 6 and one more");
  const std::vector<int32_t> tokens(session->Tokens().begin(), session->Tokens().end());
  EXPECT_TRUE(SameBits(LastLogits(session.get()), Fresh(tokens)));
}

TEST_F(SessionTest, WholeContext_IsUsable) {
  const auto session = NewSession(*opened_, 512);
  ASSERT_TRUE(session->Append(Ids(511)));
  ASSERT_TRUE(session->Decode());
  EXPECT_EQ(session->Tokens().size(), 512U);
  EXPECT_FALSE(session->Decode());
}

TEST_F(SessionTest, LogitsOnTheWay_ChangeNoToken) {
  const auto plain = NewSession(*opened_, 64);
  const auto curious = NewSession(*opened_, 64);
  ASSERT_TRUE(plain->Append(Ids(9)));
  ASSERT_TRUE(curious->Append(Ids(9)));
  for (int i = 0; i < 8; ++i) {
    LastLogits(curious.get());
    const auto choice = curious->Decode();
    curious->LastLogitsHash();
    EXPECT_EQ(plain->Decode()->token, choice->token);
  }
  EXPECT_EQ(plain->LastLogitsHash(), curious->LastLogitsHash());
}

// tiny-phi's file says how far attention sees; all sequences stay below its LongRoPE border of 64.
TEST(SlidingWindowTest, WindowShorterThanTheSequence_AgreesWithTheStraightLine) {
  const TestModel model("tiny-phi", "f32");
  const std::vector<int32_t> ids = TestIds(60, 320);
  const std::vector<double> whole = StraightLineLogits(model.File(), ids);
  for (const uint32_t window : {1U, 16U, 33U}) {
    PatchU32(model.File(), "phi3.attention.sliding_window", window);
    const std::string package = model.Pack("1", {"full:1"});
    const auto opened = OpenPackage(package);
    ASSERT_EQ(opened->pipeline->model().sliding_window, window);
    const std::vector<float> found = TeacherForced(*opened, ids);
    // 16-bit keys and values are the only rounding of note, as in long_rope_test.cc.
    EXPECT_LT(RelativeError(found, StraightLineLogits(model.File(), ids)), 4 * 0x1p-11) << window;
    EXPECT_GT(RelativeError(found, whole), 0.01) << window;
    for (const std::string& set : InstructionSets()) {
      const auto other = OpenPackage(package, {.threads = 1, .instruction_set = set});
      EXPECT_TRUE(SameBits(TeacherForced(*other, ids, 9), found)) << window << " " << set;
      const auto session = NewSession(*other, 60);
      ASSERT_TRUE(session->Append(ids));
      EXPECT_TRUE(SameBits(LastLogits(session.get()), std::span(found).last(320)))
          << window << " " << set;
    }
  }
}

struct Poison {
  const char* tensor;
  int64_t row;
};

// A NaN anywhere in the weights ends in an error that says where to look, in a prefill and in a
// decode step alike, and never in a token. Rows 0, 256 and 384 of attn_qkv belong to q, k and v; 0
// and 256 of ffn_up to gate and up.
class PoisonTest : public testing::TestWithParam<std::string> {};

TEST_P(PoisonTest, NaNInTheWeights_IsAnErrorAndNeverAToken) {
  const TestModel model("tiny-phi", GetParam());
  std::filesystem::copy_file(model.File(), model.Path("pristine"));
  for (const Poison poison :
       {Poison{"blk.0.attn_norm.weight", 0}, Poison{"blk.1.attn_qkv.weight", 0},
        Poison{"blk.0.attn_qkv.weight", 256}, Poison{"blk.1.attn_qkv.weight", 384},
        Poison{"blk.0.attn_output.weight", 3}, Poison{"blk.1.ffn_norm.weight", 0},
        Poison{"blk.0.ffn_up.weight", 5}, Poison{"blk.1.ffn_up.weight", 256 + 5},
        Poison{"blk.1.ffn_down.weight", 9}, Poison{"output_norm.weight", 0},
        Poison{"token_embd.weight", 200}}) {
    std::filesystem::copy_file(model.Path("pristine"), model.File(),
                               std::filesystem::copy_options::overwrite_existing);
    PoisonRow(model.File(), poison.tensor, poison.row);
    const std::string package = model.Pack("1", {"full:2"});
    for (const std::string& set : InstructionSets()) {
      const auto opened = OpenPackage(package, {.threads = 1, .instruction_set = set});
      for (const int64_t prompt : {1, 5}) {
        const auto session = NewSession(*opened, 64);
        const std::string where =
            std::string(poison.tensor) + ", " + set + ", prompt of " + std::to_string(prompt);
        const auto appended = session->Append(TestIds(prompt, 100));
        const auto choice = session->Decode();
        ASSERT_FALSE(choice) << where;
        EXPECT_EQ(choice.error().code, ErrorCode::kCorrupt) << where;
        EXPECT_EQ(session->Tokens().size(), static_cast<size_t>(prompt)) << where;
        const bool in_head = poison.tensor[0] != 'b';
        EXPECT_EQ(appended.has_value(), in_head) << where;
        const std::string& message = choice.error().message;
        const int layer = poison.tensor[4] - '0';
        const std::string start =
            in_head ? "head "
                    : "layers [" + std::to_string(layer) + ", " + std::to_string(layer + 1) + "): ";
        EXPECT_EQ(message.rfind(start, 0), 0U) << where << ": " << message;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PoisonTest, testing::Values("f32", "q8_0", "q4_k_m"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace headway::parity
