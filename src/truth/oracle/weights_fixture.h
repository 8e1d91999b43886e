#pragma once

// Weights that live in the test.

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "truth/oracle/oracle.h"

namespace headway::oracle {

// Tensors of F32 by name, with the number of columns that one row has.
class TestWeights {
 public:
  void Set(const std::string& name, int64_t columns, std::vector<float> values) {
    tensors_[name] = {columns, std::move(values)};
  }
  // Normal values with the standard deviation 1 / sqrt(columns), the same for the same name.
  void Draw(const graph::Weight& weight) {
    std::mt19937_64 random(std::hash<std::string>{}(weight.name));
    std::normal_distribution<float> normal(
        0, 1.0F / std::sqrt(static_cast<float>(weight.shape.Columns())));
    std::vector<float> values(static_cast<size_t>(weight.shape.Elements()));
    for (float& value : values) value = normal(random);
    Set(weight.name, weight.shape.Columns(), std::move(values));
  }

  // Valid while this object lives.
  WeightReader Reader() const {
    return [this](const std::string& name, int64_t row_begin, int64_t num_rows,
                  std::span<float> out) -> Result<void> {
      const auto found = tensors_.find(name);
      if (found == tensors_.end())
        return Fail(ErrorCode::kNotFound, "test weights: no tensor '" + name + "'");
      const auto& [columns, values] = found->second;
      std::copy_n(values.begin() + row_begin * columns, num_rows * columns, out.begin());
      return {};
    };
  }

 private:
  std::map<std::string, std::pair<int64_t, std::vector<float>>> tensors_;
};

}  // namespace headway::oracle
