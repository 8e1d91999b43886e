// GET /metrics, Prometheus' text format 0.0.4: llama-server's names, which dashboards know, and what
// only this server can tell.

#include <fmt/format.h>

#include <string>

#include "base/heap_bytes.h"
#include "server/endpoints.h"

namespace headway::server {
namespace {

void Add(std::string* text, const char* kind, const char* name, const char* help, double value) {
  *text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, kind, value);
}

double Seconds(uint64_t ns) { return static_cast<double>(ns) * 1e-9; }

double Ratio(double part, double whole) { return whole > 0.0 ? part / whole : 0.0; }

void AddLlama(const SchedulerCounts& counts, std::string* text) {
  const auto read = static_cast<double>(counts.prompt_tokens - counts.cached_tokens);
  const auto written = static_cast<double>(counts.new_tokens);
  const auto steps = static_cast<double>(counts.steps);
  const double prompt_s = Seconds(counts.prompt_ns);
  const double decode_s = Seconds(counts.decode_ns);
  Add(text, "counter", "llamacpp:prompt_tokens_total", "Prompt tokens read.", read);
  Add(text, "counter", "llamacpp:prompt_tokens_cached_total", "Prompt tokens not read again.",
      static_cast<double>(counts.cached_tokens));
  Add(text, "counter", "llamacpp:prompt_seconds_total",
      "Seconds of steps that read prompts and decoded nothing.", prompt_s);
  Add(text, "counter", "llamacpp:tokens_predicted_total", "Tokens written.", written);
  Add(text, "counter", "llamacpp:tokens_predicted_seconds_total", "Seconds of decoding steps.",
      decode_s);
  Add(text, "counter", "llamacpp:n_decode_total", "Steps that decoded or read prompts.",
      steps + static_cast<double>(counts.read_steps));
  Add(text, "counter", "llamacpp:n_tokens_max", "The longest conversation so far, in tokens.",
      static_cast<double>(counts.longest));
  Add(text, "counter", "llamacpp:spec_decode_num_drafts_total",
      "Times that tokens of a conversation were guessed ahead.",
      static_cast<double>(counts.draft_steps));
  Add(text, "counter", "llamacpp:spec_decode_num_draft_tokens_total", "Tokens guessed ahead.",
      static_cast<double>(counts.drafted));
  Add(text, "counter", "llamacpp:spec_decode_num_accepted_tokens_total", "Of them, right.",
      static_cast<double>(counts.accepted));
  constexpr const char* kByPlace = "llamacpp:spec_decode_num_accepted_tokens_per_pos_total";
  *text +=
      fmt::format("# HELP {0} Of them, by place in their step.\n# TYPE {0} counter\n", kByPlace);
  for (size_t place = 0; place < counts.accepted_at.size(); ++place) {
    *text += fmt::format("{}{{position=\"{}\"}} {}\n", kByPlace, place, counts.accepted_at[place]);
  }
  Add(text, "gauge", "llamacpp:n_busy_slots_per_decode", "Conversations in a decoding step.",
      Ratio(static_cast<double>(counts.step_rows), steps));
  Add(text, "gauge", "llamacpp:prompt_tokens_seconds", "Prompt tokens a second.",
      Ratio(read, prompt_s));
  Add(text, "gauge", "llamacpp:predicted_tokens_seconds", "Tokens written a second of decoding.",
      Ratio(written, decode_s));
  Add(text, "gauge", "llamacpp:kv_cache_usage_ratio", "Share of the key and value budget in use.",
      Ratio(static_cast<double>(counts.kv_tokens_used), static_cast<double>(counts.kv_tokens)));
  Add(text, "gauge", "llamacpp:kv_cache_tokens", "Tokens whose keys and values are stored.",
      static_cast<double>(counts.kv_tokens_used));
  Add(text, "gauge", "llamacpp:requests_processing", "Requests that run.",
      static_cast<double>(counts.running));
  Add(text, "gauge", "llamacpp:requests_deferred", "Requests that wait.",
      static_cast<double>(counts.waiting));
}

void AddOwn(const SchedulerCounts& counts, bool is_certified, std::string* text) {
  const auto add = [&](const char* name, const char* help, uint64_t value) {
    Add(text, "counter", name, help, static_cast<double>(value));
  };
  const Counters& heads = counts.heads;
  add("headway:requests_total", "Requests that ended.", counts.requests);
  add("headway:requests_failed_total", "Of them, with an error.", counts.failed);
  add("headway:requests_cancelled_total", "Of them, before their end.", counts.cancelled);
  add("headway:requests_refused_total", "Requests that found the queue full.", counts.refused);
  add("headway:preempted_total", "Conversations that gave their memory to others for a while.",
      counts.preempted);
  add("headway:cached_tokens_total", "Prompt tokens that were not read again.",
      counts.cached_tokens);
  add("headway:drafted_tokens_total", "Tokens guessed ahead.", counts.drafted);
  add("headway:accepted_tokens_total", "Of them, right.", counts.accepted);
  Add(text, "gauge", "headway:kept_conversations", "Conversations kept for those that go on.",
      static_cast<double>(counts.kept));
  if (const auto heap = HeapBytesInUse()) {
    Add(text, "gauge", "headway:heap_bytes", "Bytes of the heap in use.",
        static_cast<double>(*heap));
  }
  // Of requests that ended.
  const uint64_t chosen = heads.step_tokens;
  add("headway:head_tokens_total", "Tokens that the head chose in decoding steps.", chosen);
  add("headway:certified_tokens_total", "Of them, with a certificate.",
      is_certified && chosen > heads.head_fallbacks ? chosen - heads.head_fallbacks : 0);
  add("headway:head_fallbacks_total", "Of them, that took the whole head.", heads.head_fallbacks);
  add("headway:forced_tokens_total", "Tokens that a grammar left no choice about.",
      heads.forced_tokens);
  add("headway:head_bytes_total", "Bytes that the head read.", heads.head_bytes_read);
  add("headway:layers_bytes_total", "Bytes that the layers read.", heads.layers_bytes_read);
  Add(text, "counter", "headway:head_seconds_total", "Seconds that requests waited for the head.",
      Seconds(heads.head_ns));
  Add(text, "counter", "headway:head_reduce_seconds_total",
      "Of them, choosing from what the head computed.", Seconds(heads.head_reduce_ns));
  Add(text, "counter", "headway:layers_seconds_total",
      "Seconds that requests waited for the layers.", Seconds(heads.layers_ns));
}

}  // namespace

HttpReply Metrics(const Service& service, const HttpRequest&) {
  const SchedulerCounts counts = service.GetScheduler()->Counts();
  std::string text;
  AddLlama(counts, &text);
  const bool is_certified = service.Model().pipeline->Head().planes.has_value();
  AddOwn(counts, is_certified, &text);
  return {.content_type = "text/plain; version=0.0.4",
          .body = std::move(text),
          .headers = {{"Process-Start-Time-Unix", std::to_string(service.StartedAt())}}};
}

}  // namespace headway::server
