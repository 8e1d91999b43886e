#pragma once

// Random planes and hidden states for the tests and benchmarks of the certified head's kernels.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/cases.h"
#include "kernels/kernel_set.h"

namespace headway::kernels {

// [rows, channels]: one incomplete strip; several tiles; one block that needs padding; a rest that
// joins the last block (392 = 384 + 8), one of its own (640), more than sixteen blocks.
inline constexpr std::array<MatrixShape, 7> kPlaneShapes = {
    {{1, 32}, {64, 256}, {300, 100}, {2100, 392}, {1025, 640}, {1303, 3072}, {70, 6720}}};

inline constexpr float kCanary = -12345.0F;
inline constexpr float kTestFactor = 1.0625F;
inline constexpr float kTestReach = 0.375F;
inline float TestScreened(int64_t row) { return static_cast<float>(row % 97) - 40.0F; }

// TestActivations() of one token of any length.
std::vector<float> TestHidden(int64_t channels, uint32_t seed);

// sum |x| of every pair of groups times this stays within kSignRange.
float TableInverseStep(std::span<const float> x);

// Random signs, codes, scales in [0, 2), gammas, slacks, coefficients; rows 3, 67, ... have scale
// 0.
class TestPlanes {
 public:
  // Of no, five or sixteen directions, by the shape.
  TestPlanes(MatrixShape shape, uint32_t seed);

  MatrixShape Shape() const { return shape_; }
  PlaneShape OfPlanes() const { return of_planes_; }
  int64_t NumBlocks() const { return NumRotationBlocks(shape_.channels); }
  int64_t NumTiles() const { return NumSignTiles(shape_.rows); }
  const std::byte* Tiles() const { return tiles_.data(); }
  const std::byte* Records() const { return records_.data(); }
  const std::byte* ThirdBits() const { return third_bits_.data(); }

  bool Sign(int64_t row, int64_t channel) const;
  // Twice the second bit, plus the third.
  uint32_t Code(int64_t row, int64_t block, int64_t channel) const;
  double Scale(int64_t row, int64_t block) const;
  double Gamma(int64_t row) const { return Term(row, GammaTerm(of_planes_)); }
  double RecordGamma(int64_t row, int bits) const;  // of two bits, or of three
  double Slack(int64_t row) const { return Term(row, SlackTerm(of_planes_)); }
  double Coefficient(int64_t row, int64_t direction) const {
    return Term(row, CoefficientTerm(of_planes_, direction));
  }

 private:
  const std::byte* Tile(int64_t row) const {
    return tiles_.data() + row / kSignTileRows * SignTileBytes(of_planes_);
  }
  double Term(int64_t row, int64_t term) const;

  MatrixShape shape_;
  PlaneShape of_planes_;
  AlignedBuffer tiles_;
  AlignedBuffer records_;
  AlignedBuffer third_bits_;
};

// A hidden state with everything that the kernels are told about it.
class TestState {
 public:
  TestState(const TestPlanes& planes, uint32_t seed);

  std::span<const float> X() const { return x_; }
  std::span<const BlockTerms> Screen() const { return screen_; }
  std::span<const BlockTerms> Refine(int bits) const { return bits == 2 ? two_bits_ : three_bits_; }
  const float* Shares() const { return shares_.data(); }
  const int8_t* Q() const { return q_.data(); }
  ScreenToken Token() const;  // without outputs
  void SkipBelow(float value) { skip_below_ = value; }

 private:
  std::vector<float> x_;
  std::vector<BlockTerms> screen_;
  std::vector<BlockTerms> two_bits_;
  std::vector<BlockTerms> three_bits_;
  std::vector<float> shares_;
  AlignedBuffer tables_;
  AlignedBuffer q_memory_;
  std::span<int8_t> q_;
  float skip_below_;
};

struct ScreenOutput {
  std::vector<float> estimate;
  std::vector<float> upper;
  std::vector<ScreenSummary> summary;
};

// The kernel's output in memory filled with kCanary, one for each state.
std::vector<ScreenOutput> RunScreen(const KernelSet& set, const TestPlanes& planes,
                                    const std::vector<const TestState*>& states, int64_t tile_begin,
                                    int64_t tile_end);

void ExpectSame(const ScreenOutput& expected, const ScreenOutput& actual, std::string_view set);

struct RefineOutput {
  std::vector<float> estimate;
  std::vector<float> upper;
};

// Rows 0, stride, 2 * stride, ...; by two bits, or by three.
RefineOutput RunRefine(const KernelSet& set, const TestPlanes& planes, const TestState& state,
                       int64_t stride, int bits);

}  // namespace headway::kernels
