// headway inspect: what is in a GGUF or a package.

#include <fmt/format.h>

#include <filesystem>
#include <iterator>
#include <utility>

#include "backend/cpu/shard_file.h"
#include "commands.h"
#include "gguf/gguf_file.h"
#include "graph/text.h"
#include "manifest/manifest.h"
#include "numbers.h"
#include "output.h"

namespace headway::cli {
namespace {

namespace fs = std::filesystem;

template <class... Values>
void Append(std::string* out, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(*out), format, std::forward<Values>(values)...);
}

Result<void> InspectGguf(const std::string& path, std::string* out) {
  HW_TRY(const gguf::GgufFile file, gguf::GgufFile::Open(path));
  Append(out, "{}: GGUF version {}, {} keys, {} tensors\n\n", path, file.Version(),
         file.Metadata().size(), file.Tensors().size());
  for (const gguf::MetadataEntry& entry : file.Metadata()) {
    Append(out, "{:<48} {}\n", entry.key, gguf::ToText(entry.value, 6));
  }
  out->append("\n");
  for (const gguf::TensorInfo& tensor : file.Tensors()) {
    Append(out, "{:<40} {:<6} {}\n", tensor.name, tensor.TypeName(), ToString(tensor.shape));
  }
  return {};
}

void PrintFile(const std::string& what, const FileEntry& file, std::string* out) {
  Append(out, "{:<28} {:>10}  {}  {}\n", what, FormatBytes(static_cast<double>(file.bytes)),
         file.digest, file.path);
}

Result<void> PrintGraph(const std::string& directory, const FileEntry& file, std::string* out) {
  HW_TRY(const cpu::ShardFile shard,
         cpu::ShardFile::Open((fs::path(directory) / file.path).string()));
  Append(out, "\n# {}\n{}", file.path, graph::Print(shard.graph));
  return {};
}

Result<void> InspectPackage(const std::string& directory, bool with_graphs, std::string* out) {
  HW_TRY(const Manifest manifest, OpenManifest(directory, false));
  const ModelConfig& m = manifest.model;
  Append(out, "{}: package for {}, made by {} from {}\n\n", directory, manifest.device,
         manifest.producer, manifest.source_file);
  Append(out, "model       {} ({})\n", m.name, m.architecture);
  Append(out, "layers      {} x hidden {}, feed-forward {}\n", m.num_hidden_layers, m.hidden_size,
         m.intermediate_size);
  Append(out, "attention   {} heads, {} kv heads of {}; rotary {} of {} channels{}\n",
         m.num_attention_heads, m.num_key_value_heads, m.head_dim, m.rotary_dim, m.head_dim,
         m.rope_pairs ? ", adjacent pairs" : ", halves");
  Append(out, "context     {} tokens{}\n", m.max_position_embeddings,
         m.rope_long_factors.empty()
             ? ""
             : fmt::format(", long rotary factors beyond {}", m.original_max_position_embeddings));
  Append(out, "vocabulary  {}{}\n\n", m.vocab_size,
         m.tie_word_embeddings ? ", embedding tied to the head" : "");
  PrintFile("tokenizer", manifest.tokenizer, out);
  if (manifest.embedding) PrintFile("embedding", *manifest.embedding, out);
  for (const LayerShard& shard : manifest.layers)
    PrintFile(fmt::format("layers [{}, {})", shard.start, shard.end), shard.file, out);
  for (const HeadSpec& head : manifest.heads) {
    for (const HeadShard& shard : head.shards) {
      PrintFile(fmt::format("head {} [{}, {})", head.kind, shard.vocab_start, shard.vocab_end),
                shard.file, out);
    }
  }
  if (!with_graphs) return {};
  for (const LayerShard& shard : manifest.layers)
    HW_TRY_VOID(PrintGraph(directory, shard.file, out));
  for (const HeadSpec& head : manifest.heads) {
    for (const HeadShard& shard : head.shards) HW_TRY_VOID(PrintGraph(directory, shard.file, out));
  }
  return {};
}

}  // namespace

Result<void> Inspect(const InspectArguments& arguments) {
  std::error_code error;
  std::string text;
  if (fs::is_directory(arguments.path, error)) {
    HW_TRY_VOID(InspectPackage(arguments.path, arguments.graph, &text));
  } else {
    HW_TRY_VOID(InspectGguf(arguments.path, &text));
  }
  return WriteOut(text);
}

}  // namespace headway::cli
