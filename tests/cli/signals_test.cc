// Ctrl-C, readers that go away, streams that were never open.

#include <csignal>
#include <nlohmann/json.hpp>

#include "cli_fixture.h"
#include "test_paths.h"

namespace headway::cli_test {
namespace {

class SignalsTest : public CliTest {
 protected:
  // A generation of many seconds: a model of 12 MB on the slowest kernels.
  Args LongRun() {
    const std::string package = Path("story");
    HeadwayOk({"pack", SourceDirectory() + "/models/story-12m.gguf", "-o", package, "--gate"});
    return {"run",          package,     "-p", "Once upon a time", "-n", "1000",
            "--ignore-end", "--threads", "1"};
  }
  static ProcessOptions Slow() { return {.environment = {{"HEADWAY_CPU", "reference"}}}; }
};

TEST_F(SignalsTest, CtrlC_KeepsTheTextAndEndsTheLine) {
  ProcessOptions options = Slow();
  options.interrupt_at_byte = 20;
  const Outcome outcome = Headway(LongRun(), options);
  EXPECT_EQ(outcome.status, 130);
  EXPECT_EQ(outcome.out.rfind("Once upon a time", 0), 0U);
  EXPECT_GE(outcome.out.size(), 20U);
  EXPECT_EQ(outcome.out.back(), '\n');
  EXPECT_EQ(outcome.err.rfind("headway: interrupted after ", 0), 0U) << outcome.err;
}

TEST_F(SignalsTest, CtrlC_StillPrintsWholeJson) {
  ProcessOptions options = Slow();
  options.interrupt_after_ms = 1500;
  Args args = LongRun();
  args.emplace_back("--json");
  const Outcome outcome = Headway(args, options);
  EXPECT_EQ(outcome.status, 130);
  const auto json = nlohmann::json::parse(outcome.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << outcome.out;
  EXPECT_EQ(json["stop_reason"], "cancelled");
}

TEST_F(SignalsTest, ReaderThatGoesAway_EndsTheRun) {
  ProcessOptions options = Slow();
  options.read_stdout_bytes = 1;
  const Outcome outcome = Headway(LongRun(), options);
  EXPECT_EQ(outcome.status, 128 + SIGPIPE);
  EXPECT_EQ(outcome.err, "");
}

TEST_F(SignalsTest, ClosedStdout_DoesNotHitTheFilesWritten) {
  HeadwayOk({"pack", TinyPhi(), "-o", Path("quiet")}, {.close_stdout = true});
  HeadwayOk({"run", Path("quiet"), "-p", "a", "-n", "2", "--verify"});
}

}  // namespace
}  // namespace headway::cli_test
