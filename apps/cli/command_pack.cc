// headway pack: a package from a GGUF.

#include <fmt/format.h>

#include <cstdio>

#include "api/opened_model.h"
#include "commands.h"
#include "compile/pack.h"
#include "numbers.h"

namespace headway::cli {

Result<void> Pack(const PackArguments& arguments) {
  compile::PackOptions options{.topology = arguments.topology,
                               .heads = {},
                               .replace = arguments.replace,
                               .show_progress = true};
  for (std::string_view rest = arguments.heads; !rest.empty();) {
    const size_t comma = rest.find(',');
    options.heads.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  HW_TRY(const auto emitter, MakeEmitterFor(arguments.device));
  HW_TRY(const Manifest manifest,
         compile::Pack(arguments.model, arguments.output, options, emitter.get()));
  uint64_t bytes = manifest.tokenizer.bytes;
  for (const LayerShard& shard : manifest.layers) bytes += shard.file.bytes;
  for (const HeadSpec& head : manifest.heads) {
    for (const HeadShard& shard : head.shards) bytes += shard.file.bytes;
  }
  std::printf("%s: %zu layer shards, %zu head%s, %s\n", arguments.output.c_str(),
              manifest.layers.size(), manifest.heads.size(), manifest.heads.size() == 1 ? "" : "s",
              FormatBytes(static_cast<double>(bytes)).c_str());
  return {};
}

}  // namespace headway::cli
