// headway pack: a package from a GGUF.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "api/opened_model.h"
#include "commands.h"
#include "compile/pack.h"
#include "gate/gate.h"
#include "gate/record.h"
#include "interrupt.h"
#include "numbers.h"
#include "output.h"

namespace headway::cli {

Result<void> Pack(const PackArguments& arguments) {
  compile::PackOptions options{.topology = arguments.topology,
                               .heads = {},
                               .rotation_seed = arguments.rotation_seed,
                               .threads = arguments.threads,
                               .replace = arguments.replace,
                               .show_progress = true,
                               .on_start = nullptr,
                               .cancelled_or_null = CatchInterrupts()};
  for (size_t begin = 0; begin <= arguments.heads.size();) {
    const size_t end = std::min(arguments.heads.find(',', begin), arguments.heads.size());
    options.heads.push_back(arguments.heads.substr(begin, end - begin));
    begin = end + 1;
  }
  HW_TRY(const auto emitter, MakeEmitterFor(arguments.device));
  if (!arguments.no_goldens) {
    options.before_commit = [&](const std::string& directory, Manifest* manifest) {
      return gate::RecordInto(arguments.model, directory,
                              {.device = arguments.device,
                               .show_progress = true,
                               .cancelled_or_null = options.cancelled_or_null},
                              manifest);
    };
  }
  HW_TRY(const Manifest manifest,
         compile::Pack(arguments.model, arguments.output, options, emitter.get()));
  uint64_t bytes = manifest.tokenizer.bytes;
  if (manifest.embedding) bytes += manifest.embedding->bytes;
  for (const LayerShard& shard : manifest.layers) bytes += shard.file.bytes;
  for (const HeadSpec& head : manifest.heads) {
    // A certified head shares the rows of a full one.
    const bool shared = head.planes && !head.shards.empty() &&
                        head.shards.front().file.path.find("certified") == std::string::npos;
    for (const HeadShard& shard : head.shards) bytes += shared ? 0 : shard.file.bytes;
    if (head.planes) bytes += head.planes->bytes;
  }
  HW_TRY_VOID(WriteOut(fmt::format(
      "{}: {}, {}, {}\n", arguments.output, Plural(manifest.layers.size(), "layer shard"),
      Plural(manifest.heads.size(), "head"), FormatBytes(static_cast<double>(bytes)))));
  if (!arguments.gate) return {};
  const char* forced = std::getenv("HEADWAY_CPU");
  HW_TRY(const gate::Report report,
         gate::RunGates(arguments.output, {.instruction_set = forced == nullptr ? "" : forced}));
  HW_TRY_VOID(WriteOut(gate::ToText(report)));
  if (report.Passed()) return {};
  return Fail(ErrorCode::kGateFailed,
              fmt::format("{}: a gate failed; the package was kept", arguments.output));
}

}  // namespace headway::cli
