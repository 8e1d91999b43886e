#pragma once

// manifest.json: what a package holds and what may be expected of it. This folder reads, writes and
// checks it; it knows neither graphs nor weights. Schema: docs/formats/manifest.md.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "manifest/model_config.h"

namespace headway {

// Where the ops of a shard's program are expected to run, in the shape of a device's own report.
struct ExpectedOps {
  std::string basis;  // "predicted"
  int64_t compute_total = 0;
  int64_t compute_ane = 0;        // of these on the accelerator
  int64_t compute_contested = 0;  // of those where evidence leaves it open
  int64_t conv_total = 0;
  int64_t conv_ane = 0;
  std::map<std::string, int64_t> histogram = {};  // compute ops by name
  friend bool operator==(const ExpectedOps&, const ExpectedOps&) = default;
};

// A file of the package, or a directory (a Core ML package). `path` is relative to the manifest,
// without "..".
struct FileEntry {
  std::string path;
  uint64_t bytes = 0;       // of all files below a directory
  std::string digest;       // XXH3-128, hexadecimal; of a directory: base/file_tree.h
  std::string blocks = {};  // TreeDigest::blocks; empty in packages of earlier versions
  // Of programs with a fixed step: "1", "4", or "1..4" for any width in between; "1,4" when there
  // are several in the one file. Empty: any.
  std::string tokens = {};
  std::optional<ExpectedOps> expected = std::nullopt;
  friend bool operator==(const FileEntry&, const FileEntry&) = default;
};

// Fused transformer layers [start, end).
struct LayerShard {
  int64_t start = 0;
  int64_t end = 0;
  FileEntry file;
  // The same layers for other numbers of tokens a step, in packages of earlier versions.
  std::vector<FileEntry> wider = {};
  friend bool operator==(const LayerShard&, const LayerShard&) = default;
};

// Rows [vocab_start, vocab_end) of the LM head.
struct HeadShard {
  int64_t shard_index = 0;
  int64_t vocab_start = 0;
  int64_t vocab_end = 0;
  FileEntry file;
  std::vector<FileEntry> wider = {};  // the same rows, likewise
  friend bool operator==(const HeadShard&, const HeadShard&) = default;
};

// Rows of the head once more, in a shard of their own: those that a reduced head computes first.
struct FirstRows {
  FileEntry file;
  std::vector<int32_t> ids;  // ascending; row i of the shard is row ids[i] of the head
  friend bool operator==(const FirstRows&, const FirstRows&) = default;
};

struct HeadSpec {
  std::string kind;  // "full:4"
  std::vector<HeadShard> shards;
  std::optional<FileEntry> planes = std::nullopt;  // certified and reduced heads
  std::optional<FirstRows> first = std::nullopt;   // reduced heads
  // What the host multiplies where the shards are programs that screen rows on a device.
  std::optional<FileEntry> rows = std::nullopt;
  friend bool operator==(const HeadSpec&, const HeadSpec&) = default;
};

// Identifies the rows of a head: the digest of `rows`, or one of those of its shards. 32
// hexadecimal digits.
std::string RowsDigest(const HeadSpec& head);

struct Manifest;
// The head of that kind ("full:4"); null when the package has none.
const HeadSpec* FindHead(const Manifest& manifest, const std::string& kind);

// What a gate said about the package when it was last asked (docs/gates.md).
struct GateRecord {
  std::string gate;  // "residency", "arithmetic", "quality"
  bool passed = false;
  // Not passed, and not failed either: a prediction that rests on evidence for and against.
  bool contested = false;
  std::string basis;   // "measured", or "predicted" where the device was not there
  std::string detail;  // one line: what was compared, or what failed
  bool Failed() const { return !passed && !contested; }
  std::string_view Verdict() const {
    return passed ? "passed" : contested ? "contested" : "failed";
  }
  friend bool operator==(const GateRecord&, const GateRecord&) = default;
};

// How the first head was chosen where none was named (docs/certified_head.md, "--head auto").
struct AutoHead {
  // What a token of the certified head was expected to cost, in full passes of the head; nothing: by
  // its shape alone it could not pay, or there was nothing to judge by.
  std::optional<double> forecast = std::nullopt;
  friend bool operator==(const AutoHead&, const AutoHead&) = default;
};

struct Manifest {
  static constexpr int kSchema = 2;  // 2: shards of the cpu device in version 2

  std::string producer;       // "headway 0.1.0"
  std::string source_file;    // the model file's name, for people
  std::string source_digest;  // of all its bytes, after kWholeFile
  std::string device;         // "cpu", "coreml"
  std::string weights;        // how they are stored, where the device has a choice: "int8"
  // With which the device's programs hold hidden states, a power of two (docs/gates.md, "16-bit
  // floats"); what runs them applies and undoes it.
  float residual_scale = 1.0F;
  int64_t max_seq = 0;  // positions that the shards' caches hold; 0: as the model
  ModelConfig model;
  FileEntry tokenizer;                 // a GGUF with metadata only
  std::optional<FileEntry> embedding;  // absent: rows are read from the first head (tied)
  std::vector<LayerShard> layers;      // ascending, without gap or overlap
  std::vector<HeadSpec> heads;         // the first is the default
  std::optional<AutoHead> auto_head = std::nullopt;  // absent: the heads were named
  std::optional<FileEntry> goldens = std::nullopt;   // what the golden gate compares with
  std::vector<GateRecord> gates = {};                // empty: never gated

  // The longest sequence.
  int64_t ContextTokens() const {
    return max_seq > 0 ? std::min(max_seq, model.max_position_embeddings)
                       : model.max_position_embeddings;
  }
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// The text of manifest.json, its own digest included. Deterministic.
std::string ToJson(const Manifest& manifest);

// One entry as a line of JSON, and back: for journals of unfinished packages. Errors: kCorrupt.
std::string ToJsonLine(const FileEntry& file);
Result<FileEntry> FileEntryFromJsonLine(const std::string& line);

// Parses and checks schema version, digest, coverage of layers and vocabulary, and paths. `where`
// names the file in messages. Errors: kCorrupt, kUnsupported (schema).
Result<Manifest> ManifestFromJson(const std::string& text, const std::string& where);

// Reads DIRECTORY/manifest.json and checks that every file exists with its size; with
// `verify_contents` also the digests (reads everything). Errors: kNotFound (not a package),
// kCorrupt.
Result<Manifest> OpenManifest(const std::string& directory, bool verify_contents);

// Whether DIRECTORY/manifest.json is a manifest of ours, of this version or another, damaged or
// not: what may be replaced. Other programs have files of that name, too.
bool IsPackageOfAnyVersion(const std::string& directory);

// A file or folder in such a DIRECTORY that its manifest does not name: somebody else's, which must
// not go with the package. Of a Core ML package that it names, what Core ML's are made of is the
// package's. Nothing: all are.
std::optional<std::string> FileBesidePackage(const std::string& directory);

// The entries of all files of the package, each once, the manifest's own excepted; valid as long as
// `manifest`.
std::vector<const FileEntry*> AllFiles(const Manifest& manifest);

// Begins a source_digest. Earlier versions wrote a digest of a file's ends, without it.
inline constexpr const char* kWholeFile = "all:";

inline constexpr const char* kManifestFileName = "manifest.json";

}  // namespace headway
