// headway inspect: what is in a GGUF, a package or a Core ML package.

#include <fmt/format.h>

#include <filesystem>
#include <iterator>
#include <utility>

#include "commands.h"
#include "device/shard_description.h"
#include "engine/devices.h"
#include "gguf/gguf_file.h"
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
  if (file.NumParts() > 1) {
    for (size_t part = 0; part < file.NumParts(); ++part)
      Append(out, "part {} of {}: {}\n", part + 1, file.NumParts(), file.PartPath(part));
    Append(out, "\n");
  }
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
         "  {} token{} a step; {}{}: {} of {} compute ops, {} of {} convs on the Neural Engine\n",
         file.tokens, file.tokens == "1" ? "" : "s", ops.basis,
         ops.compute_contested > 0 ? ", contested" : "", ops.compute_ane, ops.compute_total,
         ops.conv_ane, ops.conv_total);
}

template <class Shard>
void PrintShard(const std::string& what, const Shard& shard, std::string* out) {
  PrintFile(what, shard.file, out);
  for (const FileEntry& file : shard.wider) PrintFile(what, file, out);
}

// A program of a device that is not here: where it is predicted to run, too.
void PrintProgram(const std::string& path, const ShardDescription& program, std::string* out) {
  Append(out, "{}: {}, weights {}\n\n{}\n", path, program.form,
         FormatBytes(static_cast<double>(program.weight_bytes)), program.text);
  if (!program.problem.empty()) Append(out, "does not verify: {}\n", program.problem);
  for (const PlacedFunction& function : program.functions)
    Append(out, "function {}: {}", function.name, function.text);
}

Result<void> PrintGraph(const Device& device, const std::string& directory, const FileEntry& file,
                        std::string* out) {
  const std::string path = (fs::path(directory) / file.path).string();
  HW_TRY(const ShardDescription shard, device.describe(path));
  Append(out, "\n# ");
  if (shard.form.empty()) {
    Append(out, "{}\n{}", file.path, shard.text);
  } else {
    PrintProgram(path, shard, out);
  }
  return {};
}

// What a token's keys and values take.
std::string CacheLine(const DeviceTraits& device, const Manifest& manifest) {
  const ModelConfig& m = manifest.model;
  const auto bytes = [&m](KvType type) {
    const int64_t head = 2 * kernels::KvTileBytes(type, m.head_dim) / kernels::kKeyTile;
    return FormatBytes(static_cast<double>(m.num_hidden_layers * m.num_key_value_heads * head));
  };
  std::string line = fmt::format("{} a token in f16", bytes(KvType::kF16));
  if (device.stores_q8_kv && m.head_dim % kernels::kKvBlock == 0) {
    line += fmt::format(", {} in q8_0 (--kv q8_0)", bytes(KvType::kQ8_0));
  }
  return line;
}

Result<void> InspectPackage(const std::string& directory, bool with_graphs, std::string* out) {
  HW_TRY(const Manifest manifest, OpenManifest(directory, false));
  const auto device = FindDevice(manifest.device);  // of packages that this build cannot run, too
  const ModelConfig& m = manifest.model;
  Append(out, "{}: package for {}, made by {} from {}\n\n", directory, manifest.device,
         manifest.producer, manifest.source_file);
  Append(out, "model       {} ({})\n", m.name, m.architecture);
  Append(out, "layers      {} x hidden {}, feed-forward {}\n", m.num_hidden_layers, m.hidden_size,
         m.intermediate_size);
  Append(out, "attention   {} heads, {} kv heads of {}; rotary {} of {} channels{}\n",
         m.num_attention_heads, m.num_key_value_heads, m.head_dim, m.rotary_dim, m.head_dim,
         m.rope_pairs ? ", adjacent pairs" : ", halves");
  Append(out, "cache       {}\n", CacheLine(device ? (*device)->traits : DeviceTraits{}, manifest));
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
  if (!device) return tl::unexpected<Error>(device.error());
  for (const LayerShard& shard : manifest.layers)
    HW_TRY_VOID(PrintGraph(**device, directory, shard.file, out));
  for (const HeadSpec& head : manifest.heads) {
    for (const HeadShard& shard : head.shards)
      HW_TRY_VOID(PrintGraph(**device, directory, shard.file, out));
  }
  return {};
}

// The package with every program in it.
Result<std::string> PackageJson(const std::string& directory) {
  HW_TRY(const Manifest manifest, OpenManifest(directory, false));
  const auto device = FindDevice(manifest.device);
  std::vector<PlacedProgram> programs;
  for (const FileEntry* file : AllFiles(manifest)) {
    const bool placed = device && (*device)->is_package != nullptr &&
                        file->path.ends_with((*device)->traits.shard_suffix);
    if (!placed) continue;
    HW_TRY(ShardDescription program,
           (*device)->describe((fs::path(directory) / file->path).string()));
    programs.push_back({.path = file->path, .description = std::move(program)});
  }
  return InspectJson(directory, manifest, programs);
}

}  // namespace

Result<void> Run(const InspectArguments& arguments) {
  std::error_code error;
  std::string text;
  const Device* const device = DeviceOfPackage(arguments.path);
  if (device != nullptr && !fs::exists(fs::path(arguments.path) / kManifestFileName, error)) {
    HW_TRY(ShardDescription program, device->describe(arguments.path));
    if (arguments.json)
      return WriteJson(InspectJson({.path = arguments.path, .description = std::move(program)}));
    PrintProgram(arguments.path, program, &text);
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
