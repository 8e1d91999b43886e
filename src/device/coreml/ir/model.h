#pragma once

// A Core ML model of ML Program type: the program and the description that applications see.
// Apple's own tools write the description from the program and nobody compares the two on reading;
// VerifyModel (verify.h) does. Source: Model.proto, FeatureTypes.proto (facts of the format).

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "device/coreml/ir/program.h"

namespace headway::mil {

// Lengths an axis may have; upper < 0: unbounded.
struct DimRange {
  uint64_t lower = 1;
  int64_t upper = 1;
  friend bool operator==(const DimRange&, const DimRange&) = default;
};

enum class Flexibility : uint8_t { kFixed, kRange, kEnumerated };

// A multi-array in, out or between calls (state). Other feature types (images, dictionaries) are
// rejected by the parser.
struct Feature {
  std::string name;
  std::string description;
  DType dtype = DType::kF16;  // fp16, fp32, fp64, int32, int8
  Dims shape;                 // default shape; empty for outputs with a flexible axis
  Flexibility flexibility = Flexibility::kFixed;
  std::vector<DimRange> ranges;  // kRange: one per axis
  std::vector<Dims> enumerated;  // kEnumerated
  bool is_optional = false;
};

// The features of one function.
struct FunctionDescription {
  std::string name = "main";
  std::vector<Feature> inputs;  // states are not among them
  std::vector<Feature> outputs;
  std::vector<Feature> states;
};

struct Metadata {
  std::string short_description;
  std::string version;
  std::string author;
  std::string license;
  std::map<std::string, std::string> user_defined;
};

struct Model {
  int specification_version = 9;
  std::vector<FunctionDescription>
      functions;                 // one called "main", or several (specification 9 and later)
  std::string default_function;  // with several functions
  Metadata metadata;
  Program program;

  // The description of function `name`; null when there is none.
  const FunctionDescription* Find(const std::string& name) const {
    for (const FunctionDescription& function : functions) {
      if (function.name == name) return &function;
    }
    return nullptr;
  }
};

}  // namespace headway::mil
