// The command line tool: parses arguments, calls one command, prints errors. Exit status: 0 done, 1
// a gate failed, 2 bad usage or input, 3 internal, 130 interrupted.

#include <cstdio>
#include <exception>
#include <new>
#include <variant>

#include "arguments.h"
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
  }
  return 3;
}

}  // namespace

int main(int argc, char** argv) {
  headway::cli::ReserveStandardStreams();
  try {
    const headway::cli::ParseOutcome outcome = headway::cli::ParseCommandLine(argc, argv);
    if (!outcome.arguments && outcome.exit_status != 0) {
      std::fputs(outcome.text.c_str(), stderr);
      return outcome.exit_status;
    }
    const headway::Result<void> result =
        outcome.arguments
            ? std::visit([](const auto& command) { return headway::cli::Run(command); },
                         *outcome.arguments)
            : headway::cli::WriteOut(outcome.text);
    if (result) return 0;
    std::fprintf(stderr, "headway: %s\n", headway::Printable(result.error().message).c_str());
    return ExitStatus(result.error().code);
  } catch (const std::bad_alloc&) {
    std::fputs("headway: not enough memory for this model on this machine\n", stderr);
    return 2;
  } catch (const std::exception& error) {  // nothing that we know of
    std::fprintf(stderr, "headway: internal error: %s\n", headway::Printable(error.what()).c_str());
    return 3;
  }
}
