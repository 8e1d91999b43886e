#include "lmhead/row_encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lmhead/certificate.h"
#include "tensor/codec.h"

namespace headway::lmhead {
namespace {

void PutHalf(std::byte* halves, int64_t index, F16 value) {
  std::memcpy(halves + 2 * index, &value, sizeof value);
}

// In eight sums, so that the compiler may use vectors.
template <class A, class B>
double Dot(const A* a, const B* b, size_t n) {
  double sums[8] = {};
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (size_t lane = 0; lane < 8; ++lane)
      sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
  }
  for (; i < n; ++i) sums[i % 8] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace

RowNormReader::RowNormReader(const ConstTensorView& rows)
    : rows_(rows),
      magnitude_(rows.type, rows.shape.Columns()),
      values_(static_cast<size_t>(rows.shape.Columns())) {}

std::span<const float> RowNormReader::Read(int64_t row) {
  DequantiseRow(rows_.type, rows_.Row(row), rows_.shape.Columns(), values_.data());
  magnitude_.SetRow(rows_.Row(row), values_);
  return values_;
}

double RowNormReader::Magnitude() const { return magnitude_.Norm(0, rows_.shape.Columns()); }

void RowNormReader::Add(int64_t row, RowNorms* norms) {
  const std::span<const float> values = Read(row);
  const double norm = std::sqrt(Dot(values.data(), values.data(), values.size()));
  norms->finite = norms->finite && std::isfinite(norm);
  norms->largest_row = std::max(norms->largest_row, norm);
  norms->largest_magnitude = std::max(norms->largest_magnitude, Magnitude());
}

RowEncoder::RowEncoder(const ConstTensorView& rows, const std::vector<float>& directions,
                       const std::vector<RotationPanels>& panels)
    : rows_(rows),
      directions_(directions),
      panels_(panels),
      num_channels_(rows.shape.Columns()),
      num_blocks_(kernels::NumRotationBlocks(num_channels_)),
      shape_({.channels = num_channels_,
              .directions = static_cast<int64_t>(directions.size()) / num_channels_}),
      reader_(rows),
      rests_(static_cast<size_t>(kBatchRows * num_channels_)) {
  size_t widest = 0;
  for (const RotationPanels& panel : panels)
    widest = std::max(widest, static_cast<size_t>(panel.PaddedSize()));
  block_.resize(static_cast<size_t>(kBatchRows) * widest);
  rotated_.resize(block_.size());
  signs_.resize(widest);
  second_.resize(widest);
  third_.resize(widest);
}

// Reads row `row`, stores its coefficients and slack, and leaves its rest at `place`: the row less
// what the stored coefficients say, in double precision.
void RowEncoder::SplitRow(int64_t row, int64_t place, const Target& target) {
  const auto D = static_cast<size_t>(num_channels_);
  double* rest = &rests_[static_cast<size_t>(place) * D];
  const std::span<const float> values = reader_.Read(row);
  std::copy(values.begin(), values.end(), rest);
  RowParts parts{.magnitude = reader_.Magnitude()};
  for (int64_t d = 0; d < shape_.directions; ++d) {
    const float* direction = &directions_[static_cast<size_t>(d) * D];
    const double wanted = std::ldexp(Dot(rest, direction, D), target.exponent);
    const F16 stored = ToF16(static_cast<float>(wanted));
    const int64_t term = kernels::CoefficientTerm(shape_, d);
    PutTerm(row, term, stored, target);
    const double coefficient = std::ldexp(static_cast<double>(ToFloat(stored)), -target.exponent);
    parts.coefficients += coefficient * coefficient;
    for (size_t c = 0; c < D; ++c) rest[c] -= coefficient * static_cast<double>(direction[c]);
  }
  for (int64_t d = 0; d < shape_.directions; ++d) {
    const double left = Dot(rest, &directions_[static_cast<size_t>(d) * D], D);
    parts.misfit += left * left;
  }
  parts.coefficients = std::sqrt(parts.coefficients);
  parts.misfit = std::sqrt(parts.misfit);
  parts.rest = std::sqrt(Dot(rest, rest, D));
  const F16 slack =
      RoundUpToF16(std::ldexp(CertainError(shape_, target.slack, parts), target.exponent));
  PutTerm(row, kernels::SlackTerm(shape_), slack, target);
}

void RowEncoder::Encode(int64_t batch, const Target& target) {
  const int64_t first = batch * kBatchRows;
  const int64_t num_rows = std::min(kBatchRows, rows_.shape[0] - first);
  for (int64_t r = 0; r < num_rows; ++r) SplitRow(first + r, r, target);
  std::fill(errors_.begin(), errors_.end(), Errors{});
  for (int64_t b = 0; b < num_blocks_; ++b) EncodeBlocks(first, b, num_rows, target);
  const double certain = CertainFactor(num_channels_);
  for (int64_t r = 0; r < num_rows; ++r) {
    const Errors& errors = errors_[static_cast<size_t>(r)];
    const auto gamma = [&](const CodeError& error) {
      return RoundUpToF16(error.gamma + certain * error.excess);
    };
    PutSignTerm(first + r, kernels::GammaTerm(shape_), gamma(errors.one_bit), target);
    PutRecordTerm(first + r, kernels::GammaTerm(shape_), gamma(errors.two_bits), target);
    PutRecordTerm(first + r, kernels::ThreeBitsGammaTerm(shape_), gamma(errors.three_bits), target);
  }
}

void RowEncoder::EncodeBlocks(int64_t first, int64_t b, int64_t num_rows, const Target& target) {
  const kernels::RotationBlock block = kernels::RotationBlockOf(num_channels_, b);
  const RotationPanels& panels = panels_[static_cast<size_t>(b)];
  for (int64_t r = 0; r < num_rows; ++r) {
    const double* from = &rests_[static_cast<size_t>(r * num_channels_ + block.begin)];
    std::copy_n(from, block.size, &block_[static_cast<size_t>(r * block.size)]);
  }
  panels.Rotate(block_.data(), num_rows, rotated_.data());
  for (int64_t r = 0; r < num_rows; ++r) {
    const BlockCode code =
        EncodeBlock({.rotated = &rotated_[static_cast<size_t>(r * panels.PaddedSize())],
                     .n = block.size,
                     .exponent = target.exponent},
                    {.signs = signs_.data(), .second = second_.data(), .third = third_.data()});
    Errors& errors = errors_[static_cast<size_t>(r)];
    const auto raise = [](CodeError* largest, const CodeError& error) {
      largest->gamma = std::max(largest->gamma, error.gamma);
      largest->excess = std::max(largest->excess, error.excess);
    };
    raise(&errors.one_bit, code.one_bit);
    raise(&errors.two_bits, code.two_bits);
    raise(&errors.three_bits, code.three_bits);
    Store(first + r, b, code.scale, target);
  }
}

void RowEncoder::Store(int64_t row, int64_t b, F16 scale, const Target& target) {
  const int64_t size = kernels::RotationBlockOf(num_channels_, b).size;
  PutTerm(row, b, scale, target);
  for (int64_t c = 0; c < size; c += kernels::kSignGroup) {
    uint32_t index = 0;
    for (int64_t k = 0; k < kernels::kSignGroup && c + k < size; ++k) {
      index |= static_cast<uint32_t>(signs_[static_cast<size_t>(c + k)]) << k;
    }
    kernels::SetSignIndex(SignTile(target, row), num_channels_, b, c / kernels::kSignGroup,
                          row % kernels::kSignTileRows, index);
  }
  const int64_t first_unit = kernels::RefineUnitsBefore(num_channels_, b);
  std::byte* const third = target.third_bits + row * kernels::RefineBitsBytes(num_channels_);
  for (int64_t c = 0; c < size; ++c) {
    kernels::SetRefineBit(Record(target, row), first_unit, c, second_[static_cast<size_t>(c)]);
    kernels::SetRefineBit(third, first_unit, c, third_[static_cast<size_t>(c)]);
  }
}

// A term of both planes.
void RowEncoder::PutTerm(int64_t row, int64_t term, F16 value, const Target& target) const {
  PutSignTerm(row, term, value, target);
  PutRecordTerm(row, term, value, target);
}

void RowEncoder::PutSignTerm(int64_t row, int64_t term, F16 value, const Target& target) const {
  PutHalf(
      SignTile(target, row) + kernels::SignTermOffset(shape_, term, row % kernels::kSignTileRows),
      0, value);
}

void RowEncoder::PutRecordTerm(int64_t row, int64_t term, F16 value, const Target& target) const {
  PutHalf(Record(target, row) + kernels::RefineBitsBytes(num_channels_), term, value);
}

std::byte* RowEncoder::Record(const Target& target, int64_t row) const {
  return target.records + row * kernels::RefineRecordBytes(shape_);
}

std::byte* RowEncoder::SignTile(const Target& target, int64_t row) const {
  return target.signs + row / kernels::kSignTileRows * kernels::SignTileBytes(shape_);
}

}  // namespace headway::lmhead
