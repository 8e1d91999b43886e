#pragma once

// What a device is like, for whoever must treat devices differently: by these, never by name.

#include <cstdint>
#include <span>
#include <string_view>

#include "manifest/head_kind.h"

namespace headway {

struct DeviceTraits {
  std::string_view name;                 // "cpu": in manifests, after --device
  std::span<const HeadForm> head_forms;  // what heads it makes
  // Multiplies quantised weights with activations in 8 bits, as the oracle then does.
  bool quantises_activations = false;
  // Its layers can keep keys and values in Q8_0, where a head's channels are whole blocks.
  bool stores_q8_kv = false;
  // Computes in 16-bit floats throughout: what values reach decides how they are stored.
  bool computes_in_halves = false;
  // A shard has a program for every number of tokens a step; otherwise one serves them all.
  bool fixed_widths = false;
  // An embedding tied to the head needs a file of its own all the same.
  bool keeps_tied_embedding = false;
  // Positions of the caches when nobody asks for a number; 0: as the model.
  int64_t default_max_seq = 0;
  // Endings of the names of embeddings and of all other shards.
  std::string_view embedding_suffix = ".shard";
  std::string_view shard_suffix = ".shard";
};

}  // namespace headway
