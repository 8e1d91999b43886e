#include "device/coreml/stored_shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <map>
#include <vector>

#include "device/coreml/emitter.h"
#include "device/coreml/host_rows.h"
#include "device/coreml/ir/verify.h"
#include "device/coreml/layer_parts.h"
#include "device/coreml/package/package.h"
#include "device/coreml/run/constants.h"
#include "device/coreml/screen_program.h"
#include "device/coreml/shards/head_shard.h"
#include "graph/text.h"

namespace headway::coreml {
namespace {

// Where a row of the model file is stored.
struct StoredRow {
  std::shared_ptr<const mil::WeightRows> rows;
  int64_t row = 0;
};

// The constants in blobs of a function, by the names of the values they make: what its products and
// norms read. Functions of one program for several widths have the same.
std::map<std::string, std::vector<mil::Constant>> WeightsOf(const mil::Function& function) {
  std::map<std::string, std::vector<mil::Constant>> weights;
  for (const mil::Operation& op : function.Body()->operations) {
    if (!mil::IsConstantOp(op.type)) continue;
    std::vector<mil::Constant> constants;
    for (const auto& [name, constant] : op.attributes) {
      if (constant.Blob() != nullptr) constants.push_back(constant);
    }
    for (const auto& [param, argument] : op.inputs) {
      for (const mil::Binding& binding : argument) {
        const auto* constant = std::get_if<mil::Constant>(&binding);
        if (constant != nullptr && constant->Blob() != nullptr) constants.push_back(*constant);
      }
    }
    if (!constants.empty()) weights[op.outputs.front().name] = std::move(constants);
  }
  return weights;
}

// The decoded constants of one package, by the names and rows of the model file.
class StoredWeights {
 public:
  static Result<std::shared_ptr<StoredWeights>> Open(mil::Package package) {
    auto stored = std::shared_ptr<StoredWeights>(new StoredWeights(std::move(package)));
    const auto& functions = stored->package_.model.program.functions;
    if (functions.empty()) return Fail(ErrorCode::kCorrupt, "expected a function, found none");
    const auto& [name, first] = *functions.begin();
    for (const auto& [other_name, other] : functions) {
      if (WeightsOf(other) == WeightsOf(first)) continue;
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("function {}: expected the weights of function {}, found others",
                              other_name, name));
    }
    HW_TRY(stored->scope_, mil::VerifyFunction(first, &stored->package_.weights));
    stored->constants_ =
        std::make_unique<mil::ConstantStore>(first, stored->scope_, &stored->package_.weights, 0);
    return stored;
  }

  const mil::Model& Model() const { return package_.model; }
  bool Has(const std::string& constant) const { return scope_.TypeOf(constant) != nullptr; }

  // Says that numbers [first, first + part.num_rows) of the constant, a vector of `size`, hold that
  // part.
  Result<void> AddVector(const std::string& constant, int64_t first, int64_t size,
                         const WeightPart& part) {
    const mil::FunctionScope::Entry* entry = scope_.Find(constant);
    if (entry == nullptr || !entry->is_constant ||
        mil::NumElements(entry->type.tensor.dims) != size) {
      return Fail(
          ErrorCode::kCorrupt,
          fmt::format("expected a constant '{}' of {} numbers, found none", constant, size));
    }
    if (part.weight == nullptr) return {};
    HW_TRY(const mil::Tensor dense, constants_->Dense(mil::Binding(constant)));
    if (!dense.IsFloat())
      return Fail(ErrorCode::kCorrupt, fmt::format("constant '{}': expected floats", constant));
    std::vector<float>& values = vectors_[part.weight->name];
    values.resize(static_cast<size_t>(part.weight->shape.Columns()),
                  std::numeric_limits<float>::quiet_NaN());
    for (int64_t i = 0; i < part.num_rows; ++i)
      values[static_cast<size_t>(part.SourceRow(i))] =
          dense.Floats()[static_cast<size_t>(first + i)];
    return {};
  }

  // Says that rows [first, first + part.num_rows) of the constant hold that part.
  Result<void> AddRows(const std::string& constant, int64_t first, const WeightPart& part) {
    const mil::FunctionScope::Entry* entry = scope_.Find(constant);
    const mil::Dims dims = entry == nullptr ? mil::Dims() : entry->type.tensor.dims;
    const bool fits = entry != nullptr && entry->is_constant && !dims.empty() &&
                      dims[0] >= first + part.num_rows &&
                      mil::NumElements(dims).value_or(0) == dims[0] * part.weight->shape.Columns();
    if (!fits) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("expected a constant '{}' with {} rows of {}, found none", constant,
                              first + part.num_rows, part.weight->shape.Columns()));
    }
    HW_TRY(const auto rows, constants_->Rows(mil::Binding(constant)));
    auto& stored = rows_[part.weight->name];
    for (int64_t row = 0; row < part.num_rows; ++row)
      stored[part.weight->row_begin + part.SourceRow(row)] = {rows, first + row};
    return {};
  }

  Result<void> Read(const std::string& name, int64_t row_begin, int64_t num_rows,
                    std::span<float> out) const {
    if (const auto vector = vectors_.find(name); vector != vectors_.end()) {
      if (row_begin != 0 || num_rows != 1 || out.size() != vector->second.size())
        return Fail(ErrorCode::kCorrupt, fmt::format("weight '{}': expected a vector", name));
      std::copy(vector->second.begin(), vector->second.end(), out.begin());
      return {};
    }
    const auto weight = rows_.find(name);
    for (int64_t i = 0; i < num_rows; ++i) {
      const StoredRow* found = nullptr;
      if (weight != rows_.end()) {
        const auto row = weight->second.find(row_begin + i);
        if (row != weight->second.end()) found = &row->second;
      }
      if (found == nullptr) {
        return Fail(ErrorCode::kCorrupt,
                    fmt::format("weight '{}': expected row {}, found none", name, row_begin + i));
      }
      const auto width = static_cast<size_t>(found->rows->Columns());
      const std::span<float> to = out.subspan(static_cast<size_t>(i) * width, width);
      const float* const row = found->rows->Row(found->row, to.data());
      if (row != to.data()) std::copy_n(row, width, to.data());
    }
    // Large packages are read several times over: their pages would all stay in memory.
    if (read_.fetch_add(out.size()) % kReleaseAfter + out.size() >= kReleaseAfter)
      package_.weights.ReleasePages();
    return {};
  }

 private:
  explicit StoredWeights(mil::Package package) : package_(std::move(package)) {}

  static constexpr uint64_t kReleaseAfter = uint64_t{64} << 20;  // weights

  mil::Package package_;
  mutable std::atomic<uint64_t> read_{0};
  mil::FunctionScope scope_;
  std::unique_ptr<mil::ConstantStore> constants_;
  std::map<std::string, std::map<int64_t, StoredRow>> rows_;  // by name, by row of the file
  std::map<std::string, std::vector<float>> vectors_;         // by name
};

Result<void> AddLayer(const graph::Graph& graph, int64_t layer, StoredWeights* stored) {
  HW_TRY(const LayerParts parts, FindLayerParts(graph, layer));
  for (size_t i = 0; i < kNumLayerWeights; ++i) {
    const auto weight = static_cast<mil::LayerWeight>(i);
    const std::vector<WeightPart>& all = parts.Of(weight);
    int64_t size = 0;
    for (const WeightPart& part : all) size += part.num_rows;
    int64_t first = 0;
    for (const WeightPart& part : all) {
      HW_TRY_VOID(part.is_vector ? stored->AddVector(StoredName(weight, layer), first, size, part)
                                 : stored->AddRows(StoredName(weight, layer), first, part));
      first += part.num_rows;
    }
  }
  return {};
}

Result<void> AddHead(const graph::Graph& graph, StoredWeights* stored) {
  HW_TRY(const HeadParts head, FindHeadParts(graph));
  const int64_t channels = head.gain->shape.Columns();
  HW_TRY_VOID(stored->AddVector("g_final_norm", 0, channels,
                                {.weight = head.gain, .num_rows = channels, .is_vector = true}));
  const int64_t rows = head.matrix->shape.Rows();
  if (stored->Has("w_head"))
    return stored->AddRows("w_head", 0, {.weight = head.matrix, .num_rows = rows});
  int64_t splits = 0;
  while (stored->Has(fmt::format("w_head_{}", splits))) ++splits;
  for (int64_t i = 0; i < splits; ++i) {
    const int64_t begin = mil::SplitBegin(rows, splits, i);
    HW_TRY_VOID(stored->AddRows(fmt::format("w_head_{}", i), 0,
                                {.weight = head.matrix,
                                 .first_row = begin,
                                 .num_rows = mil::SplitBegin(rows, splits, i + 1) - begin}));
  }
  return {};
}

Result<StoredShard> Open(const std::string& mlpackage) {
  HW_TRY(mil::Package package, mil::ReadPackage(mlpackage));
  HW_TRY(const auto stored, StoredWeights::Open(std::move(package)));
  HW_TRY(graph::Graph graph, GraphOf(stored->Model()));
  const bool is_head = std::none_of(graph.nodes.begin(), graph.nodes.end(), [](const auto& node) {
    return node.op == graph::Op::kAttention;
  });
  if (is_head) {
    HW_TRY_VOID(AddHead(graph, stored.get()));
  } else {
    for (int64_t l = graph.nodes.front().stage; l <= graph.nodes.back().stage; ++l)
      HW_TRY_VOID(AddLayer(graph, l, stored.get()));
  }
  return StoredShard{.graph = std::move(graph),
                     .weights = [stored](const std::string& name, int64_t row_begin,
                                         int64_t num_rows, std::span<float> out) {
                       return stored->Read(name, row_begin, num_rows, out);
                     }};
}

}  // namespace

Result<StoredShard> OpenStoredScreen(const std::string& mlpackage, const std::string& rows_path,
                                     const std::string& embedding_path) {
  HW_TRY(const mil::Package package, mil::ReadPackage(mlpackage));
  auto graph = GraphOf(package.model);
  if (!graph) return Prefixed(std::move(graph).error(), mlpackage);
  HW_TRY(const HeadParts parts, FindHeadParts(*graph));
  HW_TRY(auto opened, HostRows::Open(*graph, rows_path, embedding_path));
  const std::shared_ptr<const HostRows> rows = std::move(opened);
  const std::string gain = parts.gain->name;
  return StoredShard{
      .graph = *std::move(graph),
      .weights = [rows, gain](const std::string& name, int64_t row_begin, int64_t num_rows,
                              std::span<float> out) -> Result<void> {
        if (name == gain) {
          rows->ReadGain(out.data());
          return {};
        }
        for (int64_t row = 0; row < num_rows; ++row)
          rows->ReadRow(row_begin - rows->FirstRow() + row, out.data() + row * rows->Channels());
        return {};
      }};
}

Result<StoredShard> OpenStoredShard(const std::string& mlpackage) {
  auto stored = Open(mlpackage);
  if (!stored) return Prefixed(std::move(stored).error(), mlpackage);
  return stored;
}

Result<StoredShard> OpenStored(const std::string& mlpackage, const std::string& rows_path,
                               const std::string& embedding_path) {
  return rows_path.empty() ? OpenStoredShard(mlpackage)
                           : OpenStoredScreen(mlpackage, rows_path, embedding_path);
}

}  // namespace headway::coreml
