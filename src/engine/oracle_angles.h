#pragma once

// The rotary tables of a text as an oracle takes them.

#include <cstdint>
#include <vector>

#include "manifest/model_config.h"
#include "truth/oracle/oracle.h"

namespace headway {

// From the first position on, in short factors: the rounded numbers that the engine turns by.
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

}  // namespace headway
