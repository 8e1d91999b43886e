#include "scheduler_fixture.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "engine/session.h"
#include "grammar/compile.h"

namespace headway::parity {
namespace {

bool IsEnd(int32_t id) { return id == kEndToken; }

}  // namespace

std::shared_ptr<const grammar::TokenTrie> ByteTokens() {
  std::vector<std::string> tokens(kVocab);
  for (size_t byte = 0; byte < 256; ++byte)
    tokens[1 + byte] = std::string(1, static_cast<char>(byte));
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  return std::make_shared<const grammar::TokenTrie>(views, std::vector<int32_t>{kEndToken});
}

void SchedulerTest::Open(const char* head, int threads) {
  model_ = std::make_unique<TestModel>("tiny-phi", "q8_0");
  package_ = model_->Pack("2", {"full:3", "certified"});
  opened_ = OpenPackage(package_, {.threads = threads, .head = head});
  alone_ = OpenPackage(package_, {.threads = 1, .head = head});
  ASSERT_NE(opened_, nullptr);
  ASSERT_NE(alone_, nullptr);
}

void SchedulerTest::Start(SchedulerOptions options) {
  scheduler_.reset();
  if (options.context_tokens == 0) options.context_tokens = kContext;
  options.is_end = IsEnd;
  auto started = Scheduler::Start(opened_->executor, *opened_->pipeline, std::move(options));
  ASSERT_TRUE(started) << started.error().message;
  scheduler_ = *std::move(started);
}

ScheduledRequest SchedulerTest::Draw() {
  ScheduledRequest drawn;
  const auto shared = static_cast<int64_t>(random_() % 100);
  const auto own = 1 + static_cast<int64_t>(random_() % 30);
  drawn.prompt = TestIds(shared, kVocab);
  for (int64_t i = 0; i < own; ++i)
    drawn.prompt.push_back(static_cast<int32_t>(random_() % 3) + static_cast<int32_t>(i % 5));
  drawn.max_new_tokens = 1 + static_cast<int64_t>(random_() % 24);
  SessionOptions& options = drawn.options;
  options.sampling.seed = random_() % 4;
  const auto kind = random_() % 7;
  if (kind >= 1) options.sampling.temperature = 1.3F;
  if (kind == 2) options.sampling.top_k = 5;
  if (kind == 3) options.sampling.repeat_penalty = 1.3F;
  if (kind == 4) options.want_logprobs = true;
  if (kind == 6) options.sampling.allow_ids = {7};  // repeats itself: drafts come true
  if (kind == 5) {
    const char* const texts[] = {"root ::= \"abcabc\" [x-z]{40,60}", "root ::= [^a]{3,9}"};
    options.grammar = *grammar::CompileGbnf(texts[random_() % 2]);
    options.trie = trie_;
  }
  if (random_() % 5 == 0) options.kv = KvType::kQ8_0;
  if (random_() % 2 == 0) drawn.most_drafts = 7;
  if (options.want_logprobs && random_() % 2 == 0) drawn.num_alternatives = 3;
  drawn.client.assign(1, random_() % 2 == 0 ? 'a' : 'b');
  return drawn;
}

Answer SchedulerTest::Alone(const ScheduledRequest& request) {
  SessionOptions options = request.options;
  const auto length = static_cast<int64_t>(request.prompt.size());
  options.capacity_tokens = length + std::min(request.max_new_tokens, kContext - length);
  const auto session = Session::Create(alone_->executor, options);
  EXPECT_TRUE(session && (*session)->Append(request.prompt));
  Answer answer;
  answer.reason = EndReason::kMaxTokens;
  for (int64_t i = 0; i < request.max_new_tokens; ++i) {
    const auto choice = (*session)->Decode();
    EXPECT_TRUE(choice) << choice.error().message;
    if (!choice) break;
    answer.tokens.push_back(choice->token);
    answer.logprobs.push_back(choice->logprob);
    if (IsEnd(choice->token) || (*session)->GrammarIsOver()) {
      answer.reason = EndReason::kEndToken;
      break;
    }
  }
  return answer;
}

std::shared_ptr<Listener> SchedulerTest::SubmitHeld(const ScheduledRequest& request,
                                                    RequestHandle* handle) {
  auto listener = std::make_shared<Listener>();
  listener->Hold();
  EXPECT_EQ(scheduler_->Submit(request, listener, handle), SubmitOutcome::kAccepted);
  return listener;
}

std::shared_ptr<Listener> SchedulerTest::Submit(const ScheduledRequest& request,
                                                RequestHandle* handle, size_t enough) {
  auto listener = std::make_shared<Listener>(enough);
  EXPECT_EQ(scheduler_->Submit(request, listener, handle), SubmitOutcome::kAccepted);
  return listener;
}

}  // namespace headway::parity
