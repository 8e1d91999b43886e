#include "device/coreml/screen_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/exhaustion.h"
#include "device/coreml/emitter.h"
#include "device/coreml/layer_parts.h"
#include "graph/text.h"
#include "kernels/plane_layout.h"
#include "lmhead/device_signs.h"
#include "lmhead/planes.h"

namespace headway::coreml {
namespace {

// Runs on the host: the norm and exact rows; on the device: the signs.
class ScreenedHead final : public LoadedHeadShard,
                           public RowStrips,
                           public SignScreen,
                           public RowTable {
 public:
  ScreenedHead(Programs programs, std::vector<Width> widths, std::unique_ptr<HostRows> rows,
               ThreadPool* pool)
      : LoadedHeadShard(
            {.interface = {.input_channels = rows->Channels(), .output_channels = rows->NumRows()},
             .scratch_bytes = rows->Channels() * static_cast<int64_t>(sizeof(float)),
             .max_tokens = kMaxStepTokens,
             .weight_bytes = rows->Bytes()}),
        RowTable(rows->NumRows(), rows->Channels()),
        programs_(std::move(programs)),
        widths_(std::move(widths)),
        rows_(std::move(rows)),
        pool_(pool) {}

  // Every row on the host, or the blocks asked for: what the certified head falls back to.
  Result<void> Run(const StepArgs& args) noexcept override {
    auto* const normed = reinterpret_cast<float*>(args.scratch);
    const auto num_blocks = args.needed_blocks.empty()
                                ? (rows_->NumRows() + kRowBlock - 1) / kRowBlock
                                : static_cast<int64_t>(args.needed_blocks.size());
    for (int64_t t = 0; t < args.num_tokens; ++t) {
      rows_->Normalise(args.input + t * rows_->Channels(), normed);
      float* const logits = args.output + t * args.output_stride;
      ChunkQueue queue;
      pool_->Run([&](int) {
        int64_t begin = 0;
        int64_t end = 0;
        while (queue.Take(num_blocks, 4, &begin, &end)) {
          for (; begin < end; ++begin) {
            const int64_t block =
                args.needed_blocks.empty() ? begin : args.needed_blocks[static_cast<size_t>(begin)];
            ComputeBlock(block, normed, logits);
          }
        }
      });
    }
    return {};
  }

  void ReadRow(int64_t row, float* out) const override { rows_->ReadRow(row, out); }
  headway::Residency Residency() const override { return ResidencyOf(programs_); }
  std::optional<std::string> FirstNotFinite() const override { return FirstNotFiniteOf(programs_); }
  RowStrips* Strips() override { return this; }
  SignScreen* Screen() override { return this; }
  const RowTable* Rows() const override { return this; }

  ProductInput RunToProduct(const StepArgs& args, float* multiplied) noexcept override {
    rows_->Normalise(args.input, multiplied);
    std::copy_n(multiplied, rows_->Channels(), reinterpret_cast<float*>(args.scratch));
    return {.activations = args.scratch};
  }
  void ComputeStrip(const ProductInput& input, int64_t strip, float* y) const noexcept override {
    ComputeBlock(strip, reinterpret_cast<const float*>(input.activations), y);
  }

  int64_t EstimateBytes() const override { return WeightBytesOf(widths_); }
  std::string_view EstimateAssumption() const override { return mil::kScreenAccumulation; }
  Result<void> EstimateRows(const float* rotated, int64_t num_states, float* estimates,
                            int64_t stride) noexcept override {
    return OrOutOfMemory("the head",
                         [&] { return Estimate(rotated, num_states, estimates, stride); });
  }

 private:
  Result<void> Estimate(const float* rotated, int64_t num_states, float* estimates,
                        int64_t stride) {
    const int64_t D = rows_->Channels();
    for (int64_t done = 0; done < num_states;) {
      const Width& width = PickWidth(widths_, num_states - done);
      const int64_t T = width.tokens;
      const int64_t count = std::min(T, num_states - done);
      Runner& runner = *width.program->runner;
      HW_TRY(const std::shared_ptr<HostArray> input,
             runner.NewArray({mil::DType::kF16, {1, D, T, 1}}));
      for (int64_t t = 0; t < count; ++t) {
        for (int64_t c = 0; c < D; ++c)
          input->Halves()[c * T + t] = ToF16(rotated[(done + t) * D + c]);
      }
      HW_TRY(const std::shared_ptr<HostArray> output,
             runner.NewArray({mil::DType::kF16, {1, rows_->NumRows(), T, 1}}));
      const Arrays inputs{{"rotated", input}};
      const Arrays wanted{{"estimate", output}};
      auto outputs = runner.Run({.inputs = &inputs, .outputs = &wanted});
      if (!outputs) return Prefixed(std::move(outputs).error(), width.program->path);
      for (int64_t t = 0; t < count; ++t) {
        CopyToken(*outputs->at("estimate"), 2, t,
                  {estimates + (done + t) * stride, static_cast<size_t>(rows_->NumRows())});
      }
      done += count;
    }
    return {};
  }

  void ComputeBlock(int64_t block, const float* normed, float* logits) const {
    const int64_t first = block * kRowBlock;
    for (int64_t row = first; row < std::min(first + kRowBlock, rows_->NumRows()); ++row)
      logits[row] = rows_->Logit(row, normed);
  }

  const Programs programs_;
  const std::vector<Width> widths_;
  const std::unique_ptr<HostRows> rows_;
  ThreadPool* const pool_;
};

}  // namespace

Result<mil::Shard> LowerScreen(const graph::Graph& shard, const lmhead::Planes& planes,
                               const StepWidth& width, bool with_weights, mil::BlobSink* blobs) {
  HW_TRY(const HeadParts head, FindHeadParts(shard));
  const int64_t D = planes.Shape().channels;
  const int64_t first = head.matrix->row_begin;
  const int64_t rows = head.matrix->shape.Rows();
  if (head.matrix->shape.Columns() != D || first + rows > planes.NumRows()) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("planes: expected {} rows of {} channels, found {} of {}", first + rows,
                            head.matrix->shape.Columns(), planes.NumRows(), D));
  }
  mil::ScreenShardSpec spec;
  spec.hidden_size = D;
  spec.vocab_begin = first;
  spec.vocab_end = first + rows;
  spec.tokens = width.tokens;
  spec.flexible = width.flexible;
  spec.levels = {-1.0F, 1.0F};
  for (int64_t b = 0; b < kernels::NumRotationBlocks(D); ++b)
    spec.blocks.push_back(kernels::RotationBlockOf(D, b).size);
  if (!with_weights) return mil::BuildScreenShard(spec, {}, blobs);
  const mil::ScreenSource source{
      .codes = [&](int64_t block, int64_t row, std::span<uint8_t> out) -> Result<void> {
        const auto channels = static_cast<size_t>(kernels::RotationBlockOf(D, block).size);
        for (size_t at = 0; at < out.size(); at += channels, ++row)
          lmhead::ReadSigns(planes, row, block, out.subspan(at, channels));
        return {};
      },
      .scales = [&](int64_t block, std::span<float> out) -> Result<void> {
        for (size_t i = 0; i < out.size(); ++i) {
          const F16 stored = lmhead::SignTerm(planes, first + static_cast<int64_t>(i), block);
          out[i] = std::ldexp(ToFloat(stored), lmhead::kDeviceScaleExponent);
        }
        return {};
      }};
  return mil::BuildScreenShard(spec, source, blobs);
}

Result<graph::Graph> GraphOf(const mil::Model& model) {
  const auto text = model.metadata.user_defined.find(kGraphKey);
  if (text == model.metadata.user_defined.end()) {
    return Fail(
        ErrorCode::kCorrupt,
        fmt::format("expected the shard's graph in the metadata ({}), found none", kGraphKey));
  }
  return graph::Parse(text->second);
}

Result<std::unique_ptr<LoadedHeadShard>> MakeScreenedHead(Programs programs,
                                                          std::unique_ptr<HostRows> rows,
                                                          ThreadPool* pool) {
  HW_TRY(std::vector<Width> widths, WidthsOf(programs, "rotated"));
  for (const auto& program : programs) {
    const auto& metadata = program->package->model.metadata.user_defined;
    const auto found = metadata.find(mil::kScreenAccumulationKey);
    if (found != metadata.end() && found->second == mil::kScreenAccumulation) continue;
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("{}: expected a program whose bounds assume '{}', found '{}'", program->path,
                    mil::kScreenAccumulation, found == metadata.end() ? "nothing" : found->second));
  }
  for (const Width& width : widths) {
    const int64_t T = width.tokens;
    HW_TRY_VOID(Plan(*width.program, {{"rotated", {1, rows->Channels(), T, 1}}},
                     {{"estimate", {1, rows->NumRows(), T, 1}}}));
  }
  return std::make_unique<ScreenedHead>(std::move(programs), std::move(widths), std::move(rows),
                                        pool);
}

}  // namespace headway::coreml
