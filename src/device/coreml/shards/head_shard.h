#pragma once

// One vocabulary shard of the LM head as an ML Program: final RMSNorm, one 1x1 convolution over the
// shard's rows, and what the head kind adds. Every shard repeats the norm; the host (or another
// shard of the pipeline) reduces.
//
// Input: hidden [1, D, T, 1]. Outputs, with V rows in the shard:
//
//   kind       compute ops  outputs
//   kFull      8            logits [1, V, T, 1]
//              7 + K        split among K convolutions: logits_0 to logits_<K - 1>
//   kTop1      11           top_value [1, 1, T], top_index [1, 1, T] int32; topk and cast are
//                           expected on the CPU
//   kBlockMax  10           logits, and block_max [1, N, 1, T]: the host scans N maxima and one
//                           block of V / N logits
//   kTop1F16   38           top_value, top_block, top_lane, each [1, 1, 1, T]: exact, lowest id on
//                           ties, fp16 ops only. id = top_block * (V / N) + top_lane, both at most
//                           2047 and so exact in fp16

#include <string>

#include "device/coreml/shards/layer_shard.h"
#include "manifest/head_kind.h"

namespace headway::mil {

struct HeadShardSpec {
  int64_t hidden_size = 0;
  int64_t vocab_begin = 0, vocab_end = 0;  // rows of the head
  HeadForm form = HeadForm::kFull;         // rows of certified and reduced heads are a full head's
  int64_t tokens = 1;
  bool flexible = false;
  int64_t splits = 1;  // kFull: convolutions that the rows are shared among, one output each
  // Rows of a block; 0: the largest divisor of V up to 128, or the smallest one above that leaves
  // at most 2047 blocks.
  int64_t block = 0;
  float rms_norm_epsilon = 1e-5F;
  float norm_prescale = 0.0F;   // as in LayerShardSpec
  float residual_scale = 1.0F;  // hidden holds the model's times this, as in LayerShardSpec
  float logit_scale = 1.0F;     // on what the rows are multiplied with
  // cap: a logit becomes cap * tanh(logit / cap), three ops more for each output of logits; 0: none.
  float soft_cap = 0.0F;
  WeightFormat weights;
};

// The block that `spec` asks for or gets. Errors (kInvalidInput): it does not divide the rows, or
// there are more than 2047 blocks or lanes.
Result<int64_t> BlockOf(const HeadShardSpec& spec);

// Rows of the shard, counted from 0, where output `index` of a split begins; `index` = splits:
// where the last one ends. Sizes differ by at most one.
int64_t SplitBegin(int64_t rows, int64_t splits, int64_t index);

// `gain`: the final norm, D values. `rows`: rows of the head by vocabulary id.
Result<Shard> BuildHeadShard(const HeadShardSpec& spec, std::span<const float> gain,
                             const RowSource& rows, BlobSink* blobs,
                             const ShardOptions& options = {});

}  // namespace headway::mil
