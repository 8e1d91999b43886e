#include "gates/stack.h"

#include <algorithm>
#include <utility>

#include "engine/session.h"
#include "manifest/head_kind.h"

namespace headway::gates {

Result<std::vector<float>> RunHead(Pipeline* pipeline, std::span<const float> hidden) {
  const ModelConfig& config = pipeline->model();
  const int64_t num_tokens = static_cast<int64_t>(hidden.size()) / config.hidden_size;
  const int64_t V = config.vocab_size;
  std::vector<float> logits(static_cast<size_t>(num_tokens * V));
  const LoadedHead& head = pipeline->Head();
  for (size_t i = 0; i < head.shards.size(); ++i) {
    const int64_t begin = head.specs[i].vocab_start;
    const int64_t width = head.specs[i].vocab_end - begin;
    HW_TRY(const std::vector<float> part,
           RunHeadShard(head.shards[i].get(), config, hidden, width));
    for (int64_t t = 0; t < num_tokens; ++t)
      std::copy_n(part.begin() + t * width, width, logits.begin() + t * V + begin);
  }
  return logits;
}

const std::string& FirstRowsPath(const Pipeline& pipeline, const std::string& head_kind) {
  return FindHead(pipeline.manifest(), head_kind)->first->file.path;
}

bool GivesLogits(const std::string& head_kind) {
  const auto kind = ParseHeadKind(head_kind);
  return kind && !kind->IsTop1() && !kind->HasPlanes();
}

Result<SessionOutputs> RunSession(const OpenedModel& model, std::shared_ptr<Pipeline> pipeline,
                                  std::span<const int32_t> ids, KvType kv) {
  const bool gives_logits = GivesLogits(pipeline->Head().kind);
  SessionOptions options;
  options.capacity_tokens = static_cast<int64_t>(ids.size());
  options.kv = kv;
  HW_TRY(const auto session, Session::Create(std::move(pipeline), model.pool.get(),
                                             model.kernels->kernels, std::move(options)));
  SessionOutputs outputs;
  for (size_t t = 0; t < ids.size(); ++t) {
    HW_TRY_VOID(session->Append(ids.subspan(t, 1)));
    const std::span<const float> hidden = session->HiddenState();
    outputs.hidden.insert(outputs.hidden.end(), hidden.begin(), hidden.end());
    if (!gives_logits) continue;
    HW_TRY(const std::span<const float> logits, session->Logits());
    outputs.logits.insert(outputs.logits.end(), logits.begin(), logits.end());
  }
  return outputs;
}

Result<std::vector<int32_t>> Choices(const OpenedModel& model, std::shared_ptr<Pipeline> pipeline,
                                     std::span<const int32_t> ids, int64_t count, KvType kv) {
  SessionOptions options;
  options.kv = kv;
  options.capacity_tokens = count + 1;
  HW_TRY(const auto session, Session::Create(std::move(pipeline), model.pool.get(),
                                             model.kernels->kernels, std::move(options)));
  std::vector<int32_t> choices;
  for (int64_t t = 0; t < count; ++t) {
    HW_TRY_VOID(session->Append(ids.subspan(static_cast<size_t>(t), 1)));
    HW_TRY(const auto choice, session->Decode());
    choices.push_back(choice.token);
    session->Truncate(t + 1);
  }
  return choices;
}

}  // namespace headway::gates
