#include "device/coreml/shards/row_encoders.h"

#include <algorithm>
#include <cmath>

#include "tensor/half.h"

namespace headway::mil {
namespace {

constexpr size_t kBins = 4096;
constexpr int kRounds = 24;

struct Bin {
  double count = 0;
  double sum = 0;
};

std::vector<Bin> MakeHistogram(std::span<const float> values, float low, float width) {
  std::vector<Bin> bins(kBins);
  for (const float value : values) {
    const float position = (value - low) / width * static_cast<float>(kBins);
    Bin& bin = bins[std::min(static_cast<size_t>(std::max(position, 0.0F)), kBins - 1)];
    bin.count += 1;
    bin.sum += static_cast<double>(value);
  }
  return bins;
}

// One round of Lloyd: every bin goes to the nearest entry, every entry to the mean of its bins.
void Refine(const std::vector<Bin>& bins, std::vector<double>* table) {
  std::vector<Bin> cells(table->size());
  size_t cell = 0;
  for (const Bin& bin : bins) {
    if (bin.count == 0) continue;
    const double value = bin.sum / bin.count;
    while (cell + 1 < table->size() && value > ((*table)[cell] + (*table)[cell + 1]) / 2) ++cell;
    cells[cell].count += bin.count;
    cells[cell].sum += bin.sum;
  }
  for (size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].count > 0) (*table)[i] = cells[i].sum / cells[i].count;
  }
  std::sort(table->begin(), table->end());
}

}  // namespace

float RowScale(std::span<const float> row, int levels) {
  float largest = 0.0F;
  for (const float value : row) largest = std::max(largest, std::abs(value));
  if (largest == 0.0F) return 1.0F;
  F16 half = ToF16(largest / static_cast<float>(levels));
  while (half.bits < 0x7bff && ToFloat(half) * static_cast<float>(levels) < largest) ++half.bits;
  return ToFloat(half);
}

void QuantiseRow(std::span<const float> row, float scale, int levels, std::span<uint8_t> codes) {
  const float inverse = 1.0F / scale;
  const auto bound = static_cast<float>(levels);
  for (size_t i = 0; i < row.size(); ++i) {
    const float scaled = std::min(std::max(row[i] * inverse, -bound), bound);
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, ties to even, without a
    // function call.
    const float rounded = (scaled + 12582912.0F) - 12582912.0F;
    codes[i] = static_cast<uint8_t>(static_cast<int8_t>(rounded));
  }
}

std::vector<float> FitTable(std::span<const float> values, int bits) {
  const size_t entries = size_t{1} << static_cast<unsigned>(bits);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const float width = values.empty() ? 0.0F : *high - *low;
  if (!(width > 0.0F))
    return std::vector<float>(entries, values.empty() ? 0.0F : ToFloat(ToF16(values.front())));
  const std::vector<Bin> bins = MakeHistogram(values, *low, width);
  std::vector<double> table(entries);  // start: equal counts of values
  double seen = 0;
  size_t next = 0;
  for (const Bin& bin : bins) {
    seen += bin.count;
    const double wanted = static_cast<double>(values.size()) / static_cast<double>(entries);
    while (next < entries && seen >= (static_cast<double>(next) + 0.5) * wanted && bin.count > 0) {
      table[next++] = bin.sum / bin.count;
    }
  }
  while (next < entries) table[next++] = static_cast<double>(*high);
  for (int round = 0; round < kRounds; ++round) Refine(bins, &table);
  std::vector<float> halves(entries);
  for (size_t i = 0; i < entries; ++i) halves[i] = ToFloat(ToF16(static_cast<float>(table[i])));
  return halves;
}

void LookUpCodes(std::span<const float> values, std::span<const float> table,
                 std::span<uint8_t> codes) {
  std::vector<float> borders(table.size() - 1);
  for (size_t i = 0; i < borders.size(); ++i) borders[i] = (table[i] + table[i + 1]) / 2;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto at = std::lower_bound(borders.begin(), borders.end(), values[i]);
    codes[i] = static_cast<uint8_t>(at - borders.begin());
  }
}

}  // namespace headway::mil
