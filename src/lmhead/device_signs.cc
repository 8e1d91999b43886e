#include "lmhead/device_signs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/plane_layout.h"
#include "lmhead/planes.h"

namespace headway::lmhead {
namespace {

// What the smallest 16-bit floats add, whatever the row: half a step of 2^-24 for a scale that
// times the largest sum of a block, and for a product; in the device's unit. The first sum is at
// most sqrt(n) |h_b|, and |h| at most sqrt(D), a little more after rounding.
double AbsoluteError(int64_t num_channels) {
  constexpr double kHalfStep = 0x1p-25;
  double largest_block = 0.0;
  const int64_t num_blocks = kernels::NumRotationBlocks(num_channels);
  for (int64_t b = 0; b < num_blocks; ++b) {
    largest_block = std::max(largest_block,
                             static_cast<double>(kernels::RotationBlockOf(num_channels, b).size));
  }
  const auto blocks = static_cast<double>(num_blocks);
  const double sums = std::sqrt(largest_block * blocks * static_cast<double>(num_channels));
  return kHalfStep * (1.02 * sums + blocks);
}

float RoundUp(double value) {
  const auto rounded = static_cast<float>(value);
  return static_cast<double>(rounded) < value
             ? std::nextafter(rounded, std::numeric_limits<float>::infinity())
             : rounded;
}

}  // namespace

int ScaleForDevice(std::span<const float> rotated, std::span<float> scaled) {
  double squares = 0.0;
  for (const float value : rotated) squares += static_cast<double>(value) * value;
  const double root = std::sqrt(static_cast<double>(rotated.size()));
  const int exponent = squares > 0.0 ? std::ilogb(root / std::sqrt(squares)) : 0;
  for (size_t c = 0; c < rotated.size(); ++c) {
    const auto value = static_cast<float>(std::ldexp(static_cast<double>(rotated[c]), exponent));
    scaled[c] = ToFloat(ToF16(value));
  }
  return exponent;
}

bool BoundStrips(const Planes& planes, const DeviceBounds& bounds, int64_t begin, int64_t end) {
  const PlaneConstants& constants = planes.Constants();
  const int64_t D = constants.shape.channels;
  const int64_t num_blocks = kernels::NumRotationBlocks(D);
  const double unit =
      std::ldexp(1.0, -constants.scale_exponent - kDeviceScaleExponent - bounds.exponent);
  const double absolute = AbsoluteError(D);
  const double multiplier = bounds.terms->screen_radius.multiplier;
  const double constant = bounds.terms->screen_radius.constant;
  for (int64_t strip = begin; strip < end; ++strip) {
    const int64_t first = strip * kernels::kSignStripRows;
    const int64_t last = std::min(first + kernels::kSignStripRows, planes.NumRows());
    kernels::ScreenSummary summary{.largest_upper = -std::numeric_limits<float>::infinity(),
                                   .best_estimate = -std::numeric_limits<float>::infinity(),
                                   .best_row = static_cast<int32_t>(first)};
    for (int64_t row = first; row < last; ++row) {
      const float found = bounds.device_estimate[row];
      if (!std::isfinite(found)) return false;
      double energy = 0.0;
      for (int64_t b = 0; b < num_blocks; ++b) {
        const double scale = static_cast<double>(ToFloat(SignTerm(planes, row, b)));
        energy += scale * scale *
                  static_cast<double>(bounds.terms->screen[static_cast<size_t>(b)].energy);
      }
      const auto term = [&](int64_t i) {
        return static_cast<double>(ToFloat(SignTerm(planes, row, i)));
      };
      double shared = 0.0;
      for (int64_t d = 0; d < constants.shape.directions; ++d) {
        shared += term(kernels::CoefficientTerm(constants.shape, d)) *
                  static_cast<double>(bounds.terms->shares[static_cast<size_t>(d)]);
      }
      const float estimate = RoundUp((static_cast<double>(found) + absolute) * unit + shared);
      const double certain =
          term(kernels::SlackTerm(constants.shape)) * static_cast<double>(bounds.terms->reach);
      const float upper = RoundUp(
          static_cast<double>(estimate) + certain +
          (multiplier * term(kernels::GammaTerm(constants.shape)) + constant) * std::sqrt(energy));
      bounds.estimate[row] = estimate;
      bounds.upper[row] = upper;
      summary.largest_upper = std::max(summary.largest_upper, upper);
      if (estimate > summary.best_estimate) {
        summary.best_estimate = estimate;
        summary.best_row = static_cast<int32_t>(row);
      }
    }
    bounds.summary[strip] = summary;
  }
  return true;
}

int64_t DeviceTermsBytes(int64_t num_rows, const kernels::PlaneShape& shape) {
  return num_rows * kernels::NumTerms(shape) * static_cast<int64_t>(sizeof(F16));
}

}  // namespace headway::lmhead
