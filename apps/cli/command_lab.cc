// headway lab: an experiment from its specification to its page.

#include <fmt/format.h>

#include <filesystem>

#include "commands.h"
#include "interrupt.h"
#include "lab/report.h"
#include "lab/run.h"
#include "output.h"

namespace headway::cli {

Result<void> Run(const LabArguments& arguments) {
  HW_TRY(const lab::ExperimentReport report,
         lab::RunExperiment(arguments.spec, {.directory = arguments.output,
                                             .model = arguments.model,
                                             .machine = arguments.machine,
                                             .show_progress = true,
                                             .cancelled_or_null = CatchInterrupts()}));
  std::string text;
  for (const std::string& sentence : report.findings) text += sentence + "\n";
  return WriteOut(text + fmt::format("\n{}\n{}\n", report.page, report.entry));
}

}  // namespace headway::cli
