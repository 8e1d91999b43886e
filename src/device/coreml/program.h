#pragma once

// The programs of one shard, one a width, ready to be interpreted. Inside this folder only.

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "device/coreml/package/package.h"
#include "device/coreml/run/interpreter.h"

namespace headway::coreml {

// One function of a package and its interpreter.
struct LoadedProgram {
  std::string path;
  std::shared_ptr<const mil::Package> package;  // of all its functions
  std::string function;                         // "main", or "t4" among several
  const mil::Function* main = nullptr;          // of that name
  std::unique_ptr<mil::Interpreter> interpreter;

  // The declared type of an input or state; null when there is none of that name and kind.
  const mil::TensorType* Input(const std::string& name) const;
};

// A number of tokens that a program can be run with.
struct Width {
  int64_t tokens = 0;
  LoadedProgram* program = nullptr;
};

// Reads, verifies and wraps the functions of the packages. `keep_bytes`: decoded weights that may stay in memory;
// lowered by what is used. Errors: those of mil::ReadPackage.
Result<std::vector<std::unique_ptr<LoadedProgram>>> OpenPrograms(std::span<const std::string> paths,
                                                                 ThreadPool* pool,
                                                                 int64_t* keep_bytes);

// The widths of programs whose input `input` has its tokens on axis 2, ascending: the fixed ones,
// and 1 and the largest of flexible ones. Errors: kCorrupt.
Result<std::vector<Width>> WidthsOf(const std::vector<std::unique_ptr<LoadedProgram>>& programs,
                                    const std::string& input);

// The smallest width that takes `tokens`, or the largest.
const Width& PickWidth(const std::vector<Width>& widths, int64_t tokens);

// Makes the plan for these inputs; the program must give at least these outputs, as floats.
// Errors: kCorrupt, kUnsupported.
Result<void> Plan(const LoadedProgram& program, const std::map<std::string, mil::Dims>& inputs,
                  const std::map<std::string, mil::Dims>& outputs);

// An error about the package at `path`.
tl::unexpected<Error> BadProgram(const std::string& path, const std::string& message);

}  // namespace headway::coreml
