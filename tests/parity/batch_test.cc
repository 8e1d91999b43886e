// Conversations that run in batches get what each gets alone, bit for bit: tokens, logits,
// log-probabilities and hidden states, whatever the others are, however long, and wherever they
// stand.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>

#include "engine/executor.h"
#include "grammar/compile.h"
#include "model_fixture.h"

namespace headway::parity {
namespace {

using Choice = Sequence::Choice;

constexpr int64_t kBatchVocab = 320;
constexpr int64_t kBatchCapacity = 110;

// Token 1 + b is the byte b; 319 ends a text.
std::shared_ptr<const grammar::TokenTrie> BytesTrie() {
  std::vector<std::string> tokens(kBatchVocab);
  for (size_t byte = 0; byte < 256; ++byte)
    tokens[1 + byte] = std::string(1, static_cast<char>(byte));
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  return std::make_shared<const grammar::TokenTrie>(views, std::vector<int32_t>{319});
}

// How one conversation of a batch decodes.
struct Conversation {
  SessionOptions options;
  std::vector<int32_t> prompt;
  int64_t num_tokens = 0;  // to choose
  bool drafts = false;
};

struct Outcome {
  std::vector<int32_t> tokens;
  std::vector<float> numbers;  // logit and log-probability of each choice
  std::vector<float> hidden;   // the last state
};

class Batches : public testing::TestWithParam<const char*> {
 protected:
  void Open(const char* type, int threads) {
    model_ = std::make_unique<TestModel>("tiny-phi", type);
    const std::vector<std::string> heads = {"full:3", "blockmax:2", "top1:2", "certified"};
    opened_ = OpenPackage(model_->Pack("2", heads), {.threads = threads, .head = GetParam()});
    ASSERT_NE(opened_, nullptr);
  }

  Conversation Draw() {
    Conversation drawn;
    SessionOptions& options = drawn.options;
    options.capacity_tokens = kBatchCapacity - static_cast<int64_t>(random_() % 10);
    options.sampling.seed = random_();
    const bool greedy_only = std::string(GetParam()).rfind("top1", 0) == 0;
    const auto kind = greedy_only ? 0 : random_() % 7;
    if (kind >= 1) options.sampling.temperature = 1.5F;
    if (kind == 2) options.sampling.top_k = 7;
    if (kind == 3) options.sampling.repeat_penalty = 1.3F;
    if (kind == 4) options.sampling.allow_ids = {3, 77, 130, 200};
    if (kind == 5) options.want_logprobs = true;
    if (kind == 6) {
      const char* const texts[] = {"root ::= \"abcabc\" [x-z]{40,60}", "root ::= [^a]{60}"};
      options.grammar = *grammar::CompileGbnf(texts[random_() % 2]);
      options.trie = trie_;
    }
    if (random_() % 4 == 0) options.kv = KvType::kQ8_0;
    if (random_() % 3 == 0)
      options.certified.mode.deterministic = std::string(GetParam()) == "certified";
    // Some cross the border at 64 at which the rotary factors change.
    drawn.prompt = TestIds(1 + static_cast<int64_t>(random_() % 60), kBatchVocab);
    for (int32_t& id : drawn.prompt) id = (id + static_cast<int32_t>(random_() % 5)) % kBatchVocab;
    drawn.num_tokens = 4 + static_cast<int64_t>(random_() % 16);
    // A token that a grammar forces has no logit alone, but one where it follows a draft.
    drawn.drafts = options.grammar == nullptr && random_() % 3 == 0;
    return drawn;
  }

  std::unique_ptr<Sequence> Begin(const Conversation& conversation) {
    auto sequence = opened_->executor->NewSequence(conversation.options);
    EXPECT_TRUE(sequence) << sequence.error().message;
    (*sequence)->AddPrompt(conversation.prompt);
    return *std::move(sequence);
  }

  Outcome Alone(const Conversation& conversation) {
    const auto session = Session::Create(opened_->executor, conversation.options);
    EXPECT_TRUE(session && (*session)->Append(conversation.prompt));
    Outcome outcome;
    for (int64_t i = 0; i < conversation.num_tokens; ++i) {
      const auto choice = (*session)->Decode();
      EXPECT_TRUE(choice) << choice.error().message;
      if (!choice) break;
      Note(*choice, &outcome);
    }
    const std::span<const float> hidden = (*session)->HiddenState();
    outcome.hidden.assign(hidden.begin(), hidden.end());
    return outcome;
  }

  static void Note(const Choice& choice, Outcome* outcome) {
    outcome->tokens.push_back(choice.token);
    outcome->numbers.push_back(choice.logit);
    outcome->numbers.push_back(choice.logprob);
  }

  // The tokens that come next, one of them wrong now and then.
  std::vector<int32_t> Drafts(const Conversation& conversation, const Outcome& expected,
                              size_t done) {
    if (!conversation.drafts || done + 2 > expected.tokens.size()) return {};
    const size_t left = expected.tokens.size() - done - 1;
    const size_t count = std::min<size_t>(random_() % 6, left);
    const auto from = expected.tokens.begin() + static_cast<std::ptrdiff_t>(done);
    std::vector<int32_t> drafts(from, from + static_cast<std::ptrdiff_t>(count));
    if (count > 0 && random_() % 3 == 0) drafts[random_() % count] ^= 1;
    return drafts;
  }

  void Compare(const std::vector<Conversation>& conversations) {
    std::vector<Outcome> expected;
    std::vector<Outcome> found(conversations.size());
    std::vector<std::unique_ptr<Sequence>> sequences;
    for (const Conversation& conversation : conversations) {
      expected.push_back(Alone(conversation));
      sequences.push_back(Begin(conversation));
    }
    for (;;) {
      std::vector<BatchRow> rows;
      std::vector<size_t> who;
      std::vector<std::vector<int32_t>> drafts;
      bool all_done = true;
      for (size_t i = 0; i < conversations.size(); ++i) {
        if (found[i].tokens.size() >= expected[i].tokens.size()) continue;
        all_done = false;
        if (random_() % 5 == 0) continue;  // pauses
        who.push_back(i);
        drafts.push_back(Drafts(conversations[i], expected[i], found[i].tokens.size()));
        rows.push_back({.sequence = sequences[i].get()});
      }
      if (all_done) break;
      for (size_t r = 0; r < rows.size(); ++r) rows[r].drafts = drafts[r];
      opened_->executor->Step(rows);
      for (size_t r = 0; r < rows.size(); ++r) {
        ASSERT_TRUE(rows[r].choices) << rows[r].choices.error().message;
        ASSERT_FALSE(rows[r].choices->empty());
        for (const Choice& choice : *rows[r].choices) Note(choice, &found[who[r]]);
      }
    }
    for (size_t i = 0; i < conversations.size(); ++i) {
      const std::span<const float> hidden = sequences[i]->Hidden();
      EXPECT_EQ(found[i].tokens, expected[i].tokens) << i;
      EXPECT_TRUE(SameBits(found[i].numbers, expected[i].numbers)) << i;
      EXPECT_TRUE(SameBits(hidden, expected[i].hidden)) << i;
    }
  }

  std::unique_ptr<TestModel> model_;
  std::unique_ptr<OpenedModel> opened_;
  const std::shared_ptr<const grammar::TokenTrie> trie_ = BytesTrie();
  std::mt19937_64 random_{20};
};

TEST_P(Batches, RandomOnesGiveWhatEachConversationGetsAlone) {
  for (const auto& [type, threads] : {std::pair{"q4_k_m", 1}, std::pair{"f16", 3}}) {
    Open(type, threads);
    for (const size_t size : {2U, 16U, 5U, 1U, 9U}) {
      SCOPED_TRACE(testing::Message() << type << ", " << size << " conversations");
      std::vector<Conversation> conversations;
      for (size_t i = 0; i < size; ++i) conversations.push_back(Draw());
      Compare(conversations);
    }
  }
}

TEST_P(Batches, ALongPromptRunsBesideShortOnes) {
  Open("q8_0", 2);
  std::vector<Conversation> conversations(4);
  for (size_t i = 0; i < conversations.size(); ++i) {
    conversations[i].options.capacity_tokens = 480;
    conversations[i].prompt = TestIds(i == 1 ? 450 : 100 + 10 * static_cast<int64_t>(i), 320);
    conversations[i].num_tokens = 6;
    conversations[i].drafts = i == 2;
  }
  Compare(conversations);
}

TEST_P(Batches, AnErrorIsOneConversationsOwn) {
  Open("q8_0", 1);
  std::vector<Conversation> conversations(3);
  std::atomic<bool> cancelled = true;
  for (Conversation& conversation : conversations) {
    conversation.options.capacity_tokens = 20;
    conversation.prompt = TestIds(5, kBatchVocab);
    conversation.num_tokens = 3;
  }
  const Outcome expected = Alone(conversations[0]);
  conversations[1].options.cancelled_or_null = &cancelled;
  conversations[2].options.capacity_tokens = 5;  // no room for another token
  std::vector<std::unique_ptr<Sequence>> sequences;
  for (const Conversation& conversation : conversations) sequences.push_back(Begin(conversation));
  std::vector<BatchRow> rows(3);
  for (size_t i = 0; i < 3; ++i) rows[i].sequence = sequences[2 - i].get();
  Outcome found;
  for (int step = 0; step < 3; ++step) {
    opened_->executor->Step(rows);
    ASSERT_TRUE(rows[2].choices);
    Note(rows[2].choices->front(), &found);
    ASSERT_FALSE(rows[1].choices);
    EXPECT_EQ(rows[1].choices.error().code, ErrorCode::kCancelled);
    ASSERT_FALSE(rows[0].choices);
    EXPECT_EQ(rows[0].choices.error().code, ErrorCode::kInvalidInput);
    EXPECT_EQ(sequences[1]->Length(), 5);
    EXPECT_EQ(sequences[2]->Length(), 5);
  }
  EXPECT_EQ(found.tokens, expected.tokens);
}

// Four rows cost one reading of the layers, and of the head where its states can share a pass.
TEST_P(Batches, WeightsAreReadOnceForAllRows) {
  Open("q8_0", 1);
  Conversation conversation;
  conversation.options.capacity_tokens = 20;
  conversation.prompt = TestIds(5, kBatchVocab);
  const auto bytes_of_a_step = [&](size_t num_rows) {
    std::vector<std::unique_ptr<Sequence>> sequences;
    std::vector<BatchRow> rows(num_rows);
    for (BatchRow& row : rows) {
      sequences.push_back(Begin(conversation));
      row.sequence = sequences.back().get();
    }
    opened_->executor->Step(rows);  // reads the prompts
    opened_->executor->Step(rows);
    std::pair<uint64_t, uint64_t> bytes;
    for (const auto& sequence : sequences) {
      EXPECT_EQ(sequence->GetCounters().steps, 1U);
      bytes.first += sequence->GetCounters().layers_bytes_read;
      bytes.second += sequence->GetCounters().head_bytes_read;
    }
    return bytes;
  };
  const auto [layers_alone, head_alone] = bytes_of_a_step(1);
  const auto [layers_of_four, head_of_four] = bytes_of_a_step(4);
  EXPECT_NEAR(static_cast<double>(layers_of_four), static_cast<double>(layers_alone), 4.0);
  if (std::string(GetParam()) == "certified") {
    // The exact rows are each conversation's own.
    EXPECT_LT(head_of_four, 4 * head_alone);
  } else {
    EXPECT_NEAR(static_cast<double>(head_of_four), static_cast<double>(head_alone), 12.0);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryHead, Batches,
                         testing::Values("full:3", "blockmax:2", "top1:2", "certified"),
                         [](const testing::TestParamInfo<const char*>& head) {
                           std::string name = head.param;
                           std::replace(name.begin(), name.end(), ':', '_');
                           return name;
                         });

}  // namespace
}  // namespace headway::parity
