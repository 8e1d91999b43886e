#pragma once

// What a session has done and how long it took: plain numbers, always on, per session. The field
// names are the names in JSON output and a contract (docs/counters.md).

#include <cstdint>
#include <vector>

namespace headway {

// Drafts, guesses at the next tokens, and what became of them. A pass is a step that ran drafts.
struct SpeculationCounters {
  uint64_t passes = 0;
  uint64_t tokens = 0;  // chosen by these passes
  uint64_t drafted = 0;
  uint64_t accepted = 0;
  uint64_t draft_ns = 0;  // finding drafts
  // Prompt lookup: the same by the length of the n-gram that was found; index n.
  std::vector<uint64_t> drafted_by_ngram;
  std::vector<uint64_t> accepted_by_ngram;
};

struct Counters {
  // Wall time of decode steps (one reading of the weights each), split by part.
  uint64_t steps = 0;
  uint64_t step_tokens = 0;  // tokens that these steps chose: more than steps with speculation
  uint64_t step_ns = 0;
  uint64_t embed_ns = 0;
  uint64_t rope_mask_ns = 0;
  uint64_t layers_ns = 0;
  std::vector<uint64_t> layer_shard_ns;  // by layer shard
  uint64_t head_ns = 0;

  // Inside the head: projection (the products, screening and rescoring included) and selection
  // (argmax, sampling, merging shards) apart.
  uint64_t head_predict_ns = 0;             // wall
  uint64_t head_predict_shard_work_ns = 0;  // sum over shards
  uint64_t head_reduce_ns = 0;              // wall
  uint64_t head_reduce_shard_work_ns = 0;
  std::vector<uint64_t> head_shard_ns;  // projection by head shard

  uint64_t head_bytes_read = 0;
  uint64_t head_rows_screened = 0;
  uint64_t head_rows_rescored = 0;
  uint64_t head_planes_read = 0;
  uint64_t head_fallbacks = 0;
  // Certified heads: tokens of the full head after so many had fallen back that it took over for the
  // rest of the session; 0: it never did.
  uint64_t head_switched_to_full = 0;
  // Certified heads, under top-k or top-p: tokens that were the best of all rows with their noise,
  // which is looked for first, and those where the filters drop that. The others fell back.
  uint64_t head_winners_kept = 0;
  uint64_t head_winners_dropped = 0;
  uint64_t head_rest_needed = 0;    // reduced heads: tokens that needed rows beyond the first
  uint64_t head_rows_computed = 0;  // rows of the vocabulary times positions
  // Tokens that needed no head: all prompt tokens but the last, forced tokens.
  uint64_t head_skipped = 0;
  uint64_t forced_tokens = 0;  // the only ones that a grammar allowed
  uint64_t mask_ns = 0;        // finding what a grammar allows
  uint64_t layers_bytes_read = 0;
  // Times that the threads waited for each other; 0 with one thread.
  uint64_t layers_meetings = 0;  // embedding included
  uint64_t head_meetings = 0;

  SpeculationCounters speculation;
  SpeculationCounters probe;  // what speculation would have given, without doing it

  // Prompt processing, kept apart from the decode steps.
  uint64_t prefill_tokens = 0;
  uint64_t prefill_ns = 0;
  uint64_t cache_rebuilds = 0;  // crossings from the short to the long rotary factors

  // Memory and identity.
  uint64_t kv_bytes = 0;
  // XXH3-64 of the last logits, so that a fast wrong run cannot pass for a fast run.
  uint64_t logits_hash = 0;
  std::vector<uint64_t> step_samples_ns;  // each decode step, for percentiles
};

}  // namespace headway
