#pragma once

// Models in several files, as llama.cpp's gguf-split writes them: NAME-00001-of-0000N.gguf to
// NAME-0000N-of-0000N.gguf, each a GGUF with the keys split.no (from 0), split.count and
// split.tensors.count (of all parts). The first part has the model's metadata, the tensors are
// spread over all. GgufFile::Open() takes any part and opens all. Format: docs/formats/gguf.md.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "gguf/gguf_writer.h"

namespace headway::gguf {

inline constexpr uint32_t kMaxParts = 1024;

// What the name of a part says.
struct SplitName {
  std::string stem;     // all before "-00001-of-00003.gguf"
  uint32_t number = 0;  // from 1
  uint32_t count = 0;
};

// nullopt when `path` is not the name of a part.
std::optional<SplitName> ParseSplitName(std::string_view path);
// The inverse.
std::string SplitPath(std::string_view stem, uint32_t number, uint32_t count);

// What a part says of itself.
struct SplitKeys {
  uint32_t index = 0;  // from 0
  uint32_t count = 0;
  uint32_t tensors = 0;  // of all parts
};

// nullopt for a file that is a whole model. Errors: kNotFound, kInvalidInput (of the three keys).
Result<std::optional<SplitKeys>> SplitKeysOf(const GgufFile& file);
void AddSplitKeys(const SplitKeys& keys, GgufWriter* writer);

// The files of the model that `path` is, or is a part of, in order. A path that is not named as a
// part stands for itself, unopened. Errors: those of GgufFile::Open().
Result<std::vector<std::string>> PartPaths(const std::string& path);

// One digest of several files' digests; a single one is the digest of its file.
std::string JoinDigests(std::span<const std::string> digests);

// The digest of every byte of the model that `path` is, or is a part of. Errors: as PartPaths(),
// kNotFound, kIo.
Result<std::string> ModelDigestHex(const std::string& path);

}  // namespace headway::gguf
