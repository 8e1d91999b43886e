#pragma once

// The golden gate's parts (docs/gates.md). Inside this folder only.

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/open.h"
#include "gates/report.h"
#include "manifest/goldens.h"
#include "truth/oracle/row_probes.h"

namespace headway::gates {

// One head of the package, opened.
using Heads = std::vector<std::shared_ptr<Pipeline>>;

// Products, shards and stack against the oracle's values. Errors: kCorrupt when the goldens are of
// another model.
Result<std::vector<Check>> CompareArithmetic(OpenedModel* model, const Heads& heads,
                                             const Goldens& goldens);

// Hidden states, distributions and choices against the straight-line reference.
Result<QualityFigures> CompareQuality(OpenedModel* model, const Heads& heads,
                                      const Goldens& goldens);

// The same of a session with keys and values in Q8_0, token by token; no figures where the device
// cannot store them. A session that stops at values that are no numbers is a problem, not an error.
Result<QualityFigures> CompareQualityOfQ8Kv(const OpenedModel& model, const Heads& heads,
                                            const Goldens& goldens);

// What a package's shards should compute: the recorded goldens where a device stores the model
// file's own blocks, else what the oracle makes of the weights as they are stored.
struct Expected {
  std::vector<std::vector<float>> boundaries;  // [layer shards + 1][T, D]: before each, and the end
  std::vector<std::vector<float>> logits;      // [T, V] of the last boundary, for each head
};

// Errors: those of reading the shards' graphs and weights.
Result<Expected> Expect(const Heads& heads, const Goldens& goldens);

// Every sign, code, scale and gamma of the head's planes against the rows that the head multiplies
// (lmhead/check_planes.h).
Check CheckPlanesOf(const OpenedModel& model, Pipeline* head);

// The estimates of every shard that multiplies signs on its device, against sums in double
// precision of what the planes hold, for up to eight of the states `hidden` [T, D]. Errors: those of
// LoadedShard::Run().
Result<void> CheckEstimates(Pipeline* head, const std::vector<float>& hidden,
                            std::vector<Check>* checks);

// Every op of every shard, where the device can tell (LoadedShard::FirstNotFinite), over all runs so
// far: a program may hide an infinity from its outputs, but another chip need not treat it alike.
void CheckIntermediates(const Heads& heads, std::vector<Check>* checks);

// The rows that a package stores in a form of its own against those of the model file, of which the
// goldens hold norms and products with two probes (row_probes.h): the oracle, which runs on stored
// rows, cannot see that they are wrong. Appends a check for every program of the layers and of `heads`, those of other step widths
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
std::string JudgeRows(const oracle::RowProbes& stored, const oracle::RowProbes& source,
                      int64_t columns, const std::string& weights, Difference* difference);

}  // namespace headway::gates
