// headway gate: whether a package runs where it should and computes what the model file says.

#include <fmt/format.h>

#include <filesystem>

#include "commands.h"
#include "gates/gate.h"
#include "interrupt.h"
#include "json_report.h"
#include "numbers.h"
#include "output.h"
#include "pack/record_goldens.h"

namespace headway::cli {

Result<void> Run(const GateArguments& arguments) {
  std::error_code error;
  if (!std::filesystem::is_directory(arguments.package, error)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: expected a package directory, found something else; make one with "
                            "'headway pack'",
                            arguments.package));
  }
  const std::atomic<bool>* cancelled = CatchInterrupts();
  if (!arguments.reference.empty()) {
    HW_TRY_VOID(pack::AddGoldens(arguments.reference, arguments.package,
                                 {.show_progress = true, .cancelled_or_null = cancelled}));
  }
  HW_TRY(const gates::GateReport report,
         gates::RunGates(arguments.package, {.residency = arguments.what != "golden",
                                             .golden = arguments.what != "residency",
                                             .threads = arguments.threads,
                                             .instruction_set = ForcedInstructionSet()}));
  HW_TRY_VOID(WriteOut(arguments.json ? GateJson(report) : gates::ToText(report)));
  if (report.Passed()) return {};
  return Fail(ErrorCode::kGateFailed, fmt::format("{}: a gate failed", arguments.package));
}

}  // namespace headway::cli
