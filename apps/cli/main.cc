// The command line tool: parses arguments, calls one command, prints errors. Exit status: 0 done, 1
// a gate failed, 2 bad usage or input, 3 internal, 4 a text that its grammar does not end, 130
// interrupted.

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <variant>

#include "arguments.h"
#include "base/bus_error.h"
#include "base/exhaustion.h"
#include "base/quoted.h"
#include "commands.h"
#include "output.h"

namespace {

using headway::ErrorCode;

int ExitStatus(ErrorCode code) {
  switch (code) {
    case ErrorCode::kGateFailed:
      return 1;
    case ErrorCode::kInvalidInput:
    case ErrorCode::kNotFound:
    case ErrorCode::kUnsupported:
    case ErrorCode::kIo:
    case ErrorCode::kCorrupt:
      return 2;
    case ErrorCode::kCancelled:
      return 130;  // as a shell reports Ctrl-C
    case ErrorCode::kIncomplete:
      return 4;
  }
  return 3;
}

// Commands that write files, or serve, do without stdout.
headway::Result<void> RunCommand(const headway::cli::Arguments& arguments) {
  const bool needs_stdout = !std::holds_alternative<headway::cli::PackArguments>(arguments) &&
                            !std::holds_alternative<headway::cli::SynthArguments>(arguments) &&
                            !std::holds_alternative<headway::cli::LabArguments>(arguments) &&
                            !std::holds_alternative<headway::cli::ServeArguments>(arguments);
  if (needs_stdout) HW_TRY_VOID(headway::cli::CheckStdout());
  return std::visit([](const auto& command) { return headway::cli::Run(command); }, arguments);
}

}  // namespace

int main(int argc, char** argv) {
  headway::cli::ReserveStandardStreams();
  headway::ReportBusErrors();
  headway::ReportExhaustion();
  std::signal(SIGXFSZ, SIG_IGN);  // writing fails instead, is reported, and leaves nothing
  try {
    const headway::cli::ParseOutcome outcome = headway::cli::ParseCommandLine(argc, argv);
    if (!outcome.arguments && outcome.exit_status != 0) {
      std::fputs(headway::Printable(outcome.text).c_str(), stderr);
      return outcome.exit_status;
    }
    const headway::Result<void> result =
        outcome.arguments ? RunCommand(*outcome.arguments) : headway::cli::WriteOut(outcome.text);
    if (result) return 0;
    std::fprintf(stderr, "headway: %s\n", headway::Printable(result.error().message).c_str());
    return ExitStatus(result.error().code);
  } catch (const std::bad_alloc&) {
    std::fputs(headway::kOutOfMemory.data(), stderr);
    return 2;
  } catch (const std::exception& error) {  // nothing that we know of
    std::fprintf(stderr, "headway: internal error: %s\n", headway::Printable(error.what()).c_str());
    return 3;
  }
}
