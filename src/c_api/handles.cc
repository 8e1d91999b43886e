#include "c_api/handles.h"

#include <fmt/format.h>

#include "c_api/calls.h"

namespace headway::c_api {
namespace {

thread_local bool in_callback = false;

}  // namespace

Result<void> CheckOutside() {
  if (!in_callback) return {};
  return Fail(ErrorCode::kInvalidInput,
              "engine: expected a call from outside, found one from a function that it called");
}

Result<std::unique_lock<std::mutex>> LockModel(const SharedModel& shared) {
  HW_TRY_VOID(CheckOutside());
  return std::unique_lock(shared.model->generating);
}

CallbackMark::CallbackMark() : outer_(in_callback) { in_callback = true; }
CallbackMark::~CallbackMark() { in_callback = outer_; }

Result<std::shared_ptr<SharedModel>> ModelOf(const headway_engine* engine) {
  HW_TRY_VOID(CheckGiven(engine, "engine"));
  return engine->shared;
}

std::shared_ptr<std::atomic<bool>> FlagOf(const headway_cancel* cancel_or_null) {
  return cancel_or_null == nullptr ? nullptr : cancel_or_null->flag;
}

std::function<void(const char*, int64_t, int64_t)> ProgressOf(ProgressFunction progress_or_null,
                                                              void* user) {
  if (progress_or_null == nullptr) return nullptr;
  return [progress_or_null, user](const char* work, int64_t done, int64_t total) {
    const CallbackMark mark;
    progress_or_null(user, work, done, total);
  };
}

headway_certificate CertificateOf(const Certificate& certificate) {
  headway_certificate out{};
  out.assumption = certificate.assumption.empty() ? "" : certificate.assumption.data();
  out.delta = certificate.delta;
  out.rows_screened = certificate.rows_screened;
  out.rows_refined = certificate.rows_refined;
  out.rows_three_bits = certificate.rows_three_bits;
  out.rows_exact = certificate.rows_exact;
  out.bytes_read = certificate.bytes_read;
  out.theta = certificate.theta;
  out.value = certificate.value;
  out.token = certificate.token;
  out.fallback = certificate.fallback ? 1 : 0;
  out.audited = certificate.audited ? 1 : 0;
  out.deterministic = certificate.deterministic ? 1 : 0;
  return out;
}

headway_counters CountersOf(const Counters& c) {
  headway_counters out{};
  out.steps = c.steps;
  out.step_tokens = c.step_tokens;
  out.step_ns = c.step_ns;
  out.embed_ns = c.embed_ns;
  out.rope_mask_ns = c.rope_mask_ns;
  out.layers_ns = c.layers_ns;
  out.head_ns = c.head_ns;
  out.head_predict_ns = c.head_predict_ns;
  out.head_predict_shard_work_ns = c.head_predict_shard_work_ns;
  out.head_reduce_ns = c.head_reduce_ns;
  out.head_reduce_shard_work_ns = c.head_reduce_shard_work_ns;
  out.head_bytes_read = c.head_bytes_read;
  out.head_rows_screened = c.head_rows_screened;
  out.head_rows_rescored = c.head_rows_rescored;
  out.head_planes_read = c.head_planes_read;
  out.head_fallbacks = c.head_fallbacks;
  out.head_switched_to_full = c.head_switched_to_full;
  out.head_winners_kept = c.head_winners_kept;
  out.head_winners_dropped = c.head_winners_dropped;
  out.head_rest_needed = c.head_rest_needed;
  out.head_rows_computed = c.head_rows_computed;
  out.head_skipped = c.head_skipped;
  out.forced_tokens = c.forced_tokens;
  out.mask_ns = c.mask_ns;
  out.layers_bytes_read = c.layers_bytes_read;
  out.layers_meetings = c.layers_meetings;
  out.head_meetings = c.head_meetings;
  out.speculation_passes = c.speculation.passes;
  out.speculation_tokens = c.speculation.tokens;
  out.speculation_drafted = c.speculation.drafted;
  out.speculation_accepted = c.speculation.accepted;
  out.speculation_draft_ns = c.speculation.draft_ns;
  out.prefill_tokens = c.prefill_tokens;
  out.prefill_ns = c.prefill_ns;
  out.cache_rebuilds = c.cache_rebuilds;
  out.kv_bytes = c.kv_bytes;
  out.logits_hash = c.logits_hash;
  AddProbe(c.probe, &out);
  return out;
}

void AddProbe(const SpeculationCounters& probe, headway_counters* out) {
  out->probe_passes = probe.passes;
  out->probe_tokens = probe.tokens;
  out->probe_drafted = probe.drafted;
  out->probe_accepted = probe.accepted;
  out->probe_draft_ns = probe.draft_ns;
}

Result<std::span<const uint64_t>> TimesOf(const Counters& counters, int32_t which) {
  if (which == HEADWAY_LAYER_SHARD_NS) return counters.layer_shard_ns;
  if (which == HEADWAY_HEAD_SHARD_NS) return counters.head_shard_ns;
  if (which == HEADWAY_STEP_NS) return counters.step_samples_ns;
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("times: expected a HEADWAY_..._NS constant, found {}", which));
}

Result<std::span<const uint64_t>> NgramsOf(const SpeculationCounters& speculation,
                                           const SpeculationCounters& probe, int32_t which) {
  if (which == HEADWAY_DRAFTED) return speculation.drafted_by_ngram;
  if (which == HEADWAY_ACCEPTED) return speculation.accepted_by_ngram;
  if (which == HEADWAY_PROBE_DRAFTED) return probe.drafted_by_ngram;
  if (which == HEADWAY_PROBE_ACCEPTED) return probe.accepted_by_ngram;
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("ngrams: expected HEADWAY_DRAFTED, _ACCEPTED, _PROBE_DRAFTED or "
                          "_PROBE_ACCEPTED, found {}",
                          which));
}

}  // namespace headway::c_api
