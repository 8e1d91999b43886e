#include "shard_fixture.h"

#include <cmath>
#include <utility>

#include "base/aligned_buffer.h"
#include "tensor/codec.h"

namespace headway::parity {

graph::WeightId StoredTensors::Add(graph::Builder* b, const std::string& name, DataType type,
                                   int64_t rows, int64_t columns) {
  std::normal_distribution<float> normal(0, 1.0F / std::sqrt(static_cast<float>(columns)));
  std::vector<float> values(static_cast<size_t>(rows * columns));
  for (float& value : values) value = normal(random_);
  return Set(b, name, type, Shape{rows, columns}, values);
}

graph::WeightId StoredTensors::Set(graph::Builder* b, const std::string& name, DataType type,
                                   const Shape& shape, const std::vector<float>& values) {
  const int64_t row_bytes = RowBytes(type, shape.Columns());
  Tensor& tensor = tensors_[name];
  tensor = {type, shape, std::vector<std::byte>(static_cast<size_t>(shape.Rows() * row_bytes))};
  for (int64_t row = 0; row < shape.Rows(); ++row) {
    QuantiseRow(type, values.data() + row * shape.Columns(), shape.Columns(),
                tensor.bytes.data() + row * row_bytes);
  }
  return b->AddWeight({.name = name, .type = type, .shape = shape});
}

Result<ConstTensorView> StoredTensors::View(const std::string& name) const {
  const Tensor& tensor = tensors_.at(name);
  return ConstTensorView{.type = tensor.type,
                         .shape = tensor.shape,
                         .row_stride_bytes = RowBytes(tensor.type, tensor.shape.Columns()),
                         .data = tensor.bytes.data(),
                         .name = name};
}

oracle::WeightReader ReaderOf(WeightSource source) {
  return [source = std::move(source)](const std::string& name, int64_t row_begin, int64_t num_rows,
                                      std::span<float> out) -> Result<void> {
    HW_TRY(const ConstTensorView view, source(name));
    const int64_t columns = view.shape.Columns();
    for (int64_t row = 0; row < num_rows; ++row) {
      DequantiseRow(view.type, view.Row(row_begin + row), columns, out.data() + row * columns);
    }
    return {};
  };
}

Outputs ShardOracleTest::RunBoth(const graph::Graph& shard, const WeightSource& source,
                                 const std::vector<int64_t>& widths, double deviation) {
  const std::string path = directory_.Path("test.shard");
  const auto emitter = MakeEmitterFor("cpu");
  const auto emitted = (*emitter)->Emit({}, shard, source, path, [](uint64_t) {});
  EXPECT_TRUE(emitted) << emitted.error().message;
  const auto loaded = opened_->loader->LoadLayers({&path, 1});
  EXPECT_TRUE(loaded) << loaded.error().message;
  auto oracle = oracle::Oracle::Create(shard, ReaderOf(source));
  EXPECT_TRUE(oracle) << oracle.error().message;
  const auto state = (*loaded)->NewState({.capacity_tokens = 64});
  const auto workspace = (*loaded)->NewWorkspace(64);
  AlignedBuffer scratch(static_cast<size_t>((*loaded)->ScratchBytes()));
  const int64_t D = shard.values[static_cast<size_t>(shard.inputs[0])].channels;
  const int64_t N = shard.values[static_cast<size_t>(shard.outputs[0])].channels;
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal(0, static_cast<float>(deviation));
  Outputs outputs;
  int64_t position = 0;
  for (const int64_t T : widths) {
    std::vector<float> x(static_cast<size_t>(T * D));
    for (float& value : x) value = normal(random);
    FillTables(position, T);
    std::vector<float> y(static_cast<size_t>(T * N));
    const StepRow row{.state = state.get(), .first_position = position, .num_tokens = T};
    EXPECT_TRUE((*loaded)
                    ->Run({.num_tokens = T,
                           .rows = {&row, 1},
                           .input = x.data(),
                           .output = y.data(),
                           .output_stride = N,
                           .rotary_cos = cos_.data(),
                           .rotary_sin = sin_.data(),
                           .rotary_table_stride = T * num_pairs_,
                           .scratch = scratch.data(),
                           .workspace = workspace.get()})
                    .has_value());
    outputs.device.insert(outputs.device.end(), y.begin(), y.end());
    // The same binary32 tables: rounding them is the runtime's business.
    const std::vector<double> cos(cos_.begin(), cos_.end());
    const std::vector<double> sin(sin_.begin(), sin_.end());
    const auto table = [&, size = static_cast<size_t>(T * num_pairs_)](size_t i) {
      return oracle::RotaryTable{.cos = std::span(cos).subspan(i * size, size),
                                 .sin = std::span(sin).subspan(i * size, size)};
    };
    const auto expected = oracle->Run({.x = std::vector<double>(x.begin(), x.end()),
                                       .first_position = position,
                                       .rotary = {table(0), table(1)}});
    EXPECT_TRUE(expected) << expected.error().message;
    outputs.oracle.insert(outputs.oracle.end(), expected->begin(), expected->end());
    inputs_.insert(inputs_.end(), x.begin(), x.end());
    position += T;
  }
  return outputs;
}

void ShardOracleTest::FillTables(int64_t first, int64_t num_tokens) {
  cos_.clear();
  sin_.clear();
  for (const double base : {100.0, 20.0}) {
    for (int64_t t = 0; t < num_tokens; ++t) {
      for (int64_t i = 0; i < num_pairs_; ++i) {
        const double angle =
            static_cast<double>(first + t) *
            std::pow(base, -static_cast<double>(i) / static_cast<double>(num_pairs_));
        cos_.push_back(static_cast<float>(std::cos(angle)));
        sin_.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }
}

}  // namespace headway::parity
