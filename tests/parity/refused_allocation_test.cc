// Memory that runs out at any request is an exception to those who asked, and nothing worse.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <span>
#include <string>

#include "base/exhaustion.h"
#include "count_allocations.h"
#include "device/coreml/ir/builder.h"
#include "device/coreml/package/proto/model_proto.h"
#include "model_fixture.h"
#include "scheduler_fixture.h"

namespace headway::parity {
namespace {

// A program with what its message keeps in maps: inputs, attributes, functions, metadata.
mil::Model ProgramWithMaps() {
  mil::FunctionBuilder f("CoreML8");
  std::string x = f.Input("x", mil::DType::kF16, {1, 2, 1, 1});
  for (const char* name : {"a_name_that_no_string_holds_in_itself_1", "b", "c"})
    x = f.Op("add", name, {{"x", {x}}, {"y", {mil::HalfConstant(1.0F)}}});
  f.Output(x);
  auto function = f.Finish();
  EXPECT_TRUE(function.has_value()) << function.error().message;
  auto model = mil::MakeModel(*std::move(function), {1, 4});
  EXPECT_TRUE(model.has_value()) << model.error().message;
  model->metadata.user_defined = {{"z", "1"}, {"a_key_that_no_string_holds_in_itself", "2"}};
  return *std::move(model);
}

std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span<const char>(text));
}

// Does `work` in processes of its own, as the tool does it, of whose requests for memory one is
// refused, with all that follow, or alone: at most so many times. How many requests there are.
int64_t RefuseRequests(int64_t most_times, const std::function<bool()>& work) {
  const int64_t before = NumAllocations();
  EXPECT_TRUE(work()) << "with all the memory that it asks for";
  const int64_t requests = NumAllocations() - before;
  const int64_t times = std::min(requests, most_times);
  for (int64_t i = 0; i < times; ++i) {
    const int64_t refused = 1 + i * requests / times;
    const pid_t child = ::fork();
    if (child == 0) {
      ReportExhaustion();
      ::alarm(60);
      RefuseAllocations(refused, i % 2 == 0 ? 1 : INT64_MAX);
      try {
        ::_exit(work() ? 0 : 2);
      } catch (const std::bad_alloc&) {
        ::_exit(2);
      }
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2))
        << "request " << refused << " of " << requests << (i % 2 == 0 ? "" : " and all after it")
        << ": status " << status;
  }
  return requests;
}

TEST(RefusedAllocation, OfAProgramsMessage_IsAnException) {
  if (!CountsAllocations()) GTEST_SKIP() << "a sanitizer brings its own allocator";
  const mil::Model model = ProgramWithMaps();
  auto bytes = mil::EncodeModel(model);
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  EXPECT_GT(RefuseRequests(1000, [&] { return mil::EncodeModel(model).has_value(); }), 20);
  EXPECT_GT(RefuseRequests(1000, [&] { return mil::DecodeModel(AsBytes(*bytes)).has_value(); }),
            100);
  const auto decoded = mil::DecodeModel(AsBytes(*bytes));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(*mil::EncodeModel(*decoded), *bytes);
}

TEST(RefusedAllocation, OfPackingAndDecoding_IsAnErrorOrAnException) {
  if (!CountsAllocations()) GTEST_SKIP() << "a sanitizer brings its own allocator";
  for (const char* device : {"cpu", "coreml"}) {
    const TestModel model("tiny-phi", "q4_k_m");
    const std::string package = model.Path(device);
    const auto pack = [&] {
      const auto emitter = MakeEmitterFor(device);
      pack::PackOptions options{.heads = {"full:2", "certified"}, .replace = true};
      options.threads = 2;
      return emitter && pack::Pack(model.File(), package, options, emitter->get()).has_value();
    };
    EXPECT_GT(RefuseRequests(60, pack), 1000) << device;
    for (const char* head : {"full:2", "certified"}) {
      const auto decode = [&] {
        EngineOptions options;
        options.threads = 2;
        options.head = head;
        const auto opened = OpenPackage(package, options);
        if (!opened) return false;
        auto session = Session::Create((*opened)->executor,
                                       SessionOptions{.capacity_tokens = 80, .sampling = {}});
        if (!session || !(*session)->Append(TestIds(30, 320))) return false;
        for (int i = 0; i < 3; ++i)
          if (!(*session)->Decode()) return false;
        return true;
      };
      EXPECT_GT(RefuseRequests(100, decode), 1000) << device << " " << head;
    }
  }
}

// Nobody waits for ever: whoever could not be served is told, or the process ends with its message.
TEST(RefusedAllocation, OfAScheduler_IsAnEndOfTheRequestOrOfTheProcess) {
  if (!CountsAllocations()) GTEST_SKIP() << "a sanitizer brings its own allocator";
  const TestModel model("tiny-phi", "q4_k_m");
  const std::string package = model.Pack("2", {"full:2"});
  const auto serve = [&] {
    EngineOptions options;
    options.threads = 2;
    const auto opened = OpenPackage(package, options);
    if (!opened) return false;
    SchedulerOptions limits{.most_rows = 4, .prompt_tokens_a_step = 16, .kv_tokens = 120};
    limits.context_tokens = kContext;
    auto scheduler = Scheduler::Start((*opened)->executor, *(*opened)->pipeline, limits);
    if (!scheduler) return false;
    std::vector<std::shared_ptr<Listener>> listeners;
    for (const int64_t length : {20, 50, 30}) {
      ScheduledRequest request;
      request.prompt = TestIds(length, kVocab);
      request.max_new_tokens = 20;
      request.most_drafts = 4;
      listeners.push_back(std::make_shared<Listener>());
      RequestHandle handle;
      if ((*scheduler)->Submit(request, listeners.back(), &handle) != SubmitOutcome::kAccepted)
        return false;
    }
    bool all = true;
    for (const auto& listener : listeners)
      all = listener->Wait().reason != EndReason::kFailed && all;
    return all;
  };
  EXPECT_GT(RefuseRequests(60, serve), 500);
}

}  // namespace
}  // namespace headway::parity
