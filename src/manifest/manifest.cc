#include "manifest/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <utility>

#include "base/directory.h"
#include "base/file_tree.h"
#include "base/file_writer.h"
#include "manifest/json_io.h"

namespace headway {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxManifestBytes = uint64_t{64} << 20;

tl::unexpected<Error> Corrupt(const std::string& where, const std::string& message) {
  return Fail(ErrorCode::kCorrupt, fmt::format("{}: {}", where, message));
}

bool IsSafePath(const std::string& path) {
  if (path.empty() || path.front() == '/') return false;
  for (const fs::path& part : fs::path(path)) {
    if (part == "..") return false;
  }
  return true;
}

Result<void> CheckFirstRows(const HeadSpec& head, int64_t vocab_size, const std::string& where) {
  if (!head.first) return {};
  const std::vector<int32_t>& ids = head.first->ids;
  const bool ascend =
      std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
  if (head.planes && !ids.empty() && ascend && ids.front() >= 0 && ids.back() < vocab_size)
    return {};
  return Corrupt(where, fmt::format("head {}: expected planes beside its first rows, and their ids "
                                    "ascending from 0 to {}",
                                    head.kind, vocab_size - 1));
}

Result<void> CheckCoverage(const Manifest& manifest, const std::string& where) {
  int64_t next = 0;
  for (const LayerShard& shard : manifest.layers) {
    if (shard.start != next || shard.end <= shard.start) {
      return Corrupt(
          where,
          fmt::format("layer shards: expected the next one to start at layer {}, found [{}, {})",
                      next, shard.start, shard.end));
    }
    next = shard.end;
  }
  if (next != manifest.model.num_hidden_layers) {
    return Corrupt(where, fmt::format("layer shards: expected layers [0, {}), found [0, {})",
                                      manifest.model.num_hidden_layers, next));
  }
  if (manifest.heads.empty()) return Corrupt(where, "expected at least one head, found none");
  for (const HeadSpec& head : manifest.heads) {
    int64_t row = 0;
    for (const HeadShard& shard : head.shards) {
      if (shard.vocab_start != row || shard.vocab_end <= shard.vocab_start) {
        return Corrupt(
            where,
            fmt::format("head {}: expected the next shard to start at token {}, found [{}, {})",
                        head.kind, row, shard.vocab_start, shard.vocab_end));
      }
      row = shard.vocab_end;
    }
    HW_TRY_VOID(CheckFirstRows(head, manifest.model.vocab_size, where));
    if (row != manifest.model.vocab_size) {
      return Corrupt(where, fmt::format("head {}: expected tokens [0, {}), found [0, {})",
                                        head.kind, manifest.model.vocab_size, row));
    }
  }
  return {};
}

// What buffers are sized by and indexed with.
Result<void> CheckModel(const ModelConfig& model, const std::string& where) {
  constexpr int64_t kMost = int64_t{1} << 31;
  const auto bad = [&](const char* what, int64_t found) {
    return Corrupt(where, fmt::format("model: {}: unexpected {}", what, found));
  };
  const std::pair<const char*, int64_t> sizes[] = {
      {"hidden_size", model.hidden_size},
      {"intermediate_size", model.intermediate_size},
      {"num_hidden_layers", model.num_hidden_layers},
      {"num_attention_heads", model.num_attention_heads},
      {"num_key_value_heads", model.num_key_value_heads},
      {"head_dim", model.head_dim},
      {"vocab_size", model.vocab_size},
      {"rotary_dim", model.rotary_dim},
      {"sliding_window", model.sliding_window}};
  for (const auto& [what, size] : sizes) {
    if (size < 0 || size > kMost) return bad(what, size);
  }
  if (model.max_position_embeddings < 0 || model.max_position_embeddings > (int64_t{1} << 40))
    return bad("max_position_embeddings", model.max_position_embeddings);
  for (const std::vector<float>* factors : {&model.rope_short_factors, &model.rope_long_factors}) {
    const auto found = static_cast<int64_t>(factors->size());
    if (found == 0 || found == model.rotary_dim / 2) continue;
    return Corrupt(where, fmt::format("model: expected {} rotary factors or none, found {}",
                                      model.rotary_dim / 2, found));
  }
  return {};
}

Result<void> CheckFile(const std::string& directory, const FileEntry& file, bool verify_contents) {
  const std::string path = (fs::path(directory) / file.path).string();
  const Result<uint64_t> found = TreeBytes(path);
  if (!found) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: the manifest lists this file, but it cannot be read: {}", path,
                            found.error().message));
  }
  if (*found != file.bytes) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: expected {} bytes, found {} (truncated or replaced; pack again)",
                            path, file.bytes, *found));
  }
  if (!verify_contents) return {};
  HW_TRY(const TreeDigest tree, DigestTree(path));
  if (tree.digest != file.digest) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: expected digest {}, found {} (altered; pack again)", path,
                            file.digest, tree.digest));
  }
  return {};
}

// In place of the directories that are Core ML packages: their files (docs/formats/coreml_package.md).
std::set<std::string> FilesOf(const std::set<std::string>& named) {
  std::set<std::string> files;
  for (const std::string& path : named) {
    if (fs::path(path).extension() != ".mlpackage") {
      files.insert(path);
      continue;
    }
    for (const char* file : {"Manifest.json", "Data/com.apple.CoreML/model.mlmodel",
                             "Data/com.apple.CoreML/weights/weight.bin"})
      files.insert((fs::path(path) / file).string());
  }
  return files;
}

}  // namespace

std::vector<const FileEntry*> AllFiles(const Manifest& manifest) {
  std::vector<const FileEntry*> files = {&manifest.tokenizer};
  if (manifest.embedding) files.push_back(&*manifest.embedding);
  if (manifest.goldens) files.push_back(&*manifest.goldens);
  const auto add = [&files](const auto& shard) {
    files.push_back(&shard.file);
    for (const FileEntry& file : shard.wider) files.push_back(&file);
  };
  for (const LayerShard& shard : manifest.layers) add(shard);
  for (const HeadSpec& head : manifest.heads) {
    for (const HeadShard& shard : head.shards) add(shard);
    if (head.planes) files.push_back(&*head.planes);
    if (head.first) files.push_back(&head.first->file);
    if (head.rows) files.push_back(&*head.rows);
  }
  // Heads may share shards and planes.
  std::vector<const FileEntry*> once;
  for (const FileEntry* file : files) {
    if (std::none_of(once.begin(), once.end(),
                     [&](const FileEntry* other) { return other->path == file->path; }))
      once.push_back(file);
  }
  return once;
}

const HeadSpec* FindHead(const Manifest& manifest, const std::string& kind) {
  for (const HeadSpec& head : manifest.heads) {
    if (head.kind == kind) return &head;
  }
  return nullptr;
}

std::string RowsDigest(const HeadSpec& head) {
  if (head.rows) return head.rows->digest;
  StreamingDigest digest;
  for (const HeadShard& shard : head.shards) {
    digest.Update(std::as_bytes(std::span<const char>(shard.file.digest)));
  }
  return digest.Hex();
}

Result<Manifest> ManifestFromJson(const std::string& text, const std::string& where) {
  HW_TRY(Manifest manifest, ParseManifestJson(text, where));
  for (const FileEntry* file : AllFiles(manifest)) {
    if (!IsSafePath(file->path)) {
      return Corrupt(where,
                     fmt::format("expected a path inside the package, found '{}'", file->path));
    }
  }
  HW_TRY_VOID(CheckModel(manifest.model, where));
  if (manifest.max_seq < 0)
    return Corrupt(where, fmt::format("max_seq: expected 0 or more, found {}", manifest.max_seq));
  HW_TRY_VOID(CheckCoverage(manifest, where));
  return manifest;
}

bool IsPackageOfAnyVersion(const std::string& directory) {
  const auto text =
      ReadTextFile((fs::path(directory) / kManifestFileName).string(), kMaxManifestBytes);
  return text && LooksLikeManifest(*text);
}

std::optional<std::string> FileBesidePackage(const std::string& directory) {
  const auto text =
      ReadTextFile((fs::path(directory) / kManifestFileName).string(), kMaxManifestBytes);
  std::set<std::string> named = text ? PathsInManifest(*text) : std::set<std::string>();
  named.insert(kManifestFileName);
  named = FilesOf(named);
  std::set<std::string> folders;  // that hold some of them
  for (const std::string& path : named) {
    if (!IsSafePath(path)) continue;  // names nothing in it
    for (fs::path up = fs::path(path).parent_path(); !up.empty(); up = up.parent_path())
      folders.insert(up.string());
  }
  // Those folders and what is in them.
  folders.insert("");
  for (const std::string& folder : folders) {
    const auto names = NamesIn((fs::path(directory) / folder).string());
    if (!names) continue;
    for (const std::string& name : *names) {
      const std::string path = (fs::path(folder) / name).string();
      if (name == ".DS_Store") continue;  // a Mac's Finder leaves one in each folder it shows
      if (named.count(path) == 0 && folders.count(path) == 0) return path;
    }
  }
  return std::nullopt;
}

Result<Manifest> OpenManifest(const std::string& directory, bool verify_contents) {
  const std::string path = (fs::path(directory) / kManifestFileName).string();
  std::error_code error;
  if (!fs::exists(path, error)) {
    return Fail(ErrorCode::kNotFound, fmt::format("{}: expected a package (a directory with {}), "
                                                  "found none; make one with 'headway pack'",
                                                  directory, kManifestFileName));
  }
  HW_TRY(const std::string text, ReadTextFile(path, kMaxManifestBytes));
  HW_TRY(Manifest manifest, ManifestFromJson(text, path));
  std::set<std::string> checked;
  for (const FileEntry* file : AllFiles(manifest)) {
    if (checked.insert(file->path).second)
      HW_TRY_VOID(CheckFile(directory, *file, verify_contents));
  }
  return manifest;
}

}  // namespace headway
