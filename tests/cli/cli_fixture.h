#pragma once

// The command line tool, a folder of its own for each test, and models that are right or wrong in
// one way.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "process.h"

namespace headway::cli_test {

using Args = std::vector<std::string>;

// A copy of a GGUF with something wrong in it.
struct GgufEdit {
  std::string without_key = {};
  std::pair<std::string, std::string> string_value = {};  // key, new value
  std::string without_tensor = {};
  std::string halved_tensor = {};  // half the rows
};

std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& bytes);

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Below the test's folder.
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  // A model of 0.9 MB: 2 layers, 320 tokens, 512 tokens of context, no beginning-of-text token.
  // Made at the first call.
  std::string TinyPhi();
  // Its package, with the heads full:1 to full:4.
  std::string Package();
  std::string EditedGguf(const std::string& name, const GgufEdit& edit);

  // headway ARGS..., with a cache directory inside the folder.
  Outcome Headway(const Args& args, ProcessOptions options = {}) const;
  // The same; expects status 0.
  Outcome HeadwayOk(const Args& args, ProcessOptions options = {}) const;
  // The same; expects a refusal: status 2, nothing on stdout, one line on stderr that contains each
  // of `parts`, nothing new on disk.
  void ExpectRefused(const Args& args, const std::vector<std::string>& parts,
                     ProcessOptions options = {}) const;
  // The files and folders in `path`, sorted.
  static std::vector<std::string> List(const std::string& path);

 private:
  std::string folder_;
};

}  // namespace headway::cli_test
