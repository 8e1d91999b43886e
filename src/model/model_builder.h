#pragma once

// graph::Builder in the words of model files: nodes and tensors are named within the current layer
// ("blk.3."), a matrix is given by its name and rows, and attributes that a model's layers share
// come from its configuration. The first error is kept, so that an architecture reads like a
// forward pass. Inside this folder only.

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "graph/builder.h"
#include "manifest/model_config.h"
#include "model/model.h"

namespace headway::model {

using graph::Activation;
using graph::ValueId;

// The type of a tensor that the model needs. Errors: it is not there, or not of that shape.
using TensorSource = std::function<Result<DataType>(const TensorSpec& spec)>;

class ModelBuilder {
 public:
  ModelBuilder(const ModelConfig& config, const TensorSource& tensors)
      : config_(config), tensors_(tensors) {}

  // Stage -1, a plain lookup (graph::CutEmbedding). What the model does to it comes in layer 0.
  ValueId Embedding();
  // What follows belongs to this layer, in names and stage.
  void BeginLayer(int64_t layer);
  // The last norm and the logits, by the embedding's table when it is tied.
  void Head(ValueId x);

  // RMSNorm of each row by the gain `name`.
  ValueId Norm(const std::string& name, ValueId x);
  // RMSNorm of each head by the one gain `name`.
  ValueId HeadNorm(const std::string& name, ValueId x);
  // x [T, C] times the matrix `tensor` [rows, C], and its bias where the configuration names one.
  ValueId Linear(const std::string& name, ValueId x, const std::string& tensor, int64_t rows);
  ValueId Slice(const std::string& name, ValueId x, int64_t begin, int64_t end);
  // By the table of the layer's base; x itself in a layer without rotary.
  ValueId Rotary(const std::string& name, ValueId x);
  // Over the layer's cache, with the configuration's scale and soft cap and the layer's window.
  ValueId Attention(const std::string& name, ValueId q, ValueId k, ValueId v);
  ValueId Gate(const std::string& name, Activation activation, ValueId gate, ValueId up);
  ValueId Add(const std::string& name, ValueId x, ValueId y);
  // x itself when the factor is 1.
  ValueId Scale(const std::string& name, ValueId x, float factor);

  // Errors: the first of the tensors'; those of graph::Verify.
  Result<graph::Graph> Finish();

 private:
  // A tensor of the current layer or, before and after the layers, of the model.
  graph::WeightId Weight(const std::string& name, const Shape& shape);
  // Positions that a token of this layer sees; 0: all.
  int64_t Window() const;
  ValueId NormBy(const std::string& name, ValueId x, int64_t channels);

  const ModelConfig& config_;
  const TensorSource& tensors_;
  graph::Builder builder_;
  std::string prefix_;
  int64_t layer_ = 0;
  std::optional<Error> error_;
};

}  // namespace headway::model
