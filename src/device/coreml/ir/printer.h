#pragma once

// A program as text, for people and for golden comparisons: one line an operation, small constants
// in place of the const ops that hold them, blobs as `@offset`. What `headway inspect X.mlpackage`
// shows.

#include <string>

#include "device/coreml/ir/model.h"

namespace headway::mil {

struct PrintOptions {
  bool show_const_ops = false;    // false: const ops are folded into their uses
  int max_constant_elements = 8;  // longer constants are shown as their type
};

std::string PrintFunction(const std::string& name, const Function& function,
                          const PrintOptions& options = {});
std::string PrintProgram(const Program& program, const PrintOptions& options = {});

// Description, metadata and program.
std::string PrintModel(const Model& model, const PrintOptions& options = {});

// "mul 27, add 16, ..." by falling count, and the totals.
std::string PrintHistogram(const Histogram& histogram);

}  // namespace headway::mil
