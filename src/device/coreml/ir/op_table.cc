#include "device/coreml/ir/op_table.h"

#include <algorithm>
#include <array>

#include "device/coreml/ir/infer.h"

namespace headway::mil {
namespace {

using enum Presence;
using enum Binder;

constexpr DTypeSet kF16 = Only(DType::kF16);
constexpr DTypeSet kF32 = Only(DType::kF32);
constexpr DTypeSet kBool = Only(DType::kBool);
constexpr DTypeSet kStr = Only(DType::kString);
constexpr DTypeSet kI32 = Only(DType::kI32);
constexpr DTypeSet kF = kF16 | kF32;
constexpr DTypeSet kFI = kF | kI32;
constexpr DTypeSet kSmallInts =
    Only(DType::kI8) | Only(DType::kI16) | Only(DType::kU8) | Only(DType::kU16);
constexpr DTypeSet kInts = kI32 | kSmallInts;
constexpr DTypeSet kNum = kF | kInts;
constexpr DTypeSet kG = kNum | kBool;
constexpr DTypeSet kAll = ~DTypeSet{0};
constexpr DTypeSet kPacked =
    Only(DType::kI4) | Only(DType::kU4) | Only(DType::kI8) | Only(DType::kU8);
constexpr DTypeSet kCodes = Only(DType::kU1) | Only(DType::kU2) | Only(DType::kU3) |
                            Only(DType::kU4) | Only(DType::kU6) | Only(DType::kU8);

// Parameter lists. {name, element types, presence, binder}
constexpr ParamSpec kXF[] = {{"x", kF}};
constexpr ParamSpec kXFI[] = {{"x", kFI}};
constexpr ParamSpec kXAny[] = {{"x", kG}};
constexpr ParamSpec kXYNum[] = {{"x", kFI}, {"y", kFI}};
constexpr ParamSpec kXYBool[] = {{"x", kBool}, {"y", kBool}};
constexpr ParamSpec kXBool[] = {{"x", kBool}};
constexpr ParamSpec kXEpsilon[] = {{"x", kF}, {"epsilon", kF, kOptional, kConstant}};
constexpr ParamSpec kGelu[] = {{"x", kF}, {"mode", kStr, kOptional, kConstant}};
constexpr ParamSpec kClip[] = {
    {"x", kF}, {"alpha", kF, kRequired, kConstant}, {"beta", kF, kRequired, kConstant}};
constexpr ParamSpec kReduce[] = {
    {"x", kFI}, {"axes", kI32, kOptional, kConstant}, {"keep_dims", kBool, kOptional, kConstant}};
constexpr ParamSpec kReduceArg[] = {{"x", kFI},
                                    {"axis", kI32, kOptional, kConstant},
                                    {"keep_dims", kBool, kOptional, kConstant},
                                    {"output_dtype", kStr, kOptional, kConstant}};
constexpr ParamSpec kTopK[] = {{"x", kNum},
                               {"k", kI32, kOptional, kConstant},
                               {"axis", kI32, kOptional, kConstant},
                               {"ascending", kBool, kOptional, kConstant},
                               {"sort", kBool, kOptional, kConstant},
                               {"return_indices", kBool, kOptional, kConstant},
                               {"output_indices_dtype", kStr, kOptional, kConstant}};
constexpr ParamSpec kArgSort[] = {
    {"x", kFI}, {"axis", kI32, kOptional, kConstant}, {"ascending", kBool, kOptional, kConstant}};
constexpr ParamSpec kSoftmax[] = {{"x", kF}, {"axis", kI32, kOptional, kConstant}};
constexpr ParamSpec kGather[] = {{"x", kG},
                                 {"indices", kInts},
                                 {"axis", kI32, kOptional, kConstant},
                                 {"batch_dims", kI32, kOptional, kConstant},
                                 {"validate_indices", kBool, kOptional, kConstant}};
constexpr ParamSpec kGatherAlong[] = {{"x", kG},
                                      {"indices", kInts},
                                      {"axis", kI32, kOptional, kConstant},
                                      {"validate_indices", kBool, kOptional, kConstant}};
constexpr ParamSpec kSliceByIndex[] = {{"x", kG},
                                       {"begin", kI32},
                                       {"end", kI32},
                                       {"stride", kI32, kOptional, kConstant},
                                       {"begin_mask", kBool, kOptional, kConstant},
                                       {"end_mask", kBool, kOptional, kConstant},
                                       {"squeeze_mask", kBool, kOptional, kConstant}};
constexpr ParamSpec kSliceUpdate[] = {{"x", kG},
                                      {"update", kG},
                                      {"begin", kI32},
                                      {"end", kI32},
                                      {"stride", kI32, kOptional, kConstant},
                                      {"begin_mask", kBool, kOptional, kConstant},
                                      {"end_mask", kBool, kOptional, kConstant},
                                      {"squeeze_mask", kBool, kOptional, kConstant}};
constexpr ParamSpec kSliceBySize[] = {{"x", kG}, {"begin", kI32}, {"size", kI32}};
constexpr ParamSpec kConcat[] = {{"values", kG, kRequired, kVariadic},
                                 {"axis", kI32, kRequired, kConstant},
                                 {"interleave", kBool, kOptional, kConstant}};
constexpr ParamSpec kStack[] = {{"values", kG, kRequired, kVariadic},
                                {"axis", kI32, kRequired, kConstant}};
constexpr ParamSpec kSplit[] = {{"x", kG},
                                {"num_splits", kI32, kOptional, kConstant},
                                {"split_sizes", kI32, kOptional, kConstant},
                                {"axis", kI32, kRequired, kConstant}};
constexpr ParamSpec kReshape[] = {{"x", kG}, {"shape", kI32}};
constexpr ParamSpec kTranspose[] = {{"x", kG}, {"perm", kI32, kRequired, kConstant}};
constexpr ParamSpec kExpandDims[] = {{"x", kG}, {"axes", kI32, kRequired, kConstant}};
constexpr ParamSpec kSqueeze[] = {{"x", kG}, {"axes", kI32, kOptional, kConstant}};
constexpr ParamSpec kTile[] = {{"x", kG}, {"reps", kI32}};
constexpr ParamSpec kCast[] = {{"x", kG}, {"dtype", kStr, kRequired, kConstant}};
constexpr ParamSpec kSelect[] = {{"cond", kBool}, {"a", kFI | kBool}, {"b", kFI | kBool}};
constexpr ParamSpec kConv[] = {{"x", kF},
                               {"weight", kF},
                               {"bias", kF, kOptional},
                               {"strides", kI32, kOptional, kConstant},
                               {"pad_type", kStr, kOptional, kConstant},
                               {"pad", kI32, kOptional, kConstant},
                               {"dilations", kI32, kOptional, kConstant},
                               {"groups", kI32, kOptional, kConstant}};
constexpr ParamSpec kLinear[] = {
    {"x", kFI}, {"weight", kFI, kRequired, kConstant}, {"bias", kFI, kOptional, kConstant}};
constexpr ParamSpec kMatMul[] = {{"x", kFI},
                                 {"y", kFI},
                                 {"transpose_x", kBool, kOptional, kConstant},
                                 {"transpose_y", kBool, kOptional, kConstant}};
constexpr ParamSpec kMaxPool[] = {{"x", kF},
                                  {"kernel_sizes", kI32, kRequired, kConstant},
                                  {"strides", kI32, kOptional, kConstant},
                                  {"pad_type", kStr, kRequired, kConstant},
                                  {"pad", kI32, kOptional, kConstant},
                                  {"ceil_mode", kBool, kOptional, kConstant}};
constexpr ParamSpec kLayerNorm[] = {{"x", kF},
                                    {"axes", kI32, kOptional, kConstant},
                                    {"gamma", kF, kOptional, kConstant},
                                    {"beta", kF, kOptional, kConstant},
                                    {"epsilon", kF, kOptional, kConstant}};
constexpr ParamSpec kAttention[] = {
    {"query", kF}, {"key", kF}, {"value", kF}, {"attn_mask", kF | kBool, kOptional}};
constexpr ParamSpec kConst[] = {{"val", kAll, kRequired, kConstant}};
constexpr ParamSpec kBlockwise[] = {{"data", kPacked | kF, kRequired, kConstant},
                                    {"scale", kF, kRequired, kConstant},
                                    {"offset", kPacked | kF, kOptional, kConstant}};
constexpr ParamSpec kLut[] = {{"indices", kCodes, kRequired, kConstant},
                              {"lut", kF | kPacked, kRequired, kConstant},
                              {"vector_axis", kI32, kOptional, kConstant}};
constexpr ParamSpec kLutOld[] = {{"indices", Only(DType::kU8), kRequired, kConstant},
                                 {"lut", kF | kPacked, kRequired, kConstant},
                                 {"shape", Only(DType::kU32) | kI32, kRequired, kConstant}};
constexpr ParamSpec kAffine[] = {{"quantized_data", kPacked, kRequired, kConstant},
                                 {"zero_point", kPacked | kF32, kRequired, kConstant},
                                 {"scale", kF, kRequired, kConstant},
                                 {"axis", kI32, kRequired, kConstant}};
constexpr ParamSpec kSparse[] = {{"nonzero_data", kF | kPacked, kRequired, kConstant},
                                 {"mask", Only(DType::kU1), kRequired, kConstant}};
constexpr ParamSpec kConstexprCast[] = {{"source_val", kF16, kRequired, kConstant},
                                        {"output_dtype", kStr, kRequired, kConstant}};
constexpr ParamSpec kReadState[] = {{"input", kF, kRequired, kState}};
constexpr ParamSpec kWriteState[] = {{"input", kF, kRequired, kState}, {"data", kF}};

constexpr OpSpec kRows[] = {
    {"const", kConst, infer::Const, 6, ParamForm::kAttributes},
    // elementwise
    {"add", kXYNum, infer::BroadcastXY},
    {"sub", kXYNum, infer::BroadcastXY},
    {"mul", kXYNum, infer::BroadcastXY},
    {"real_div", kXYNum, infer::BroadcastXY},
    {"floor_div", kXYNum, infer::BroadcastXY},
    {"mod", kXYNum, infer::BroadcastXY},
    {"maximum", kXYNum, infer::BroadcastXY},
    {"minimum", kXYNum, infer::BroadcastXY},
    {"pow", kXYNum, infer::BroadcastXY},
    {"equal", kXYNum, infer::CompareXY},
    {"not_equal", kXYNum, infer::CompareXY},
    {"greater", kXYNum, infer::CompareXY},
    {"greater_equal", kXYNum, infer::CompareXY},
    {"less", kXYNum, infer::CompareXY},
    {"less_equal", kXYNum, infer::CompareXY},
    {"logical_and", kXYBool, infer::CompareXY},
    {"logical_or", kXYBool, infer::CompareXY},
    {"logical_xor", kXYBool, infer::CompareXY},
    {"logical_not", kXBool, infer::SameAsX},
    {"rsqrt", kXEpsilon, infer::SameAsX},
    {"log", kXEpsilon, infer::SameAsX},
    {"sqrt", kXF, infer::SameAsX},
    {"exp", kXF, infer::SameAsX},
    {"tanh", kXF, infer::SameAsX},
    {"erf", kXF, infer::SameAsX},
    {"floor", kXF, infer::SameAsX},
    {"round", kXF, infer::SameAsX},
    {"sigmoid", kXF, infer::SameAsX},
    {"silu", kXF, infer::SameAsX},
    {"relu", kXF, infer::SameAsX},
    {"gelu", kGelu, infer::SameAsX},
    {"abs", kXFI, infer::SameAsX},
    {"square", kXFI, infer::SameAsX},
    {"exp2", kXFI, infer::SameAsX},
    {"sign", kXFI, infer::SameAsX},
    {"clip", kClip, infer::SameAsX},
    {"identity", kXAny, infer::SameAsX},
    {"cast", kCast, infer::Cast},
    {"select", kSelect, infer::Select},
    // reductions and ordering
    {"reduce_mean", kReduce, infer::Reduce},
    {"reduce_sum", kReduce, infer::Reduce},
    {"reduce_max", kReduce, infer::Reduce},
    {"reduce_min", kReduce, infer::Reduce},
    {"reduce_prod", kReduce, infer::Reduce},
    {"reduce_sum_square", kReduce, infer::Reduce},
    {"reduce_l2_norm", kReduce, infer::Reduce},
    {"reduce_log_sum_exp", kReduce, infer::Reduce},
    {"reduce_argmax", kReduceArg, infer::ReduceArg},
    {"reduce_argmin", kReduceArg, infer::ReduceArg},
    {"topk", kTopK, infer::TopK},
    {"argsort", kArgSort, infer::ArgSort},
    {"softmax", kSoftmax, infer::Softmax},
    // shapes
    {"reshape", kReshape, infer::Reshape},
    {"transpose", kTranspose, infer::Transpose},
    {"expand_dims", kExpandDims, infer::ExpandDims},
    {"squeeze", kSqueeze, infer::Squeeze},
    {"tile", kTile, infer::Tile},
    {"concat", kConcat, infer::Concat},
    {"stack", kStack, infer::Stack},
    {"split", kSplit, infer::Split},
    // slices and gathers
    {"slice_by_index", kSliceByIndex, infer::SliceByIndex},
    {"slice_by_size", kSliceBySize, infer::SliceBySize},
    {"slice_update", kSliceUpdate, infer::SliceUpdate, 9},
    {"gather", kGather, infer::Gather},
    {"gather_along_axis", kGatherAlong, infer::GatherAlongAxis},
    // products
    {"conv", kConv, infer::Conv},
    {"linear", kLinear, infer::Linear},
    {"matmul", kMatMul, infer::MatMul},
    {"max_pool", kMaxPool, infer::MaxPool},
    {"layer_norm", kLayerNorm, infer::LayerNorm},
    {"scaled_dot_product_attention", kAttention, infer::Attention, 9},
    // constants in compressed form
    {"constexpr_blockwise_shift_scale", kBlockwise, infer::BlockwiseShiftScale, 9},
    {"constexpr_lut_to_dense", kLut, infer::LutToDense, 9},
    {"constexpr_lut_to_dense", kLutOld, infer::LutToDenseOld, 7, ParamForm::kAttributes},
    {"constexpr_affine_dequantize", kAffine, infer::AffineDequantize, 7, ParamForm::kAttributes},
    {"constexpr_sparse_to_dense", kSparse, infer::SparseToDense, 9},
    {"constexpr_cast", kConstexprCast, infer::ConstexprCast, 7, ParamForm::kAttributes},
    // states
    {"read_state", kReadState, infer::ReadState, 9},
    {"write_state", kWriteState, infer::WriteState, 9},
};

}  // namespace

std::span<const OpSpec> OpTable() { return kRows; }

const OpSpec* FindOpSpec(const Operation& op) {
  const OpSpec* by_name = nullptr;
  for (const OpSpec& spec : kRows) {
    if (spec.name != op.type) continue;
    const bool attributes = op.inputs.empty();
    if (attributes == (spec.form == ParamForm::kAttributes)) return &spec;
    by_name = &spec;
  }
  return by_name;
}

}  // namespace headway::mil
