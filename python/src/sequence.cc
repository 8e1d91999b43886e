// Sequences, and what a model computes of them, as numpy arrays.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <limits>
#include <string>
#include <tuple>

#include "bindings.h"
#include "handles.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "x"_a

namespace headway::python {
namespace {

using Ids = std::vector<int32_t>;
using View = nb::ndarray<nb::numpy, const float, nb::ndim<1>>;
template <class T>
using Vector = nb::ndarray<nb::numpy, T, nb::ndim<1>>;
using Matrix = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

// Memory that belongs to the arrays made of it.
template <class T>
struct OwnedMemory {
  explicit OwnedMemory(size_t count) : data(new T[count]) {
    owner = nb::capsule(data, [](void* memory) noexcept { delete[] static_cast<T*>(memory); });
  }
  T* data;
  nb::capsule owner;
};

struct SamplingNumbers {
  float temperature, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty;
  int32_t top_k, repeat_last_n;
  uint64_t seed;
};

struct Speculation {
  int32_t kind;
  int64_t most_drafts, min_ngram, max_ngram;
  bool adapt, probe_lookup;
};

void NewSequence(Sequence* self, const Engine& engine, const SamplingNumbers& numbers,
                 const Ids& bias_ids, const std::vector<float>& biases, const Ids& allow_ids,
                 const std::string& certificate, const std::string& grammar,
                 const std::string& json_schema, int64_t capacity_tokens, int64_t audit_every,
                 const Speculation& speculation, int32_t kv, bool want_logprobs, int32_t finish,
                 int32_t json_whitespace) {
  headway_sampling sampling = {};
  sampling.size = sizeof(sampling);
  sampling.seed = numbers.seed;
  if (bias_ids.size() != biases.size()) throw nb::value_error("a bias for each id");
  sampling.bias_ids = bias_ids.data();
  sampling.biases = biases.data();
  sampling.num_biases = biases.size();
  sampling.allow_ids = allow_ids.data();
  sampling.num_allow_ids = allow_ids.size();
  sampling.temperature = numbers.temperature;
  sampling.top_p = numbers.top_p;
  sampling.min_p = numbers.min_p;
  sampling.repeat_penalty = numbers.repeat_penalty;
  sampling.presence_penalty = numbers.presence_penalty;
  sampling.frequency_penalty = numbers.frequency_penalty;
  sampling.top_k = numbers.top_k;
  sampling.repeat_last_n = numbers.repeat_last_n;
  CancelHandle cancel = NewCancel();
  headway_sequence_options options = {};
  options.size = sizeof(options);
  options.sampling = &sampling;
  options.certificate = certificate.c_str();
  options.grammar = grammar.c_str();
  options.json_schema = json_schema.c_str();
  options.cancel = cancel.get();
  options.capacity_tokens = capacity_tokens;
  options.audit_every = audit_every;
  options.most_drafts = speculation.most_drafts;
  options.min_ngram = speculation.min_ngram;
  options.max_ngram = speculation.max_ngram;
  options.no_adapt = speculation.adapt ? 0 : 1;
  options.probe_lookup = speculation.probe_lookup ? 1 : 0;
  options.speculate = speculation.kind;
  options.kv = kv;
  options.want_logprobs = want_logprobs ? 1 : 0;
  options.finish = finish;
  options.json_whitespace = json_whitespace;
  headway_sequence* sequence = nullptr;
  CheckUnlocked([&] { return headway_sequence_new(engine.handle.get(), &options, &sequence); });
  new (self) Sequence{.cancel = std::move(cancel), .handle = SequenceHandle(sequence)};
}

void Append(Sequence* self, const Ids& ids) {
  CheckInterruptible(self->cancel.get(), [&](Meeting*) {
    return headway_sequence_append(self->handle.get(), ids.data(), ids.size());
  });
}

headway_sequence_state StateOf(const Sequence& self) {
  headway_sequence_state state = {};
  state.size = sizeof(state);
  CheckUnlocked([&] { return headway_sequence_describe(self.handle.get(), &state); });
  return state;
}

nb::dict Describe(const Sequence& self) {
  const headway_sequence_state state = StateOf(self);
  nb::dict out;
  out["num_tokens"] = state.num_tokens;
  out["num_pending"] = state.num_pending;
  out["capacity_tokens"] = state.capacity_tokens;
  out["num_choices"] = state.num_choices;
  out["has_certificates"] = state.has_certificates != 0;
  out["is_over"] = state.is_over != 0;
  out["is_complete"] = state.is_complete != 0;
  out["is_final"] = state.is_final != 0;
  return out;
}

// (id, logit, logprob) of each choice of the last step.
std::vector<std::tuple<int32_t, float, float>> Choices(const Sequence& self) {
  const auto count = static_cast<size_t>(StateOf(self).num_choices);
  std::vector<std::tuple<int32_t, float, float>> out;
  for (size_t i = 0; i < count; ++i) {
    headway_choice choice = {};
    choice.size = sizeof(choice);
    CheckUnlocked([&] { return headway_sequence_choice(self.handle.get(), i, &choice); });
    out.emplace_back(choice.token, choice.logit, choice.logprob);
  }
  return out;
}

nb::list Certificates(const Sequence& self) {
  const headway_sequence_state state = StateOf(self);
  nb::list out;
  if (state.has_certificates == 0) return out;
  for (size_t i = 0; i < static_cast<size_t>(state.num_choices); ++i) {
    headway_certificate c = {};
    c.size = sizeof(c);
    CheckUnlocked([&] { return headway_sequence_certificate(self.handle.get(), i, &c); });
    nb::dict one;
    one["token"] = c.token;
    one["fallback"] = c.fallback != 0;
    one["audited"] = c.audited != 0;
    one["deterministic"] = c.deterministic != 0;
    one["delta"] = c.delta;
    one["assumption"] = c.assumption;
    one["theta"] = c.theta;
    one["value"] = c.value;
    one["rows_screened"] = c.rows_screened;
    one["rows_refined"] = c.rows_refined;
    one["rows_three_bits"] = c.rows_three_bits;
    one["rows_exact"] = c.rows_exact;
    one["bytes_read"] = c.bytes_read;
    out.append(one);
  }
  return out;
}

nb::dict Counters(const Sequence& self) {
  headway_counters c = {};
  c.size = sizeof(c);
  CheckUnlocked([&] { return headway_sequence_counters(self.handle.get(), &c); });
  nb::dict out;
  out["steps"] = c.steps;
  out["step_tokens"] = c.step_tokens;
  out["step_ns"] = c.step_ns;
  out["embed_ns"] = c.embed_ns;
  out["rope_mask_ns"] = c.rope_mask_ns;
  out["layers_ns"] = c.layers_ns;
  out["head_ns"] = c.head_ns;
  out["head_predict_ns"] = c.head_predict_ns;
  out["head_predict_shard_work_ns"] = c.head_predict_shard_work_ns;
  out["head_reduce_ns"] = c.head_reduce_ns;
  out["head_reduce_shard_work_ns"] = c.head_reduce_shard_work_ns;
  out["head_bytes_read"] = c.head_bytes_read;
  out["head_rows_screened"] = c.head_rows_screened;
  out["head_rows_rescored"] = c.head_rows_rescored;
  out["head_planes_read"] = c.head_planes_read;
  out["head_fallbacks"] = c.head_fallbacks;
  out["head_switched_to_full"] = c.head_switched_to_full;
  out["head_winners_kept"] = c.head_winners_kept;
  out["head_winners_dropped"] = c.head_winners_dropped;
  out["head_rest_needed"] = c.head_rest_needed;
  out["head_rows_computed"] = c.head_rows_computed;
  out["head_skipped"] = c.head_skipped;
  out["forced_tokens"] = c.forced_tokens;
  out["mask_ns"] = c.mask_ns;
  out["layers_bytes_read"] = c.layers_bytes_read;
  out["layers_meetings"] = c.layers_meetings;
  out["head_meetings"] = c.head_meetings;
  out["speculation_passes"] = c.speculation_passes;
  out["speculation_tokens"] = c.speculation_tokens;
  out["speculation_drafted"] = c.speculation_drafted;
  out["speculation_accepted"] = c.speculation_accepted;
  out["speculation_draft_ns"] = c.speculation_draft_ns;
  out["probe_passes"] = c.probe_passes;
  out["probe_tokens"] = c.probe_tokens;
  out["probe_drafted"] = c.probe_drafted;
  out["probe_accepted"] = c.probe_accepted;
  out["probe_draft_ns"] = c.probe_draft_ns;
  out["prefill_tokens"] = c.prefill_tokens;
  out["prefill_ns"] = c.prefill_ns;
  out["cache_rebuilds"] = c.cache_rebuilds;
  out["kv_bytes"] = c.kv_bytes;
  return out;
}

// Lists of nanoseconds: of each shard, summed over the steps, and of single steps.
nb::dict Times(const Sequence& self) {
  const auto list = [&](int32_t which) {
    return ReadList<uint64_t>(256, [&](uint64_t* ns, size_t capacity, size_t* count) {
      return headway_sequence_times(self.handle.get(), which, ns, capacity, count);
    });
  };
  nb::dict out;
  out["layer_shard_ns"] = list(HEADWAY_LAYER_SHARD_NS);
  out["head_shard_ns"] = list(HEADWAY_HEAD_SHARD_NS);
  out["step_ns"] = list(HEADWAY_STEP_NS);
  return out;
}

// Drafts of lookup; element n: those that an n-gram of n tokens gave.
nb::dict Ngrams(const Sequence& self) {
  const auto list = [&](int32_t which) {
    return ReadList<uint64_t>(32, [&](uint64_t* drafts, size_t capacity, size_t* count) {
      return headway_sequence_ngrams(self.handle.get(), which, drafts, capacity, count);
    });
  };
  nb::dict out;
  out["drafted"] = list(HEADWAY_DRAFTED);
  out["accepted"] = list(HEADWAY_ACCEPTED);
  out["probe_drafted"] = list(HEADWAY_PROBE_DRAFTED);
  out["probe_accepted"] = list(HEADWAY_PROBE_ACCEPTED);
  return out;
}

// (id, logprob) of the most likely tokens in place of the last choice, and that one's logprob.
std::tuple<std::vector<std::tuple<int32_t, float>>, float> Alternatives(Sequence* self, size_t most,
                                                                        bool after_sampling) {
  Ids ids(most);
  std::vector<float> logprobs(most);
  size_t count = 0;
  float chosen = 0.0F;
  CheckUnlocked([&] {
    return headway_sequence_alternatives(self->handle.get(), after_sampling ? 1 : 0, ids.data(),
                                         logprobs.data(), most, &count, &chosen);
  });
  std::vector<std::tuple<int32_t, float>> best;
  for (size_t i = 0; i < count; ++i) best.emplace_back(ids[i], logprobs[i]);
  return {best, chosen};
}

// Views of the library's memory; `self` lives as long as they do.
View Logits(nb::handle_t<Sequence> self) {
  const auto& sequence = nb::cast<const Sequence&>(self);
  const float* data = nullptr;
  size_t count = 0;
  CheckInterruptible(sequence.cancel.get(), [&](Meeting*) {
    return headway_sequence_logits(sequence.handle.get(), &data, &count);
  });
  return View(data, {count}, self);
}

View LastLogits(nb::handle_t<Sequence> self) {
  const auto& sequence = nb::cast<const Sequence&>(self);
  const float* data = nullptr;
  size_t count = 0;
  CheckUnlocked([&] { return headway_sequence_last_logits(sequence.handle.get(), &data, &count); });
  return View(data, {count}, self);
}

View Hidden(nb::handle_t<Sequence> self) {
  const auto& sequence = nb::cast<const Sequence&>(self);
  const float* data = nullptr;
  size_t count = 0;
  CheckUnlocked([&] { return headway_sequence_hidden(sequence.handle.get(), &data, &count); });
  return View(data, {count}, self);
}

// Rows of an array, the first of which is that of the first position told.
struct Rows {
  float* out;
  size_t num_rows;
  size_t width;
  int64_t first = -1;

  // Where `count` numbers from `position` on go; null where the array has no place for them.
  float* PlaceOf(int64_t position, size_t count) {
    if (first < 0) first = position;
    const auto row = static_cast<size_t>(position - first);
    return row * width + count > num_rows * width ? nullptr : out + row * width;
  }
};

// Arrays [ids, V] and [ids, D] of what the model computes of each token appended; what is not
// wanted has no rows.
std::tuple<Matrix, Matrix> AppendWith(Sequence* self, const Ids& ids, size_t vocab_size,
                                      size_t hidden_size, bool want_logits, bool want_hidden) {
  const size_t num_logits = want_logits ? ids.size() : 0;
  const size_t num_hidden = want_hidden ? ids.size() : 0;
  const OwnedMemory<float> logits(num_logits * vocab_size);
  const OwnedMemory<float> hidden(num_hidden * hidden_size);
  struct Target {
    Rows logits, hidden;
  } target = {{logits.data, num_logits, vocab_size}, {hidden.data, num_hidden, hidden_size}};
  headway_sink sink = {};
  sink.size = sizeof(sink);
  sink.user = &target;
  if (want_logits) {
    sink.logits = [](void* user, int64_t position, const float* row, size_t count) {
      float* const place = static_cast<Target*>(user)->logits.PlaceOf(position, count);
      if (place != nullptr) std::copy_n(row, count, place);
    };
  }
  if (want_hidden) {
    sink.hidden = [](void* user, int64_t position, const float* states, size_t count, size_t D) {
      float* const place = static_cast<Target*>(user)->hidden.PlaceOf(position, count * D);
      if (place != nullptr) std::copy_n(states, count * D, place);
    };
  }
  CheckInterruptible(self->cancel.get(), [&](Meeting*) {
    return headway_sequence_append_with(self->handle.get(), ids.data(), ids.size(), &sink);
  });
  return {Matrix(logits.data, {num_logits, vocab_size}, logits.owner),
          Matrix(hidden.data, {num_hidden, hidden_size}, hidden.owner)};
}

struct Scores {
  const Ids* ids;
  double* logprobs;  // of ids[1:]
  bool* is_best;
  int64_t first = -1;  // position of ids[0]: the first one told
};

void ScoreNext(void* user, int64_t position, const float* logits, size_t count) {
  auto& scores = *static_cast<Scores*>(user);
  if (scores.first < 0) scores.first = position;
  const auto at = static_cast<size_t>(position - scores.first);
  if (at + 1 >= scores.ids->size()) return;
  const auto next = static_cast<size_t>((*scores.ids)[at + 1]);
  size_t best = 0;
  for (size_t i = 1; i < count; ++i) best = logits[i] > logits[best] ? i : best;
  double sum = 0.0;
  for (size_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(logits[i] - logits[best]));
  scores.logprobs[at] = static_cast<double>(logits[next] - logits[best]) - std::log(sum);
  scores.is_best[at] = next == best;
}

// Appends ids; ln of the probability of each but the first given all before it, and whether it is
// the most likely one.
std::tuple<Vector<double>, Vector<bool>> Score(Sequence* self, const Ids& ids) {
  const size_t count = ids.empty() ? 0 : ids.size() - 1;
  const OwnedMemory<double> logprobs(count);
  const OwnedMemory<bool> is_best(count);
  Scores scores = {&ids, logprobs.data, is_best.data};
  headway_sink sink = {};
  sink.size = sizeof(sink);
  sink.user = &scores;
  sink.logits = ScoreNext;
  CheckInterruptible(self->cancel.get(), [&](Meeting*) {
    return headway_sequence_append_with(self->handle.get(), ids.data(), ids.size(), &sink);
  });
  return {Vector<double>(logprobs.data, {count}, logprobs.owner),
          Vector<bool>(is_best.data, {count}, is_best.owner)};
}

Ids Tokens(const Sequence& self) {
  return ReadList<int32_t>(4096, [&](int32_t* ids, size_t capacity, size_t* count) {
    return headway_sequence_tokens(self.handle.get(), ids, capacity, count);
  });
}

}  // namespace

void BindSequence(nb::module_& module) {
  nb::class_<Sequence>(module, "Sequence")
      .def(
          "__init__",
          [](Sequence* self, const Engine& engine, float temperature, int32_t top_k, float top_p,
             float min_p, float repetition_penalty, int32_t repeat_last_n, float presence_penalty,
             float frequency_penalty, uint64_t seed, const Ids& bias_ids,
             const std::vector<float>& biases, const Ids& allow_ids, const std::string& certificate,
             const std::string& grammar, const std::string& json_schema, int64_t capacity_tokens,
             int64_t audit_every, int64_t most_drafts, int64_t min_ngram, int64_t max_ngram,
             bool adapt, bool probe_lookup, int32_t kv, int32_t speculate, bool logprobs,
             int32_t finish, int32_t json_whitespace) {
            NewSequence(self, engine,
                        {.temperature = temperature,
                         .top_p = top_p,
                         .min_p = min_p,
                         .repeat_penalty = repetition_penalty,
                         .presence_penalty = presence_penalty,
                         .frequency_penalty = frequency_penalty,
                         .top_k = top_k,
                         .repeat_last_n = repeat_last_n,
                         .seed = seed},
                        bias_ids, biases, allow_ids, certificate, grammar, json_schema,
                        capacity_tokens, audit_every,
                        {.kind = speculate,
                         .most_drafts = most_drafts,
                         .min_ngram = min_ngram,
                         .max_ngram = max_ngram,
                         .adapt = adapt,
                         .probe_lookup = probe_lookup},
                        kv, logprobs, finish, json_whitespace);
          },
          "engine"_a, nb::kw_only(), "temperature"_a = 0.0F, "top_k"_a = 0, "top_p"_a = 0.0F,
          "min_p"_a = 0.0F, "repetition_penalty"_a = 0.0F, "repeat_last_n"_a = 0,
          "presence_penalty"_a = 0.0F, "frequency_penalty"_a = 0.0F, "seed"_a = 0,
          "bias_ids"_a = Ids(), "biases"_a = std::vector<float>(), "allow_ids"_a = Ids(),
          "certificate"_a = "", "grammar"_a = "", "json_schema"_a = "", "capacity_tokens"_a = 0,
          "audit_every"_a = 0, "most_drafts"_a = 0, "min_ngram"_a = 0, "max_ngram"_a = 0,
          "adapt"_a = true, "probe_lookup"_a = false, "kv"_a = 0, "speculate"_a = 0,
          "logprobs"_a = false, "finish"_a = int{HEADWAY_FINISH_WITH_SCHEMA},
          "json_whitespace"_a = 0)
      .def("append", &Append, "ids"_a)
      .def(
          "append_unread",
          [](Sequence* self, const Ids& ids) {
            CheckUnlocked([&] {
              return headway_sequence_append_unread(self->handle.get(), ids.data(), ids.size());
            });
          },
          "ids"_a)
      .def("append_with", &AppendWith, "ids"_a, "vocab_size"_a, "hidden_size"_a, "logits"_a,
           "hidden"_a)
      .def("score", &Score, "ids"_a)
      .def(
          "truncate",
          [](Sequence* self, int64_t num_tokens) {
            CheckUnlocked(
                [&] { return headway_sequence_truncate(self->handle.get(), num_tokens); });
          },
          "num_tokens"_a)
      .def(
          "share",
          [](Sequence* self, const Sequence& other, int64_t num_tokens) {
            int64_t shared = 0;
            CheckUnlocked([&] {
              return headway_sequence_share(self->handle.get(), other.handle.get(), num_tokens,
                                            &shared);
            });
            return shared;
          },
          "other"_a, "num_tokens"_a)
      .def(
          "cancel",
          [](Sequence* self, bool is_set) {
            Check(headway_cancel_set(self->cancel.get(), is_set ? 1 : 0));
          },
          "is_set"_a = true)
      .def("describe", &Describe)
      .def("tokens", &Tokens)
      .def("choices", &Choices)
      .def("certificates", &Certificates)
      .def("counters", &Counters)
      .def("times", &Times)
      .def("ngrams", &Ngrams)
      .def("alternatives", &Alternatives, "most"_a, "after_sampling"_a = false)
      .def("error_text",
           [](const Sequence& self) {
             return std::string(headway_sequence_error_text(self.handle.get()));
           })
      .def("logits", &Logits)
      .def("last_logits", &LastLogits)
      .def("hidden", &Hidden);
}

}  // namespace headway::python
