// Conversations that begin alike share the keys and values of their beginning, and get what each
// would get by itself, bit for bit, whatever the others do with theirs and however long they live.

#include <gtest/gtest.h>

#include <memory>

#include "engine/executor.h"
#include "model_fixture.h"

namespace headway::parity {
namespace {

constexpr int64_t kPrefixVocab = 320;
constexpr int64_t kSharedCapacity = 420;

class SharedPrefixes : public testing::TestWithParam<KvType> {
 protected:
  void SetUp() override {
    model_ = std::make_unique<TestModel>("tiny-llama", "q8_0");
    opened_ = OpenPackage(model_->Pack("2", {"full:2"}), {.threads = 2});
    ASSERT_NE(opened_, nullptr);
  }

  std::unique_ptr<Sequence> NewSequence(int64_t capacity = kSharedCapacity) {
    return NewSequence(capacity, GetParam());
  }
  std::unique_ptr<Sequence> NewSequence(int64_t capacity, KvType kv) {
    SessionOptions options;
    options.capacity_tokens = capacity;
    options.kv = kv;
    auto sequence = opened_->executor->NewSequence(std::move(options));
    EXPECT_TRUE(sequence) << sequence.error().message;
    return *std::move(sequence);
  }

  // Tokens from `variant` on differ from those of other variants.
  static std::vector<int32_t> Prompt(int64_t length, int64_t common, int32_t variant) {
    std::vector<int32_t> ids = TestIds(length, kPrefixVocab);
    for (auto i = static_cast<size_t>(common); i < ids.size(); ++i)
      ids[i] = (ids[i] + variant) % kPrefixVocab;
    return ids;
  }

  // What comes next: `count` tokens and the last hidden state.
  std::vector<float> Decode(Sequence* sequence, int count) {
    std::vector<float> found;
    for (int i = 0; i < count; ++i) {
      BatchRow row{.sequence = sequence};
      opened_->executor->Step({&row, 1});
      EXPECT_TRUE(row.choices) << row.choices.error().message;
      if (!row.choices) return found;
      for (const Sequence::Choice& choice : *row.choices) {
        found.push_back(static_cast<float>(choice.token));
        found.push_back(choice.logit);
      }
    }
    found.insert(found.end(), sequence->Hidden().begin(), sequence->Hidden().end());
    return found;
  }

  std::vector<float> Alone(const std::vector<int32_t>& prompt, int count) {
    const auto sequence = NewSequence();
    sequence->AddPrompt(prompt);
    return Decode(sequence.get(), count);
  }

  std::unique_ptr<TestModel> model_;
  std::unique_ptr<OpenedModel> opened_;
};

TEST_P(SharedPrefixes, GiveWhatEachConversationGetsAlone) {
  for (const int64_t common : {1, 2, 31, 127, 128, 129, 255, 256, 300}) {
    SCOPED_TRACE(testing::Message() << common << " tokens in common");
    const std::vector<int32_t> first_prompt = Prompt(common + 70, common, 1);
    const std::vector<int32_t> second_prompt = Prompt(common + 5, common, 2);
    auto first = NewSequence();
    first->AddPrompt(first_prompt);
    const std::vector<float> before = Decode(first.get(), 3);
    auto second = NewSequence();
    ASSERT_EQ(second->ShareFrom(*first, common), common);
    second->AddPrompt(std::span(second_prompt).subspan(static_cast<size_t>(common)));
    // Both go on, in turns; then the older one ends.
    std::vector<float> of_second = Decode(second.get(), 2);
    const std::vector<float> of_first = Decode(first.get(), 2);
    first.reset();
    const std::vector<float> rest = Decode(second.get(), 3);
    EXPECT_EQ(before, Alone(first_prompt, 3));
    EXPECT_EQ(of_second, Alone(second_prompt, 2));
    const auto whole = NewSequence();
    whole->AddPrompt(first_prompt);
    Decode(whole.get(), 3);
    EXPECT_EQ(of_first, Decode(whole.get(), 2));
    const auto other = NewSequence();
    other->AddPrompt(second_prompt);
    Decode(other.get(), 2);
    EXPECT_EQ(rest, Decode(other.get(), 3));
  }
}

// A page that is shared is copied before one of its users writes into it again.
TEST_P(SharedPrefixes, ATruncatedConversationLeavesTheOthersAlone) {
  const std::vector<int32_t> prompt = Prompt(200, 200, 0);
  const auto first = NewSequence();
  first->AddPrompt(prompt);
  Decode(first.get(), 1);
  const auto second = NewSequence();
  ASSERT_EQ(second->ShareFrom(*first, 180), 180);
  first->Truncate(20);
  first->AddPrompt(Prompt(100, 0, 7));
  Decode(first.get(), 4);
  second->AddPrompt(std::span(prompt).subspan(180));
  EXPECT_EQ(Decode(second.get(), 5), Alone(prompt, 5));
}

TEST_P(SharedPrefixes, TakeWhatThereIsAndFits) {
  const auto first = NewSequence();
  const auto empty = NewSequence();
  EXPECT_EQ(empty->ShareFrom(*first, 10), 0);
  first->AddPrompt(Prompt(50, 50, 0));
  EXPECT_EQ(empty->ShareFrom(*first, 10), 0);  // the layers saw nothing yet
  Decode(first.get(), 1);
  EXPECT_EQ(empty->ShareFrom(*first, 1000), 50);
  EXPECT_EQ(NewSequence(30)->ShareFrom(*first, 1000), 30);
  const KvType other = GetParam() == KvType::kF16 ? KvType::kQ8_0 : KvType::kF16;
  EXPECT_EQ(NewSequence(100, other)->ShareFrom(*first, 20), 0);
}

INSTANTIATE_TEST_SUITE_P(KvTypes, SharedPrefixes, testing::Values(KvType::kF16, KvType::kQ8_0),
                         [](const auto& type) { return std::string(ToString(type.param)); });

}  // namespace
}  // namespace headway::parity
