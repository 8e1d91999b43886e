#include "pack/record_states.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "base/file_writer.h"
#include "engine/full_head.h"
#include "engine/head_rows.h"
#include "engine/open.h"
#include "engine/run_shards.h"
#include "manifest/head_kind.h"
#include "pack/texts.h"

namespace headway::pack {
namespace {

namespace fs = std::filesystem;

// More than the text has in most vocabularies.
constexpr int64_t kMostTokens = 512;
// Hidden states whose logits are computed together.
constexpr int64_t kStatesAtOnce = 8;
// How much of a text's beginning is left out: its first states are unlike any other.
constexpr int64_t kSkipped = 2;

// The manifest as it is so far, for as long as the package is read.
class ProvisionalManifest {
 public:
  static Result<void> Write(const std::string& path, const Manifest& manifest) {
    return WriteTextFileAtomically(path, ToJson(manifest));
  }
  explicit ProvisionalManifest(std::string path) : path_(std::move(path)) {}
  ~ProvisionalManifest() {
    std::error_code error;
    fs::remove(path_, error);
  }
  ProvisionalManifest(const ProvisionalManifest&) = delete;
  ProvisionalManifest& operator=(const ProvisionalManifest&) = delete;

 private:
  std::string path_;
};

class Recorder {
 public:
  explicit Recorder(OpenedModel* model)
      : pipeline_(model->pipeline.get()),
        num_channels_(pipeline_->model().hidden_size),
        vocab_size_(pipeline_->model().vocab_size),
        head_(pipeline_, model->kernels->kernels, kStatesAtOnce),
        inputs_(pipeline_, kStatesAtOnce) {
    counters_.head_shard_ns.assign(pipeline_->Head().shards.size(), 0);
  }

  // Layer by layer, each let go of at once: the resident set of a pack stays small.
  lmhead::RecordedStates Record(std::span<const int32_t> ids) {
    const std::vector<float> hidden = RunLayers(pipeline_, ids, AfterRun::kLetGoOfWeights);
    const bool finite =
        std::all_of(hidden.begin(), hidden.end(), [](float value) { return std::isfinite(value); });
    const auto skipped = std::min(kSkipped, static_cast<int64_t>(ids.size()));
    if (!finite || !Take(hidden.data() + skipped * num_channels_,
                         static_cast<int64_t>(ids.size()) - skipped)) {
      return {};
    }
    return std::move(states_);
  }

 private:
  // Enters `count` states [count, D]; false when their logits are not finite.
  bool Take(const float* hidden, int64_t count) {
    const int64_t most = std::min(head_.MaxStates(), kStatesAtOnce);
    for (int64_t first = 0; first < count; first += most) {
      const float* const states = hidden + first * num_channels_;
      const int64_t num_states = std::min(most, count - first);
      inputs_.Compute(states, num_states);
      const float* multiplied = inputs_.Multiplied();
      states_.hidden.insert(states_.hidden.end(), multiplied,
                            multiplied + num_states * num_channels_);
      const auto logits = head_.Logits(states, num_states, first, &counters_);
      if (!logits) return false;
      for (int64_t t = 0; t < num_states; ++t) {
        const auto row =
            logits->subspan(static_cast<size_t>(t * vocab_size_), static_cast<size_t>(vocab_size_));
        states_.best_logits.push_back(*std::max_element(row.begin(), row.end()));
      }
    }
    return true;
  }

  Pipeline* const pipeline_;
  const int64_t num_channels_;
  const int64_t vocab_size_;
  FullHead head_;
  ProductInputs inputs_;
  Counters counters_;
  lmhead::RecordedStates states_;
};

}  // namespace

Result<lmhead::RecordedStates> RecordStates(const std::string& directory, const Manifest& manifest,
                                            int threads,
                                            const std::atomic<bool>* cancelled_or_null) {
  const auto head =
      std::find_if(manifest.heads.begin(), manifest.heads.end(), [](const HeadSpec& spec) {
        const auto kind = ParseHeadKind(spec.kind);
        return !spec.shards.empty() && !(kind && kind->IsTop1());
      });
  const int64_t most = std::min(kMostTokens, manifest.ContextTokens() - 1);
  if (head == manifest.heads.end() || most < 1) return lmhead::RecordedStates{};
  Manifest so_far = manifest;
  const auto num_shards = static_cast<int64_t>(head->shards.size());
  so_far.heads = {{.kind = KindText({.num_shards = num_shards}), .shards = head->shards}};
  const std::string path = (fs::path(directory) / kManifestFileName).string();
  HW_TRY_VOID(ProvisionalManifest::Write(path, so_far));
  const ProvisionalManifest provisional(path);
  if (cancelled_or_null != nullptr && cancelled_or_null->load())
    return Fail(ErrorCode::kCancelled, "interrupted before recording hidden states");
  EngineOptions engine;
  engine.threads = threads;
  engine.load = LoadWeights::kMap;
  HW_TRY(const auto model, OpenPackage(directory, engine));
  if (model->pipeline->Head().shards.front()->Strips() == nullptr) return lmhead::RecordedStates{};
  HW_TRY(std::vector<int32_t> ids, model->tokenizer->Encode(kRecordedText, {.add_bos = true}));
  if (static_cast<int64_t>(ids.size()) > most) ids.resize(static_cast<size_t>(most));
  return Recorder(model.get()).Record(ids);
}

}  // namespace headway::pack
