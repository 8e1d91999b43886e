#pragma once

// The rows that a package stores in a form of its own against those of the model file, of which the
// goldens hold norms and products with two probes (row_probes.h). The oracle runs on the stored
// rows and cannot see that they are wrong; this does. Inside this folder only.

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "gates/golden.h"
#include "truth/oracle/row_probes.h"

namespace headway::gate {

// Appends a check for every program of the layers and of `heads`, those of other step widths
// included: it must be of the layers or tokens that the manifest says, and its rows must be the
// model file's but for what its format costs. Nothing for devices that keep the file's own blocks,
// and for goldens that have no norms. Errors: those of opening the programs; kCorrupt when the
// goldens are of another model.
Result<void> CheckStoredRows(OpenedModel* model, const Heads& heads, const Goldens& goldens,
                             std::vector<Check>* checks);

// What is wrong with rows `stored` of a matrix whose rows in the model file gave `source`, both
// [P, rows] and [rows]; `weights` names the format ("int8"; empty: the file's own). The figures go
// to `difference`: relative, the error that the format left; worst_channel, the largest deviation
// of a norm, and its row.
std::string JudgeRows(const RowProbes& stored, const RowProbes& source, int64_t columns,
                      const std::string& weights, Difference* difference);

}  // namespace headway::gate
