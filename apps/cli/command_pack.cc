// headway pack: a package from a GGUF.

#include <fmt/format.h>

#include <algorithm>

#include "api/opened_model.h"
#include "commands.h"
#include "compile/pack.h"
#include "interrupt.h"
#include "numbers.h"
#include "output.h"

namespace headway::cli {

Result<void> Pack(const PackArguments& arguments) {
  compile::PackOptions options{.topology = arguments.topology,
                               .heads = {},
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
  HW_TRY(const Manifest manifest,
         compile::Pack(arguments.model, arguments.output, options, emitter.get()));
  uint64_t bytes = manifest.tokenizer.bytes;
  if (manifest.embedding) bytes += manifest.embedding->bytes;
  for (const LayerShard& shard : manifest.layers) bytes += shard.file.bytes;
  for (const HeadSpec& head : manifest.heads) {
    for (const HeadShard& shard : head.shards) bytes += shard.file.bytes;
  }
  return WriteOut(fmt::format(
      "{}: {}, {}, {}\n", arguments.output, Plural(manifest.layers.size(), "layer shard"),
      Plural(manifest.heads.size(), "head"), FormatBytes(static_cast<double>(bytes))));
}

}  // namespace headway::cli
