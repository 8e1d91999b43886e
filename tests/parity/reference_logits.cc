#include "reference_logits.h"

#include <gtest/gtest.h>

#include <cmath>

#include "gguf/gguf_file.h"
#include "truth/straightline/straight_line.h"

namespace headway::parity {

std::vector<double> StraightLineLogits(const std::string& gguf_path, std::span<const int32_t> ids) {
  std::vector<double> all;
  const auto file = gguf::GgufFile::Open(gguf_path);
  EXPECT_TRUE(file) << file.error().message;
  const auto line = straightline::StraightLine::Open(*file);
  EXPECT_TRUE(line) << line.error().message;
  const auto done = line->Forward(ids, [&](int64_t, std::span<const double> logits) {
    all.insert(all.end(), logits.begin(), logits.end());
  });
  EXPECT_TRUE(done) << done.error().message;
  return all;
}

double RelativeError(std::span<const float> found, std::span<const double> expected) {
  EXPECT_EQ(found.size(), expected.size());
  double difference = 0;
  double size = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - expected[i], 2);
    size += expected[i] * expected[i];
  }
  return std::sqrt(difference / size);
}

}  // namespace headway::parity
