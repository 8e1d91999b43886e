// headway inspect: what is in a GGUF, a package or a Core ML package.

#include <fmt/format.h>

#include <filesystem>
#include <iterator>
#include <utility>

#include "commands.h"
#include "device/coreml/ir/printer.h"
#include "device/coreml/ir/verify.h"
#include "device/coreml/package/package.h"
#include "device/coreml/place/predict.h"
#include "device/cpu/shard_file.h"
#include "gguf/gguf_file.h"
#include "graph/text.h"
#include "json_report.h"
#include "kernels/kv_layout.h"
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
  if (!file.expected) return;
  const ExpectedOps& ops = *file.expected;
  Append(out,
         "  {} token{} a step; {}: {} of {} compute ops, {} of {} convs on the Neural Engine\n",
         file.tokens, file.tokens == "1" ? "" : "s", ops.basis, ops.compute_ane, ops.compute_total,
         ops.conv_ane, ops.conv_total);
}

template <class Shard>
void PrintShard(const std::string& what, const Shard& shard, std::string* out) {
  PrintFile(what, shard.file, out);
  for (const FileEntry& file : shard.wider) PrintFile(what, file, out);
}

// Whether a Core ML package verifies, and where it is predicted to run.
Result<PlacedProgram> Place(const std::string& path, const mil::Package& package) {
  PlacedProgram placed{
      .path = path, .weight_bytes = package.weights.SizeBytes(), .problem = "", .functions = {}};
  const Result<void> verified = mil::VerifyModel(package.model, &package.weights);
  if (!verified) {
    placed.problem = verified.error().message;
    return placed;
  }
  for (const auto& [name, function] : package.model.program.functions) {
    HW_TRY(mil::PlacementReport report,
           mil::PredictPlacement(
               function, {.weight_bytes = static_cast<int64_t>(package.weights.SizeBytes())}));
    placed.functions.emplace_back(name, std::move(report));
  }
  return placed;
}

Result<PlacedProgram> ReadAndPlace(const std::string& path) {
  HW_TRY(const mil::Package package, mil::ReadPackageUnverified(path));
  return Place(path, package);
}

// A Core ML package: description and program, then what Place() says.
Result<void> InspectMlpackage(const std::string& path, std::string* out) {
  HW_TRY(const mil::Package package, mil::ReadPackageUnverified(path));
  HW_TRY(const PlacedProgram placed, Place(path, package));
  Append(out, "{}: Core ML package, weights {}\n\n{}\n", path,
         FormatBytes(static_cast<double>(placed.weight_bytes)), mil::PrintModel(package.model));
  if (!placed.problem.empty()) Append(out, "does not verify: {}\n", placed.problem);
  for (const auto& [name, report] : placed.functions)
    Append(out, "function {}: {}", name, mil::PrintPlacement(report));
  return {};
}

Result<void> PrintGraph(const std::string& directory, const FileEntry& file, std::string* out) {
  if (file.path.ends_with(".mlpackage")) {
    Append(out, "\n# ");
    return InspectMlpackage((fs::path(directory) / file.path).string(), out);
  }
  HW_TRY(const cpu::ShardFile shard,
         cpu::ShardFile::Open((fs::path(directory) / file.path).string()));
  Append(out, "\n# {}\n{}", file.path, graph::Print(shard.graph));
  return {};
}

// What a token's keys and values take.
std::string CacheLine(const Manifest& manifest) {
  const ModelConfig& m = manifest.model;
  const auto bytes = [&m](KvType type) {
    const int64_t head = 2 * kernels::KvTileBytes(type, m.head_dim) / kernels::kKeyTile;
    return FormatBytes(static_cast<double>(m.num_hidden_layers * m.num_key_value_heads * head));
  };
  std::string line = fmt::format("{} a token in f16", bytes(KvType::kF16));
  if (manifest.device == "cpu" && m.head_dim % kernels::kKvBlock == 0) {
    line += fmt::format(", {} in q8_0 (--kv q8_0)", bytes(KvType::kQ8_0));
  }
  return line;
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
  Append(out, "cache       {}\n", CacheLine(manifest));
  if (!manifest.weights.empty()) Append(out, "weights     {}\n", manifest.weights);
  Append(out, "context     {} tokens{}\n", manifest.ContextTokens(),
         m.rope_long_factors.empty()
             ? ""
             : fmt::format(", long rotary factors beyond {}", m.original_max_position_embeddings));
  Append(out, "vocabulary  {}{}\n\n", m.vocab_size,
         m.tie_word_embeddings ? ", embedding tied to the head" : "");
  PrintFile("tokenizer", manifest.tokenizer, out);
  if (manifest.embedding) PrintFile("embedding", *manifest.embedding, out);
  for (const LayerShard& shard : manifest.layers)
    PrintShard(fmt::format("layers [{}, {})", shard.start, shard.end), shard, out);
  for (const HeadSpec& head : manifest.heads) {
    for (const HeadShard& shard : head.shards) {
      PrintShard(fmt::format("head {} [{}, {})", head.kind, shard.vocab_start, shard.vocab_end),
                 shard, out);
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

// The package with every program in it.
Result<std::string> PackageJson(const std::string& directory) {
  HW_TRY(const Manifest manifest, OpenManifest(directory, false));
  std::vector<PlacedProgram> programs;
  for (const FileEntry* file : AllFiles(manifest)) {
    if (!file->path.ends_with(".mlpackage")) continue;
    HW_TRY(PlacedProgram program, ReadAndPlace((fs::path(directory) / file->path).string()));
    program.path = file->path;
    programs.push_back(std::move(program));
  }
  return InspectJson(directory, manifest, programs);
}

}  // namespace

Result<void> Inspect(const InspectArguments& arguments) {
  std::error_code error;
  std::string text;
  if (fs::exists(fs::path(arguments.path) / "Manifest.json", error) &&
      !fs::exists(fs::path(arguments.path) / kManifestFileName, error)) {
    if (arguments.json) {
      HW_TRY(const PlacedProgram placed, ReadAndPlace(arguments.path));
      return WriteOut(InspectJson(placed));
    }
    HW_TRY_VOID(InspectMlpackage(arguments.path, &text));
  } else if (fs::is_directory(arguments.path, error)) {
    if (arguments.json) {
      HW_TRY(text, PackageJson(arguments.path));
      return WriteOut(text);
    }
    HW_TRY_VOID(InspectPackage(arguments.path, arguments.graph, &text));
  } else {
    if (arguments.json) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("{}: --json: expected a package or an .mlpackage, found a file",
                              arguments.path));
    }
    HW_TRY_VOID(InspectGguf(arguments.path, &text));
  }
  return WriteOut(text);
}

}  // namespace headway::cli
