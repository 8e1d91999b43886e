// The command line tool: parses arguments, calls one command, prints errors. Exit status: 0 done, 1
// a gate failed, 2 bad usage or input, 3 internal.

#include <cstdio>
#include <exception>
#include <variant>

#include "arguments.h"
#include "commands.h"

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

struct Dispatch {
  headway::Result<void> operator()(const headway::cli::RunArguments& a) const {
    return headway::cli::Run(a);
  }
  headway::Result<void> operator()(const headway::cli::PackArguments& a) const {
    return headway::cli::Pack(a);
  }
  headway::Result<void> operator()(const headway::cli::SynthArguments& a) const {
    return headway::cli::Synth(a);
  }
  headway::Result<void> operator()(const headway::cli::InspectArguments& a) const {
    return headway::cli::Inspect(a);
  }
  headway::Result<void> operator()(const headway::cli::BenchArguments& a) const {
    return headway::cli::Bench(a);
  }
  headway::Result<void> operator()(const headway::cli::EvalArguments& a) const {
    return headway::cli::Evaluate(a);
  }
};

}  // namespace

int main(int argc, char** argv) {
  try {
    const headway::cli::ParseOutcome outcome = headway::cli::ParseCommandLine(argc, argv);
    if (!outcome.arguments) {
      std::fputs(outcome.text.c_str(), outcome.exit_status == 0 ? stdout : stderr);
      return outcome.exit_status;
    }
    const headway::Result<void> result = std::visit(Dispatch{}, *outcome.arguments);
    if (result) return 0;
    std::fprintf(stderr, "headway: %s\n", result.error().message.c_str());
    return ExitStatus(result.error().code);
  } catch (const std::exception& error) {  // out of memory, and nothing else that we know of
    std::fprintf(stderr, "headway: internal error: %s\n", error.what());
    return 3;
  }
}
