// headway synth: a GGUF of a real shape with synthetic weights.

#include <cstdio>
#include <memory>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "commands.h"
#include "synth/synthesise.h"

namespace headway::cli {

Result<void> Synth(const SynthArguments& arguments) {
  std::unique_ptr<Progress> bar;
  const auto progress = [&](uint64_t done, uint64_t total) {
    if (bar == nullptr) bar = std::make_unique<Progress>("writing", total, true);
    bar->Update(done);
  };
  const synth::SynthSpec spec{.shape = arguments.shape,
                              .type = arguments.type,
                              .seed = arguments.seed,
                              .pure = arguments.pure,
                              .num_threads = DefaultThreads()};
  HW_TRY_VOID(synth::Synthesise(spec, arguments.output, progress));
  bar.reset();
  std::printf("%s: %s, %s, seed %llu\n", arguments.output.c_str(), arguments.shape.c_str(),
              arguments.type.c_str(), static_cast<unsigned long long>(arguments.seed));
  return {};
}

}  // namespace headway::cli
