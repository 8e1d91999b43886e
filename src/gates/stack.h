#pragma once

// A package's heads and sessions, teacher-forced; its shards by themselves are
// engine/run_shards.h. Inside this folder only.

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/open.h"
#include "engine/run_shards.h"
#include "manifest/goldens.h"

namespace headway::gates {

// The logits [T, V] of a head whose shards give logits.   hidden: [T, D]
Result<std::vector<float>> RunHead(Pipeline* pipeline, std::span<const float> hidden);

// What a session gives, token by token, for every position of `ids`.
struct SessionOutputs {
  std::vector<float> hidden;  // [T, D], before the final norm
  std::vector<float> logits;  // [T, V]; empty where the head gives none
};
// Errors: those of Session.
Result<SessionOutputs> RunSession(const OpenedModel& model, std::shared_ptr<Pipeline> pipeline,
                                  std::span<const int32_t> ids, KvType kv);

// The file of a reduced head's first rows.
const std::string& FirstRowsPath(const Pipeline& pipeline, const std::string& head_kind);

// Whether the head kind's shards give plain logits ("full:4").
bool GivesLogits(const std::string& head_kind);

// What the head of `pipeline` chooses after each of the first `count` positions of `ids`, greedily;
// `kv`: how the session stores keys and values. Errors: those of Session.
Result<std::vector<int32_t>> Choices(const OpenedModel& model, std::shared_ptr<Pipeline> pipeline,
                                     std::span<const int32_t> ids, int64_t count,
                                     KvType kv = KvType::kF16);

}  // namespace headway::gates
