#pragma once

// Encoders of the blocks whose codes stand for the values of a table, used by tensor/quantise.cc.

#include "tensor/blocks.h"

namespace headway {

// x: [32] f32, [256] f32 for IQ4_XS
void EncodeBlock(const float* x, BlockIq4Nl& block);
void EncodeBlock(const float* x, BlockIq4Xs& block);
void EncodeBlock(const float* x, BlockMXFP4& block);

}  // namespace headway
