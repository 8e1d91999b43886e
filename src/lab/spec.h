#pragma once

// What an experiment is: the file that `headway lab` takes (docs/lab.md).

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/devices.h"

namespace headway::lab {

struct VariantSpec {
  std::string name;  // unique; what tables and plots call it
  std::string device = kDefaultDevice;
  std::string topology = "6";
  std::string head = "full:4";
  std::string weights;       // of devices that store them anew ("int8"); empty: the device's own
  int64_t batch_tokens = 1;  // T: hidden states a step
  int threads = 0;           // 0: the experiment's
  std::string expect;  // "better", "tied", "worse" or empty: what the author believes beforehand
  std::string note;    // shown beside it
  friend bool operator==(const VariantSpec&, const VariantSpec&) = default;
};

// Which time is compared, in nanoseconds a token.
enum class Metric : uint8_t { kHead, kLayers, kStep };

struct Spec {
  std::string name;  // of the report's files: [a-z0-9-]+
  std::string title;
  std::string intent;
  std::string model;     // a GGUF
  std::string baseline;  // a variant's name
  std::vector<VariantSpec> variants;
  bool gates = true;
  Metric metric = Metric::kHead;
  int warm_up = 2;           // rounds that are not counted
  int repeats = 20;          // rounds that are
  int64_t tokens = 32;       // decoded by each variant in a round
  int64_t context = 64;      // tokens before them
  int threads = 0;           // 0: all processors
  std::string load = "map";  // how weights come into memory: map, copy, auto
  double at_least = 0.0;     // better: the whole interval of the ratio lies below 1 - at_least
  bool search_topology = false;
  std::vector<std::string> references;
};

const char* ToString(Metric metric);

// `where` names the text in messages. Errors: kInvalidInput with the place inside the file, what
// was expected and what was found.
Result<Spec> ParseSpec(const std::string& text, const std::string& where);

}  // namespace headway::lab
