#pragma once

// Runs steps of a package for any number of conversations: owns what a step needs and no
// conversation keeps (hidden states, scratch, logits, the certified head's search). A step of
// several sequences reads the weights once; what each of them gets is what it would get alone, bit
// for bit. One step at a time; after its sequences are made a step of decoding allocates nothing.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/head.h"
#include "engine/layer_stack.h"
#include "engine/pipeline.h"
#include "engine/sequence.h"
#include "headway/counters.h"
#include "kernels/kernel_set.h"

namespace headway {

// One conversation's part of a batch.
struct BatchRow {
  Sequence* sequence = nullptr;          // of this executor; no two rows share one
  std::span<const int32_t> drafts = {};  // guesses at the tokens that follow its last one
  // What came of it: the choices, valid until the sequence's next step, or why there are none.
  Result<std::span<const Sequence::Choice>> choices = std::span<const Sequence::Choice>();
};

// A conversation of which a step reads the next tokens beside what others decode, choosing none.
struct ReadRow {
  Sequence* sequence = nullptr;  // of this executor, in no other row; BeginReading() was called
  int64_t most_tokens = 0;       // at least 1; fewer are read where the step has less room, or none
  // Told the hidden states before the head's norm of the tokens read, [num_tokens, D]; may be null.
  std::function<void(const float* hidden, int64_t num_tokens)> states = nullptr;
  // kCorrupt: a state that is not finite; kIo: the device failed.
  Result<void> outcome = {};
};

class Executor {
 public:
  // `pool` and `kernels` must outlive the executor. Errors: those of MakeHead().
  static Result<std::shared_ptr<Executor>> Create(std::shared_ptr<Pipeline> pipeline,
                                                  ThreadPool* pool,
                                                  const kernels::KernelSet& kernels);

  // Must not outlive the executor. Errors: kInvalidInput (capacity, sampling parameters),
  // kUnsupported (keys and values in a form that a shard cannot store; a head that gives best tokens
  // only, when the options ask for more).
  Result<std::unique_ptr<Sequence>> NewSequence(SessionOptions options);

  // The most rows of a batch; and tokens of one reading of the layers.
  int64_t MaxRows() const { return layers_.MaxStep(); }

  // Chooses the next tokens of every row, as Session::DecodeWithDrafts() does for one: tokens that
  // are not cached yet run first, those of all rows together. A row's error is its own: nothing is
  // appended to its sequence, and the others go on. Of drafts, those are looked at for which
  // MaxRows() leaves room. Times in counters are the whole batch's, bytes and rows computed an equal
  // share.
  // Beside them reads on in other sequences' prompts, in the first reading of the layers, as far as
  // it has room. What a sequence gets does not depend on where its prompt was cut.
  void Step(std::span<BatchRow> rows, std::span<ReadRow> reads = {});

  // Runs the layers for all tokens of `sequence` that are not cached yet. `length`: of the sequence
  // that they are part of. With sinks: hands them the states before the head's norm [T, D] and the
  // logits [V] of these positions, in order. Errors: kCancelled, kCorrupt, kIo (the device failed).
  using LogitsSink = std::function<void(int64_t position, std::span<const float> logits)>;
  using StatesSink = std::function<void(int64_t first_position, std::span<const float> states)>;
  Result<void> Read(Sequence* sequence, int64_t length, const LogitsSink* logits_or_null,
                    const StatesSink* states_or_null = nullptr);

  // Hands the logits of `states` [T, D], of the sequence's positions from `first_position` on, to
  // the sink, in order. Errors: kCorrupt, kIo.
  Result<void> LogitsOf(std::span<const float> states, int64_t first_position, Sequence* sequence,
                        const LogitsSink& sink);
  // The logits [V] of the sequence's last hidden state, which there is; valid until the next call.
  Result<std::span<const float>> Logits(Sequence* sequence);
  // Errors: kUnsupported, when the head gives best tokens only: `otherwise` is what it can serve.
  Result<void> CheckHasLogits(const char* otherwise) const;

 private:
  // A row of the batch that has no result yet.
  struct ActiveRow {
    BatchRow* row = nullptr;  // null: it has failed
    int64_t first_state = 0;  // of its states, in states_
    int64_t num_tokens = 0;   // in this pass
  };

  Executor(std::shared_ptr<Pipeline> pipeline, ThreadPool* pool, const kernels::KernelSet& kernels);

  void BeginRows(std::span<BatchRow> rows);
  bool RunLayersOnce(std::span<ReadRow> reads);
  void AddReads(std::span<ReadRow> reads, int64_t room);
  void EndReads(std::span<ReadRow> reads, int64_t first_token);
  void FailLayers(const Error& error, std::span<ReadRow> reads);
  Result<void> Commit(const ActiveRow& active, int64_t first_token);
  void RunHead();
  size_t EndOfGroup(size_t begin);
  void RunHeadOn(std::span<ActiveRow> group);
  Result<void> ChooseFor(const ActiveRow& active, int64_t first_of_group);
  std::span<const HeadState> StatesOf(const ActiveRow& active) const;
  static void FailRow(ActiveRow* active, const Error& error);
  float* StateAt(int64_t state) {
    return states_.Pointer<float>() + state * pipeline_->model().hidden_size;
  }

  const std::shared_ptr<Pipeline> pipeline_;
  ThreadPool* const pool_;
  const kernels::KernelSet kernels_;
  LayerStack layers_;
  std::unique_ptr<Head> head_;
  AlignedBuffer states_;  // [MaxRows(), D]: those from which tokens are chosen, row after row
  std::vector<HeadState> head_states_;  // of states_
  std::vector<ActiveRow> active_;
  std::vector<LayerRow> layer_rows_;  // scratch
  std::vector<int64_t> read_tokens_;  // of each ReadRow, in this pass
  uint64_t head_start_ns_ = 0;
  Counters shared_;  // of a pass for several rows
};

}  // namespace headway
