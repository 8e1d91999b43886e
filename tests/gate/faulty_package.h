#pragma once

// Packages with one thing wrong that no digest shows: the fault is made while the package is.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "device/emitter.h"
#include "model_fixture.h"

namespace headway::gate_test {

// Changes the values [64, columns] of one tile, in place.
using TileEdit = std::function<void(std::vector<float>* values, int64_t columns)>;

struct Fault {
  std::string shard;   // file name; empty: none
  std::string weight;  // a matrix of that shard
  int64_t tile = 0;
  TileEdit edit;
};

// Packs `gguf_path` (one layer a shard, heads full:2) into `directory`, with goldens, and with the
// fault put into the shard file as the emitter would have written it. A failure is a test failure.
void PackWith(const Fault& fault, const std::string& gguf_path, const std::string& reference_path,
              const std::string& directory);

// A copy of a phi3 file without rotary factors that rotates `channels` of each head.
void CopyWithRotary(const std::string& from, const std::string& to, uint32_t channels);

}  // namespace headway::gate_test
