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
<<<<<<< HEAD
Result<void> Bench(const BenchArguments& arguments);
=======
Result<void> Evaluate(const EvalArguments& arguments);
>>>>>>> 6b23c67 (eval: perplexity as llama-perplexity computes it, agreement with the straight-line reference)

}  // namespace headway::cli
