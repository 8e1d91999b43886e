#pragma once

// The programs of one shard, one a width, ready to run. Inside this folder only.

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "device/coreml/package/package.h"
#include "device/coreml/runner.h"

namespace headway::coreml {

// One function of a package and what runs it.
struct LoadedProgram {
  std::string path;
  std::shared_ptr<const mil::Package> package;  // of all its functions
  std::string function;                         // "main", or "t4" among several
  const mil::Function* main = nullptr;          // of that name
  std::unique_ptr<Runner> runner;

  LoadedProgram() = default;
  LoadedProgram(const LoadedProgram&) = delete;  // the runner points at it
  LoadedProgram& operator=(const LoadedProgram&) = delete;

  // The declared type of an input or state; null when there is none of that name and kind.
  const mil::TensorType* Input(const std::string& name) const;
};

// A number of tokens that a program can be run with.
struct Width {
  int64_t tokens = 0;
  LoadedProgram* program = nullptr;
};

// Reads and verifies the packages, and makes a runner for each of their functions. Errors: those of
// mil::ReadPackage and of RunnerSource::Open.
Result<std::vector<std::unique_ptr<LoadedProgram>>> OpenPrograms(std::span<const std::string> paths,
                                                                 RunnerSource* source);

// The widths of programs whose input `input` has its tokens on axis 2, ascending: the fixed ones,
// and 1 and the largest of flexible ones. Errors: kCorrupt.
Result<std::vector<Width>> WidthsOf(const std::vector<std::unique_ptr<LoadedProgram>>& programs,
                                    const std::string& input);

// The smallest width that takes `tokens`, or the largest.
const Width& PickWidth(const std::vector<Width>& widths, int64_t tokens);

// Prepares the runner for these inputs; the program must give at least these outputs, as fp16.
// Errors: kCorrupt, kUnsupported, kIo.
Result<void> Plan(const LoadedProgram& program, const std::map<std::string, mil::Dims>& inputs,
                  const std::map<std::string, mil::Dims>& outputs);

// An error about the package at `path`.
tl::unexpected<Error> BadProgram(const std::string& path, const std::string& message);

}  // namespace headway::coreml
