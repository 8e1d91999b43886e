#pragma once

// What the golden gate compares with: recorded from the model file when a package is made, carried
// by the package as goldens.bin (docs/formats/goldens.md). Independent of topology and heads:
// hidden states are recorded at every layer boundary, logits for the whole vocabulary.
//
// Symbols: T positions, L layers, D hidden_size, V vocabulary, P probes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "manifest/manifest.h"

namespace headway {

inline constexpr const char* kGoldensFileName = "goldens.bin";

// Probes of a single product. Two, because one can be near zero in a channel by chance.
inline constexpr int64_t kProbes = 2;

// One matrix of the model times the probe inputs.
struct ProductGolden {
  std::string weight;  // the model file's name
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<float> y;  // [P, rows]
  // Of each row, where the device stores rows in a form of its own; else empty, as in goldens
  // recorded before there were any. `y` is then exact, too: no roundings of the device's.
  std::vector<float> norms = {};
  friend bool operator==(const ProductGolden&, const ProductGolden&) = default;
};

struct Goldens {
  std::string device;  // whose roundings the oracle imitated: "cpu"
  int64_t num_layers = 0;
  int64_t hidden_size = 0;
  int64_t vocab_size = 0;
  std::vector<int32_t> ids;  // [T], teacher-forced from position 0

  // By the oracle, on the weights as the package stores them.
  std::vector<float> hidden;  // [L + 1, T, D]: before layer l; the last one before the final norm
  std::vector<float> logits;  // [T, V]
  std::vector<ProductGolden> products;

  // By the straight-line reference, on the model file's weights in double precision.
  std::vector<float> final_gain;        // [D], of the norm before the head
  std::vector<float> reference_hidden;  // [T, D], after the final norm
  std::vector<float> reference_logits;  // [T, V]

  int64_t NumTokens() const { return static_cast<int64_t>(ids.size()); }
  // Rows of `hidden` before layer `layer`, [T, D].
  const float* HiddenBefore(int64_t layer) const {
    return hidden.data() + layer * NumTokens() * hidden_size;
  }
  // Whether the products are of the model file's rows, with their norms.
  bool HasRowNorms() const { return !products.empty() && !products.front().norms.empty(); }
  // Null: no such matrix.
  const ProductGolden* Find(std::string_view weight) const;
  friend bool operator==(const Goldens&, const Goldens&) = default;
};

// The probe inputs [P, columns] for a matrix: values in [-1, 1), the same on every machine.
std::vector<float> ProbeInputs(const std::string& weight, int64_t columns);

// Writes DIRECTORY/goldens.bin; the entry's path is set. Errors: kIo.
Result<FileEntry> WriteGoldens(const Goldens& goldens, const std::string& directory);

// `where` names the bytes in messages. Errors: kCorrupt, with what does not fit.
Result<Goldens> ParseGoldens(std::span<const std::byte> bytes, const std::string& where);
// The same, of a file. Errors: also kNotFound, kIo.
Result<Goldens> ReadGoldens(const std::string& path);

}  // namespace headway
