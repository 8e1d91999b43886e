#include "lmhead/planes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/aligned_buffer.h"
#include "gates/golden.h"
#include "gates/thresholds.h"
#include "kernels/plane_layout.h"
#include "lmhead/check_planes.h"
#include "lmhead/device_signs.h"
#include "lmhead/screening.h"

namespace headway::gates {
namespace {

constexpr int64_t kMostStates = 8;

// The states [T, D] as the screen takes them: normed by the host, rotated, as 16-bit floats.
std::vector<float> RotatedStates(Pipeline* pipeline, const std::vector<float>& hidden, int64_t T) {
  const LoadedHead& head = pipeline->Head();
  const lmhead::Planes& planes = *head.planes;
  const int64_t D = pipeline->model().hidden_size;
  LoadedHeadShard* const shard = head.shards.front().get();
  const auto workspace = shard->NewWorkspace(0);
  AlignedBuffer scratch(static_cast<size_t>(shard->ScratchBytes()));
  std::vector<float> normed(static_cast<size_t>(D));
  std::vector<float> rest(normed.size());
  std::vector<float> shares(static_cast<size_t>(planes.Shape().directions));
  std::vector<float> rotated(normed.size());
  std::vector<float> all(static_cast<size_t>(T * D));
  for (int64_t t = 0; t < T; ++t) {
    StepArgs args;
    args.num_tokens = 1;
    args.input = hidden.data() + t * D;
    args.scratch = scratch.data();
    args.workspace = workspace.get();
    shard->Strips()->RunToProduct(args, normed.data());
    lmhead::SplitState(planes, normed, shares, rest);
    for (int64_t b = 0; b < kernels::NumRotationBlocks(D); ++b) {
      const kernels::RotationBlock block = kernels::RotationBlockOf(D, b);
      const int64_t stride = kernels::RoundUp(block.size, 32);
      for (int64_t j = 0; j < block.size; ++j) {
        const F16* const row = planes.Rotation(b) + j * stride;
        double sum = 0;
        for (int64_t c = 0; c < block.size; ++c)
          sum += static_cast<double>(ToFloat(row[c])) *
                 static_cast<double>(rest[static_cast<size_t>(block.begin + c)]);
        rotated[static_cast<size_t>(block.begin + j)] = static_cast<float>(sum);
      }
    }
    lmhead::ScaleForDevice(rotated,
                           std::span(all).subspan(static_cast<size_t>(t * D), rotated.size()));
  }
  return all;
}

// What DeviceSigns::Estimate() should give, rows [first, first + rows): [T, rows].
std::vector<float> Estimates(const lmhead::Planes& planes, const std::vector<float>& states,
                             int64_t T, int64_t first, int64_t rows) {
  const int64_t D = planes.Shape().channels;
  std::vector<float> estimates(static_cast<size_t>(T * rows));
  std::vector<uint8_t> signs;
  for (int64_t row = 0; row < rows; ++row) {
    std::vector<double> sums(static_cast<size_t>(T));
    for (int64_t b = 0; b < kernels::NumRotationBlocks(D); ++b) {
      const kernels::RotationBlock block = kernels::RotationBlockOf(D, b);
      signs.resize(static_cast<size_t>(block.size));
      lmhead::ReadSigns(planes, first + row, b, signs);
      const double scale =
          std::ldexp(static_cast<double>(ToFloat(lmhead::SignTerm(planes, first + row, b))),
                     lmhead::kDeviceScaleExponent);
      for (int64_t t = 0; t < T; ++t) {
        const float* const x = states.data() + t * D + block.begin;
        double sum = 0;
        for (size_t j = 0; j < signs.size(); ++j)
          sum += signs[j] != 0 ? static_cast<double>(x[j]) : -static_cast<double>(x[j]);
        sums[static_cast<size_t>(t)] += scale * sum;
      }
    }
    for (int64_t t = 0; t < T; ++t)
      estimates[static_cast<size_t>(t * rows + row)] =
          static_cast<float>(sums[static_cast<size_t>(t)]);
  }
  return estimates;
}

}  // namespace

Check CheckPlanesOf(const OpenedModel& model, Pipeline* pipeline) {
  const LoadedHead& head = pipeline->Head();
  const auto read_row = [&head](int64_t row, float* out) {
    const auto after = std::upper_bound(
        head.specs.begin(), head.specs.end(), row,
        [](int64_t value, const HeadShard& shard) { return value < shard.vocab_start; });
    const auto index = static_cast<size_t>(after - head.specs.begin()) - 1;
    head.shards[index]->Rows()->ReadRow(row - head.specs[index].vocab_start, out);
  };
  const lmhead::PlanesCheck found =
      lmhead::CheckPlanes(*head.planes, read_row, model.kernels->kernels, model.pool.get());
  Check check{.subject = fmt::format("head {}, planes of {} rows", head.kind, found.num_rows),
              .difference = {},
              .problem = ""};
  check.difference.worst_channel = std::max(0.0, found.worst_excess);
  if (found.bad_rows > 0) {
    check.problem = fmt::format(
        "expected planes of the rows multiplied, found {} of {} wrong, the "
        "first: {}",
        found.bad_rows, found.num_rows, found.problem);
  }
  return check;
}

Result<void> CheckEstimates(Pipeline* pipeline, const std::vector<float>& hidden,
                            std::vector<Check>* checks) {
  const LoadedHead& head = pipeline->Head();
  const int64_t D = pipeline->model().hidden_size;
  const int64_t T = std::min(kMostStates, static_cast<int64_t>(hidden.size()) / D);
  const std::vector<float> states = RotatedStates(pipeline, hidden, T);
  for (size_t i = 0; i < head.shards.size(); ++i) {
    const HeadShard& spec = head.specs[i];
    const int64_t rows = spec.vocab_end - spec.vocab_start;
    std::vector<float> found(static_cast<size_t>(T * rows));
    HW_TRY_VOID(head.shards[i]->Screen()->EstimateRows(states.data(), T, found.data(), rows));
    const Difference d = Measure(found, Estimates(*head.planes, states, T, spec.vocab_start, rows),
                                 {}, rows, kQuietProduct);
    Check check{
        .subject = fmt::format("{}, estimates", spec.file.path), .difference = d, .problem = ""};
    if (d.not_finite > 0 || !(d.worst_channel <= kEstimateChannel)) {
      check.problem = fmt::format(
          "row {}: expected estimates within {:.2g} of the planes' own, found {:.2g}, {} not "
          "finite",
          spec.vocab_start + d.channel, kEstimateChannel, d.worst_channel, d.not_finite);
    }
    checks->push_back(std::move(check));
  }
  return {};
}

}  // namespace headway::gates
