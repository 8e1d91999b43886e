// headway synth: a GGUF of a real shape with synthetic weights.

#include <fmt/format.h>

#include <memory>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "commands.h"
#include "interrupt.h"
#include "lab/synth/synthesise.h"
#include "output.h"

namespace headway::cli {

Result<void> Run(const SynthArguments& arguments) {
  std::unique_ptr<Progress> bar;
  const auto progress = [&](uint64_t done, uint64_t total) {
    if (bar == nullptr) bar = std::make_unique<Progress>("writing", total, true);
    bar->Update(done);
  };
  const synth::SynthSpec spec{.shape = arguments.shape,
                              .type = arguments.type,
                              .seed = arguments.seed,
                              .pure = arguments.pure,
                              .head_type = arguments.head_type,
                              .parts = arguments.parts,
                              .margin_sigma = arguments.margin,
                              .distinct_rows = arguments.distinct_rows,
                              .num_threads = DefaultThreads(),
                              .cancelled_or_null = CatchInterrupts()};
  HW_TRY_VOID(synth::Synthesise(spec, arguments.output, progress));
  bar.reset();
  return WriteOut(fmt::format("{}: {}, {}, seed {}\n", arguments.output, arguments.shape,
                              arguments.type, arguments.seed));
}

}  // namespace headway::cli
