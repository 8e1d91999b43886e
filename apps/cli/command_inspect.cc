// headway inspect: what is in a GGUF or a package.

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "backend/cpu/shard_file.h"
#include "commands.h"
#include "gguf/gguf_file.h"
#include "graph/text.h"
#include "manifest/manifest.h"
#include "numbers.h"

namespace headway::cli {
namespace {

namespace fs = std::filesystem;

Result<void> InspectGguf(const std::string& path) {
  HW_TRY(const gguf::GgufFile file, gguf::GgufFile::Open(path));
  std::printf("%s: GGUF version %u, %zu keys, %zu tensors\n\n", path.c_str(), file.Version(),
              file.Metadata().size(), file.Tensors().size());
  for (const gguf::MetadataEntry& entry : file.Metadata()) {
    fmt::print("{:<48} {}\n", entry.key, gguf::ToText(entry.value, 6));
  }
  std::printf("\n");
  for (const gguf::TensorInfo& tensor : file.Tensors()) {
    fmt::print("{:<40} {:<6} {}\n", tensor.name, tensor.TypeName(), ToString(tensor.shape));
  }
  return {};
}

void PrintFile(const std::string& what, const FileEntry& file) {
  fmt::print("{:<28} {:>10}  {}  {}\n", what, FormatBytes(static_cast<double>(file.bytes)),
             file.digest, file.path);
}

Result<void> PrintGraph(const std::string& directory, const FileEntry& file) {
  HW_TRY(const cpu::ShardFile shard,
         cpu::ShardFile::Open((fs::path(directory) / file.path).string()));
  fmt::print("\n# {}\n{}", file.path, graph::Print(shard.graph));
  return {};
}

Result<void> InspectPackage(const std::string& directory, bool with_graphs) {
  HW_TRY(const Manifest manifest, OpenManifest(directory, false));
  const ModelConfig& m = manifest.model;
  fmt::print("{}: package for {}, made by {} from {}\n\n", directory, manifest.device,
             manifest.producer, manifest.source_file);
  fmt::print("model       {} ({})\n", m.name, m.architecture);
  fmt::print("layers      {} x hidden {}, feed-forward {}\n", m.num_hidden_layers, m.hidden_size,
             m.intermediate_size);
  fmt::print("attention   {} heads, {} kv heads of {}; rotary {} of {} channels{}\n",
             m.num_attention_heads, m.num_key_value_heads, m.head_dim, m.rotary_dim, m.head_dim,
             m.rope_pairs ? ", adjacent pairs" : ", halves");
  fmt::print("context     {} tokens{}\n", m.max_position_embeddings,
             m.rope_long_factors.empty() ? ""
                                         : fmt::format(", long rotary factors beyond {}",
                                                       m.original_max_position_embeddings));
  fmt::print("vocabulary  {}{}\n\n", m.vocab_size,
             m.tie_word_embeddings ? ", embedding tied to the head" : "");
  PrintFile("tokenizer", manifest.tokenizer);
  if (manifest.embedding) PrintFile("embedding", *manifest.embedding);
  for (const LayerShard& shard : manifest.layers)
    PrintFile(fmt::format("layers [{}, {})", shard.start, shard.end), shard.file);
  for (const HeadSpec& head : manifest.heads) {
    for (const HeadShard& shard : head.shards) {
      PrintFile(fmt::format("head {} [{}, {})", head.kind, shard.vocab_start, shard.vocab_end),
                shard.file);
    }
  }
  if (!with_graphs) return {};
  for (const LayerShard& shard : manifest.layers) HW_TRY_VOID(PrintGraph(directory, shard.file));
  for (const HeadSpec& head : manifest.heads) {
    for (const HeadShard& shard : head.shards) HW_TRY_VOID(PrintGraph(directory, shard.file));
  }
  return {};
}

}  // namespace

Result<void> Inspect(const InspectArguments& arguments) {
  std::error_code error;
  if (fs::is_directory(arguments.path, error))
    return InspectPackage(arguments.path, arguments.graph);
  return InspectGguf(arguments.path);
}

}  // namespace headway::cli
