#pragma once

// Packages of the model in the box, or of tiny ones, opened as on a Mac, where Core ML is the stand-in.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "behaviour.h"
#include "engine/open.h"
#include "engine/session.h"

namespace headway::apple_test {

// What a package is made for.
struct Form {
  std::vector<std::string> heads = {"full:4"};
  std::string widths = "1";
  std::string states = "per-layer";
  std::string topology = "2";
  bool goldens = false;
  std::string shape = {};  // of a synthetic model; empty: models/story-12m.gguf
  std::optional<float> residual_scale = std::nullopt;
};

// The package of that form; made once a process.
std::string StoryPackage(const Form& form = {});

struct Decoded {
  std::vector<int32_t> tokens;
  uint64_t logits_hash = 0;
  uint64_t kv_bytes = 0;
  std::string error;  // empty: none
};

// Greedy text after a prompt of some tokens.
Decoded Decode(OpenedModel* model, int64_t count);

// Opens with those compute units ("interpreter": ours; empty: Core ML). Each test has a cache of its
// own.
class AppleTest : public testing::Test {
 protected:
  AppleTest();
  ~AppleTest() override;

  Result<std::unique_ptr<OpenedModel>> Open(const std::string& package,
                                            const std::string& compute_units = "",
                                            const std::string& head = "") const;
  // A failure is a failure of the test.
  Decoded DecodeOn(const std::string& package, const std::string& compute_units, int64_t count,
                   const std::string& head = "") const;
  const std::string& Cache() const { return cache_; }

 private:
  const std::string cache_;
};

}  // namespace headway::apple_test
