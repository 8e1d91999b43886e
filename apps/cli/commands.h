#pragma once

// One function per command. Each prints its result on stdout and returns an error for main() to
// print.

#include "arguments.h"
#include "headway/result.h"

namespace headway::cli {

Result<void> Run(const RunArguments& arguments);
Result<void> Pack(const PackArguments& arguments);
Result<void> Synth(const SynthArguments& arguments);
Result<void> Inspect(const InspectArguments& arguments);
Result<void> Bench(const BenchArguments& arguments);
Result<void> Evaluate(const EvalArguments& arguments);
Result<void> Gate(const GateArguments& arguments);
Result<void> Grammar(const GrammarArguments& arguments);
Result<void> Serve(const ServeArguments& arguments);
Result<void> Lab(const LabArguments& arguments);

}  // namespace headway::cli
