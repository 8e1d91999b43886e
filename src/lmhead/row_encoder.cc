#include "lmhead/row_encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lmhead/certificate.h"
#include "lmhead/row_code.h"
#include "tensor/codec.h"

namespace headway::lmhead {
namespace {

void PutHalf(std::byte* halves, int64_t index, F16 value) {
  std::memcpy(halves + 2 * index, &value, sizeof value);
}

}  // namespace

RowEncoder::RowEncoder(const ConstTensorView& rows, const std::vector<RotationPanels>& panels)
    : rows_(rows),
      panels_(panels),
      num_channels_(rows.shape.Columns()),
      num_blocks_(kernels::NumRotationBlocks(num_channels_)),
      magnitude_(rows.type, num_channels_),
      values_(static_cast<size_t>(kBatchRows * num_channels_)),
      magnitudes_(static_cast<size_t>(kBatchRows * num_blocks_)) {
  size_t widest = 0;
  for (const RotationPanels& panel : panels)
    widest = std::max(widest, static_cast<size_t>(panel.PaddedSize()));
  block_.resize(static_cast<size_t>(kBatchRows) * widest);
  rotated_.resize(block_.size());
  signs_.resize(widest);
  codes_.resize(widest);
}

void RowEncoder::AddNorms(int64_t row, RowNorms* norms) {
  ReadRow(row, 0);
  double squares = 0.0;
  for (int64_t c = 0; c < num_channels_; ++c) {
    const double value = values_[static_cast<size_t>(c)];
    squares += value * value;
  }
  norms->finite = norms->finite && std::isfinite(squares);
  norms->largest_row = std::max(norms->largest_row, std::sqrt(squares));
  for (int64_t b = 0; b < num_blocks_; ++b) {
    norms->largest_block = std::max(norms->largest_block, Magnitude(0, b));
  }
}

// Row `row` of the matrix into place r of the tile.
void RowEncoder::ReadRow(int64_t row, int64_t r) {
  float* out = &values_[static_cast<size_t>(r * num_channels_)];
  DequantiseRow(rows_.type, rows_.Row(row), num_channels_, out);
  magnitude_.SetRow(rows_.Row(row), {out, static_cast<size_t>(num_channels_)});
  for (int64_t b = 0; b < num_blocks_; ++b) {
    const kernels::RotationBlock block = kernels::RotationBlockOf(num_channels_, b);
    Magnitude(r, b) = magnitude_.Norm(block.begin, block.size);
  }
}

void RowEncoder::Encode(int64_t batch, const Target& target) {
  const int64_t first = batch * kBatchRows;
  const int64_t num_rows = std::min(kBatchRows, rows_.shape[0] - first);
  for (int64_t r = 0; r < num_rows; ++r) ReadRow(first + r, r);
  std::fill(gammas_.begin(), gammas_.end(), Gammas{});
  for (int64_t b = 0; b < num_blocks_; ++b) EncodeBlocks(first, b, num_rows, target);
  const double certain = CertainFactor(num_channels_);
  for (int64_t r = 0; r < num_rows; ++r) {
    const Gammas& g = gammas_[static_cast<size_t>(r)];
    PutTerms(first + r, num_blocks_, RoundUpToF16(g.sign + certain * g.sign_excess),
             RoundUpToF16(g.refine + certain * g.refine_excess), target);
  }
}

void RowEncoder::EncodeBlocks(int64_t first, int64_t b, int64_t num_rows, const Target& target) {
  const kernels::RotationBlock block = kernels::RotationBlockOf(num_channels_, b);
  const RotationPanels& panels = panels_[static_cast<size_t>(b)];
  for (int64_t r = 0; r < num_rows; ++r) {
    const float* from = &values_[static_cast<size_t>(r * num_channels_ + block.begin)];
    std::copy_n(from, block.size, &block_[static_cast<size_t>(r * block.size)]);
  }
  panels.Rotate(block_.data(), num_rows, rotated_.data());
  for (int64_t r = 0; r < num_rows; ++r) {
    const BlockCode code =
        EncodeBlock({.rotated = &rotated_[static_cast<size_t>(r * panels.PaddedSize())],
                     .n = block.size,
                     .exponent = target.exponent,
                     .magnitude = Magnitude(r, b),
                     .slack = target.slack},
                    signs_.data(), codes_.data());
    Gammas& g = gammas_[static_cast<size_t>(r)];
    g.sign = std::max(g.sign, code.sign_gamma);
    g.sign_excess = std::max(g.sign_excess, code.sign_excess);
    g.refine = std::max(g.refine, code.refine_gamma);
    g.refine_excess = std::max(g.refine_excess, code.refine_excess);
    Store(first + r, b, code.scale, target);
  }
}

void RowEncoder::Store(int64_t row, int64_t b, F16 scale, const Target& target) {
  const int64_t size = kernels::RotationBlockOf(num_channels_, b).size;
  PutTerms(row, b, scale, scale, target);
  for (int64_t c = 0; c < size; c += kernels::kSignGroup) {
    uint32_t index = 0;
    for (int64_t k = 0; k < kernels::kSignGroup && c + k < size; ++k) {
      index |= static_cast<uint32_t>(signs_[static_cast<size_t>(c + k)]) << k;
    }
    kernels::SetSignIndex(SignTile(target, row), num_channels_, b, c / kernels::kSignGroup,
                          row % kernels::kSignTileRows, index);
  }
  const int64_t first_unit = kernels::RefineUnitsBefore(num_channels_, b);
  for (int64_t c = 0; c < size; ++c) {
    kernels::SetRefineCode(Record(target, row), first_unit, c, codes_[static_cast<size_t>(c)]);
  }
}

// Scale of block b, or gamma (b = number of blocks), of both planes.
void RowEncoder::PutTerms(int64_t row, int64_t b, F16 sign, F16 refine,
                          const Target& target) const {
  PutHalf(SignTile(target, row) +
              kernels::SignScaleOffset(num_channels_, b, row % kernels::kSignTileRows),
          0, sign);
  PutHalf(Record(target, row) + kernels::RefineCodesBytes(num_channels_), b, refine);
}

std::byte* RowEncoder::Record(const Target& target, int64_t row) const {
  return target.records + row * kernels::RefineRecordBytes(num_channels_);
}

std::byte* RowEncoder::SignTile(const Target& target, int64_t row) const {
  return target.signs + row / kernels::kSignTileRows * kernels::SignTileBytes(num_channels_);
}

}  // namespace headway::lmhead
