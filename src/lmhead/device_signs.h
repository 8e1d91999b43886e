#pragma once

// The signs of all rows multiplied by a device that works in 16-bit floats, in place of the host's
// tables: what the device is asked for, and the bounds that follow from its roundings. What is
// assumed of them and why the bounds hold: docs/certified_head.md, "Signs on a device".

#include <cstdint>
#include <span>

#include "base/thread_pool.h"
#include "kernels/plane_kernels.h"
#include "lmhead/certificate.h"
#include "lmhead/planes.h"

namespace headway::lmhead {

// A device multiplies with the stored scales times 2^kDeviceScaleExponent: so no sum of a block
// times its scale leaves the range of a 16-bit float unless rows are far from typical.
inline constexpr int kDeviceScaleExponent = -9;

class DeviceSigns {
 public:
  virtual ~DeviceSigns() = default;
  // For all V rows
  //   estimates[s * V + row] = sum over the blocks b of (stored scale of b) *
  //                            2^kDeviceScaleExponent * sum over j of sign[row][j] * rotated[s][j]
  // and not finite where the device's range does not suffice.
  //   rotated: [num_states, D], 16-bit floats
  virtual void Estimate(const float* rotated, int64_t num_states, float* estimates) noexcept = 0;
  // Of the device's weights that one call reads.
  virtual int64_t Bytes() const = 0;
};

// Writes `rotated` times a power of two, rounded to 16-bit floats, to `scaled`: its norm is between
// a half and one times sqrt(D). Returns the power's exponent.
int ScaleForDevice(std::span<const float> rotated, std::span<float> scaled);

// One state's estimates by a device, and where its bounds go.
struct DeviceBounds {
  const float* device_estimate = nullptr;     // [V]
  int exponent = 0;                           // ScaleForDevice()
  const StateTerms* terms = nullptr;          // for ScreenArithmetic::kDeviceF16
  float* estimate = nullptr;                  // [V]: as the host's own, but only upper bounds hold
  float* upper = nullptr;                     // [V]
  kernels::ScreenSummary* summary = nullptr;  // [strips of 64]
};

// Bounds the rows of strips [begin, end). False when an estimate is not finite: then the state
// belongs to the full head.
bool BoundStrips(const Planes& planes, const DeviceBounds& bounds, int64_t begin, int64_t end);

// Bytes that BoundStrips() reads for all rows: their terms.
int64_t DeviceTermsBytes(int64_t num_rows, const kernels::PlaneShape& shape);

}  // namespace headway::lmhead
