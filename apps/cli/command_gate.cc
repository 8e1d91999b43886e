// headway gate: whether a package runs where it should and computes what the model file says.

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "base/file_writer.h"
#include "base/notice.h"
#include "commands.h"
#include "gates/gate.h"
#include "interrupt.h"
#include "json_report.h"
#include "numbers.h"
#include "output.h"
#include "pack/record_goldens.h"

namespace headway::cli {
namespace {

Result<void> WriteReport(const std::string& file, const std::string& text) {
  HW_TRY_VOID(WriteTextFileAtomically(file, text));
  Notice("headway: the report is in " + file + "\n");
  return {};
}

Result<gates::GateReport> RunGates(const GateArguments& arguments) {
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
  return gates::RunGates(arguments.package, {.residency = arguments.what != "golden",
                                             .golden = arguments.what != "residency",
                                             .threads = arguments.threads,
                                             .instruction_set = ForcedInstructionSet(),
                                             .compute_units = arguments.compute_units});
}

}  // namespace

Result<void> Run(const GateArguments& arguments) {
  const Result<gates::GateReport> ran = RunGates(arguments);
  if (!arguments.report_file.empty())
    HW_TRY_VOID(WriteReport(arguments.report_file, GateReportFile(ran, arguments.package)));
  if (!ran) return tl::unexpected<Error>(ran.error());
  const gates::GateReport& report = *ran;
  HW_TRY_VOID(arguments.json ? WriteJson(GateJson(report)) : WriteOut(gates::ToText(report)));
  if (report.Passed()) return {};
  return Fail(ErrorCode::kGateFailed, fmt::format("{}: a gate failed", arguments.package));
}

}  // namespace headway::cli
