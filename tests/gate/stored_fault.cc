#include "stored_fault.h"

#include <limits>
#include <utility>
#include <vector>

#include "tensor/codec.h"
#include "wrapped_emitter.h"

namespace headway::gate_test {
namespace {

// The matrix with the fault. Shards of cpu and embeddings keep the file's type; programs take any,
// and binary32 can hold a NaN.
struct FaultyRows {
  FaultyRows(const ConstTensorView& good, const StoredFault& fault, bool keeps_type) : view(good) {
    const int64_t columns = good.shape.Columns();
    const int64_t num_rows = good.shape.Rows();
    std::vector<float> rows(static_cast<size_t>(num_rows * columns));
    for (int64_t r = 0; r < num_rows; ++r)
      DequantiseRow(good.type, good.Row(r), columns, rows.data() + r * columns);
    fault.edit(std::span(rows).subspan(static_cast<size_t>(fault.first * columns),
                                       static_cast<size_t>(kFaultRows * columns)),
               columns);
    if (!keeps_type) view.type = DataType::kF32;
    view.row_stride_bytes = RowBytes(view.type, columns);
    bytes.resize(static_cast<size_t>(num_rows * view.row_stride_bytes));
    for (int64_t r = 0; r < num_rows; ++r)
      QuantiseRow(view.type, rows.data() + r * columns, columns,
                  bytes.data() + r * view.row_stride_bytes);
    view.data = bytes.data();
  }
  ConstTensorView view;
  std::vector<std::byte> bytes;
};

class FaultyEmitter final : public parity::WrappedEmitter {
 public:
  FaultyEmitter(std::unique_ptr<Emitter> emitter, const StoredFault& fault)
      : WrappedEmitter(std::move(emitter)), fault_(fault) {}
  Result<FileEntry> Emit(const ShardUse& use, const graph::Graph& shard,
                         const WeightSource& weights, const std::string& path,
                         const ByteProgress& progress) override {
    if (!IsFor(path)) return WrappedEmitter::Emit(use, shard, weights, path, progress);
    HW_TRY(const ConstTensorView good, weights(fault_.weight));
    const FaultyRows bad(good, fault_, !path.ends_with(".mlpackage"));
    return WrappedEmitter::Emit(use, shard, Replacing(weights, bad.view), path, progress);
  }

 private:
  bool IsFor(const std::string& path) const {
    return fault_.edit && path.ends_with("/" + fault_.shard);
  }
  WeightSource Replacing(const WeightSource& weights, const ConstTensorView& bad) const {
    return [this, &weights, &bad](const std::string& name) -> Result<ConstTensorView> {
      if (name == fault_.weight) return bad;
      return weights(name);
    };
  }

  const StoredFault& fault_;
};

}  // namespace

void TransposeTile(std::span<float> rows, int64_t columns) {
  for (int64_t r = 0; r < kFaultRows; ++r)
    for (int64_t c = r + 1; c < kFaultRows; ++c)
      std::swap(rows[static_cast<size_t>(r * columns + c)],
                rows[static_cast<size_t>(c * columns + r)]);
}

void PutNan(std::span<float> rows, int64_t /*columns*/) {
  rows[5] = std::numeric_limits<float>::quiet_NaN();
}

void ScaleOneRow(std::span<float> rows, int64_t columns) {
  for (float& w :
       rows.subspan(static_cast<size_t>(kScaledRow * columns), static_cast<size_t>(columns)))
    w *= 1.01F;
}

std::unique_ptr<Emitter> WithFault(std::unique_ptr<Emitter> emitter, const StoredFault& fault) {
  return std::make_unique<FaultyEmitter>(std::move(emitter), fault);
}

}  // namespace headway::gate_test
