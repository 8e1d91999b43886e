#include "pack/record_states.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "base/file_writer.h"
#include "base/progress.h"
#include "engine/full_head.h"
#include "engine/head_rows.h"
#include "engine/open.h"
#include "engine/run_shards.h"
#include "manifest/head_kind.h"
#include "pack/recorded_texts.h"

namespace headway::pack {
namespace {

namespace fs = std::filesystem;

// Tokens that are read: what that many bytes of weights allow, within limits. A model of 0.1 GB reads
// all it may in two seconds, one of 4 GB takes as long for the fewest as for being written.
constexpr int64_t kFewestTokens = 512;
constexpr int64_t kMostTokens = 2048;
constexpr int64_t kWeightBytesTimesTokens = int64_t{200} << 30;
// Hidden states whose logits are computed together.
constexpr int64_t kStatesAtOnce = 8;
// How much of a text's beginning is left out: its first states are unlike any other.
constexpr size_t kSkipped = 2;
// One of so many states judges, at most.
constexpr int64_t kStatesOfAJudge = 4;
// A vocabulary that spells fewer tokens of all texts is given ids.
constexpr size_t kFewSpelled = 64;
// What of a user's text is looked at, and read in one sequence.
constexpr size_t kMostUsageBytes = size_t{1} << 16;
constexpr int64_t kUsageAtOnce = 256;

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

int64_t BudgetOf(const Pipeline& pipeline) {
  int64_t bytes = 1;
  for (const auto& shard : pipeline.Layers()) bytes += shard->WeightBytes();
  return std::clamp(kWeightBytesTimesTokens / bytes, kFewestTokens, kMostTokens);
}

class Recorder {
 public:
  Recorder(OpenedModel* model, const PackOptions& options)
      : options_(options),
        pipeline_(model->pipeline.get()),
        num_channels_(pipeline_->model().hidden_size),
        vocab_size_(pipeline_->model().vocab_size),
        head_(pipeline_, model->kernels->kernels, kStatesAtOnce),
        inputs_(&pipeline_->Head(), pipeline_->model().hidden_size, kStatesAtOnce) {
    counters_.head_shard_ns.assign(pipeline_->Head().shards.size(), 0);
  }

  Result<lmhead::RecordedStates> Record(const std::vector<std::vector<int32_t>>& texts) {
    HW_TRY(const std::vector<float> hidden, RunTexts(texts));
    const bool finite =
        std::all_of(hidden.begin(), hidden.end(), [](float value) { return std::isfinite(value); });
    if (!finite || !Take(hidden)) return lmhead::RecordedStates{};
    return std::move(states_);
  }

 private:
  // The states [T, D] of all texts, their first ones left out. Layer by layer, each let go of at
  // once: the resident set of a pack stays small.
  Result<std::vector<float>> RunTexts(const std::vector<std::vector<int32_t>>& texts) {
    const auto D = static_cast<size_t>(num_channels_);
    std::vector<std::vector<float>> inputs;
    for (const std::vector<int32_t>& ids : texts) {
      std::vector<float>& x = inputs.emplace_back(ids.size() * D);
      for (size_t t = 0; t < ids.size(); ++t) pipeline_->EmbedToken(ids[t], x.data() + t * D);
    }
    uint64_t done = 0;
    Progress progress("reading texts for the head", pipeline_->Layers().size() * texts.size(),
                      options_.show_progress, false, options_.progress);
    for (const auto& shard : pipeline_->Layers()) {
      for (std::vector<float>& x : inputs) {
        if (options_.cancelled_or_null != nullptr && options_.cancelled_or_null->load())
          return Fail(ErrorCode::kCancelled, "interrupted while recording hidden states");
        HW_TRY(x, RunLayerShard(shard.get(), pipeline_->model(), x,
                                static_cast<int64_t>(x.size() / D)));
        progress.Update(++done);
      }
      shard->LetGoOfWeights();
    }
    std::vector<float> hidden;
    for (const std::vector<float>& x : inputs) {
      const size_t skipped = std::min(kSkipped * D, x.size());
      hidden.insert(hidden.end(), x.begin() + static_cast<std::ptrdiff_t>(skipped), x.end());
    }
    return hidden;
  }

  // Enters states [T, D]; false when logits are not finite. Those that judge are spread evenly.
  bool Take(const std::vector<float>& hidden) {
    const int64_t most = std::min(head_.MaxStates(), kStatesAtOnce);
    const auto D = static_cast<size_t>(num_channels_);
    const auto count = static_cast<int64_t>(hidden.size() / D);
    const int64_t num_judged = std::min(lmhead::kJudgedStates, count / kStatesOfAJudge);
    std::vector<float> judged;  // before what the head does to them
    int64_t next = 0;
    for (int64_t first = 0; first < count; first += most) {
      const int64_t num_states = std::min(most, count - first);
      inputs_.Compute(hidden.data() + static_cast<size_t>(first) * D, num_states);
      for (int64_t t = first; t < first + num_states; ++t) {
        const bool judges = next < num_judged && t == (2 * next + 1) * count / (2 * num_judged);
        std::vector<float>& into = judges ? states_.judged : states_.hidden;
        const float* multiplied = inputs_.Multiplied() + static_cast<size_t>(t - first) * D;
        into.insert(into.end(), multiplied, multiplied + D);
        if (!judges) continue;
        ++next;
        const float* state = hidden.data() + static_cast<size_t>(t) * D;
        judged.insert(judged.end(), state, state + D);
      }
    }
    for (int64_t first = 0; first < next; first += most) {
      const int64_t num_states = std::min(most, next - first);
      if (!Judge(judged.data() + static_cast<size_t>(first) * D, first, num_states)) return false;
    }
    return true;
  }

  bool Judge(const float* hidden, int64_t first, int64_t num_states) {
    const auto logits = head_.Logits(hidden, num_states, first, &counters_);
    if (!logits) return false;
    for (int64_t t = 0; t < num_states; ++t) {
      const auto row =
          logits->subspan(static_cast<size_t>(t * vocab_size_), static_cast<size_t>(vocab_size_));
      states_.best_logits.push_back(*std::max_element(row.begin(), row.end()));
    }
    return true;
  }

  const PackOptions& options_;
  Pipeline* const pipeline_;
  const int64_t num_channels_;
  const int64_t vocab_size_;
  FullHead head_;
  ProductInputs inputs_;
  Counters counters_;
  lmhead::RecordedStates states_;
};

// The ids of those words of a text that the vocabulary can spell.
std::vector<int32_t> Spell(const tokenizer::Tokenizer& tokenizer, std::string_view text) {
  if (auto ids = tokenizer.Encode(text, {.add_bos = true})) return *std::move(ids);
  std::string kept;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find_first_of(" \n", begin + 1), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    if (tokenizer.Encode(word, {.add_bos = false})) kept += word;
    begin = end;
  }
  return tokenizer.Encode(kept, {.add_bos = true}).value_or(std::vector<int32_t>());
}

// Whether a text, mostly not ASCII, takes about a token a byte: more than two tokens for three.
bool SpelledByBytes(std::string_view text, size_t num_tokens) {
  const auto beyond = std::count_if(text.begin(), text.end(),
                                    [](char c) { return static_cast<unsigned char>(c) >= 0x80U; });
  return static_cast<size_t>(beyond) * 2 > text.size() && num_tokens * 3 > text.size() * 2;
}

}  // namespace

std::vector<std::vector<int32_t>> RecordedIds(const tokenizer::Tokenizer& tokenizer,
                                              std::string_view usage, int64_t budget,
                                              int64_t longest) {
  std::vector<std::vector<int32_t>> texts;
  size_t spelled = 0;
  for (const std::string_view text : RecordedTexts()) {
    std::vector<int32_t> ids = Spell(tokenizer, text);
    if (ids.size() <= kSkipped || SpelledByBytes(text, ids.size())) continue;
    spelled += ids.size() - kSkipped;
    texts.push_back(std::move(ids));
  }
  if (spelled < kFewSpelled) {
    const auto count = std::min(budget, static_cast<int64_t>(tokenizer.VocabSize()));
    std::vector<int32_t>& ids = texts.emplace_back();
    for (int64_t i = 0; i < count; ++i)
      ids.push_back(static_cast<int32_t>(i * tokenizer.VocabSize() / count));
  }
  const auto share = static_cast<size_t>(
      std::min(longest, std::max<int64_t>(1, budget / static_cast<int64_t>(texts.size()))));
  for (std::vector<int32_t>& ids : texts) ids.resize(std::min(ids.size(), share));
  if (usage.empty()) return texts;
  const std::vector<int32_t> ids = Spell(tokenizer, usage.substr(0, kMostUsageBytes));
  const size_t most = std::min(ids.size(), static_cast<size_t>(budget / 2));
  const auto part = static_cast<size_t>(std::min(longest, kUsageAtOnce));
  for (size_t begin = 0; begin < most; begin += part) {
    texts.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                       ids.begin() + static_cast<std::ptrdiff_t>(std::min(begin + part, most)));
  }
  return texts;
}

Result<lmhead::RecordedStates> RecordStates(const std::string& directory, const Manifest& manifest,
                                            const PackOptions& options) {
  const auto head =
      std::find_if(manifest.heads.begin(), manifest.heads.end(), [](const HeadSpec& spec) {
        const auto kind = ParseHeadKind(spec.kind);
        return !spec.shards.empty() && !(kind && kind->IsTop1());
      });
  const int64_t longest = manifest.ContextTokens() - 1;
  if (head == manifest.heads.end() || longest < 1) return lmhead::RecordedStates{};
  Manifest so_far = manifest;
  const auto num_shards = static_cast<int64_t>(head->shards.size());
  so_far.heads = {{.kind = KindText({.num_shards = num_shards}), .shards = head->shards}};
  const std::string path = (fs::path(directory) / kManifestFileName).string();
  HW_TRY_VOID(ProvisionalManifest::Write(path, so_far));
  const ProvisionalManifest provisional(path);
  if (options.cancelled_or_null != nullptr && options.cancelled_or_null->load())
    return Fail(ErrorCode::kCancelled, "interrupted before recording hidden states");
  EngineOptions engine;
  engine.threads = options.threads;
  engine.load = LoadWeights::kMap;
  HW_TRY(const auto model, OpenPackage(directory, engine, Contents::kTrust));
  if (model->pipeline->Head().shards.front()->Strips() == nullptr) return lmhead::RecordedStates{};
  const auto texts =
      RecordedIds(*model->tokenizer, options.usage_text, BudgetOf(*model->pipeline), longest);
  return Recorder(model.get(), options).Record(texts);
}

}  // namespace headway::pack
