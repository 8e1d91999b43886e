#include "engine/oracle_angles.h"

#include "engine/rotary_tables.h"

namespace headway {

OracleAngles::OracleAngles(const ModelConfig& config, int64_t num_tokens) {
  RotaryTables tables(config, num_tokens);
  tables.Fill(0, num_tokens, false);
  for (int64_t i = 0; i < config.NumRotaryTables(); ++i) {
    const float* const cos = tables.Cos() + i * tables.TableStride();
    const float* const sin = tables.Sin() + i * tables.TableStride();
    tables_.push_back(
        {.cos = {cos, cos + tables.TableStride()}, .sin = {sin, sin + tables.TableStride()}});
  }
}

std::vector<oracle::RotaryTable> OracleAngles::Tables() const {
  std::vector<oracle::RotaryTable> views;
  for (const Table& table : tables_) views.push_back({.cos = table.cos, .sin = table.sin});
  return views;
}

}  // namespace headway
