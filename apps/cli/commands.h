#pragma once

// One function per command, by the type of its arguments. Each prints its result on stdout and returns an error for main() to
// print.

#include "arguments.h"
#include "headway/result.h"

namespace headway::cli {

Result<void> Run(const RunArguments& arguments);
Result<void> Run(const PackArguments& arguments);
Result<void> Run(const SynthArguments& arguments);
Result<void> Run(const InspectArguments& arguments);
Result<void> Run(const BenchArguments& arguments);
Result<void> Run(const EvalArguments& arguments);
Result<void> Run(const GateArguments& arguments);
Result<void> Run(const GrammarArguments& arguments);
Result<void> Run(const ServeArguments& arguments);
Result<void> Run(const LabArguments& arguments);

}  // namespace headway::cli
