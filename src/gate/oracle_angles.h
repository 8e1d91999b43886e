#pragma once

// The rotary tables of a text as an oracle takes them. Inside this folder only.

#include <cstdint>
#include <vector>

#include "manifest/model_config.h"
#include "oracle/oracle.h"

namespace headway::gate {

// From the first position on, in short factors: the rounded numbers that the runtime turns by.
class OracleAngles {
 public:
  OracleAngles(const ModelConfig& config, int64_t num_tokens);

  // By table, [num_tokens, rotary_dim / 2] each; views this object.
  std::vector<oracle::RotaryTable> Tables() const;

 private:
  struct Table {
    std::vector<double> cos;
    std::vector<double> sin;
  };
  std::vector<Table> tables_;
};

}  // namespace headway::gate
