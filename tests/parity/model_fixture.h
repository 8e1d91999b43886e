#pragma once

// Models for the parity tests: synthetic files, packages of them, and sessions on those.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/open.h"
#include "engine/session.h"
#include "pack/pack.h"

namespace headway::parity {

// A new directory that is removed with this object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// All names that synth's --type takes.
std::vector<std::string> AllTypes();

// A model file of a synth shape and the packages made of it, in a directory of its own.
class TestModel {
 public:
  TestModel(const std::string& shape, const std::string& type, const std::string& head_type = "");

  const std::string& File() const { return file_; }
  std::string Path(const std::string& name) const { return directory_.Path(name); }

  // Packs with that topology and those heads; returns the package's directory.
  // `most_directions`: of a certified head's planes.
  std::string Pack(const std::string& topology, const std::vector<std::string>& heads,
                   int64_t most_directions = kernels::kMaxDirections) const;

 private:
  TemporaryDirectory directory_;
  std::string file_;
};

struct Machine {
  int threads = 1;
  std::string instruction_set = {};
  std::string head = {};
};
// Opens a package; a failure is a test failure, and null.
std::unique_ptr<OpenedModel> OpenPackage(const std::string& directory, const Machine& machine = {});

// The names of the instruction sets this machine can run.
std::vector<std::string> InstructionSets();

std::unique_ptr<Session> NewSession(const OpenedModel& model, int64_t capacity_tokens);
std::unique_ptr<Session> NewSession(const OpenedModel& model, SessionOptions options);

// `count` ids of the vocabulary, scattered; the same for the same count.
std::vector<int32_t> TestIds(int64_t count, int64_t vocab_size);

// The logits [T, V] of a sequence that is appended in pieces of `piece` tokens (0: all at once).
std::vector<float> TeacherForced(const OpenedModel& model, std::span<const int32_t> ids,
                                 int64_t piece = 0, KvType kv = KvType::kF16);

// A way through a model: how it is packed, run, and read in pieces.
struct Way {
  const char* topology;
  const char* head;
  int threads;
  int64_t piece;
};
// On each of them the same logits.
void ExpectSameLogits(const TestModel& model, std::span<const Way> ways,
                      std::span<const int32_t> ids, std::span<const float> expected,
                      KvType kv = KvType::kF16);

// Appends and returns the logits of every new position; a failure is a test failure.
std::vector<float> AppendForLogits(Session* session, std::span<const int32_t> ids);

// The logits of the last position, copied.
std::vector<float> LastLogits(Session* session);

// Equal bits, NaN and signed zeros included; a difference is a test failure that says where.
bool SameBits(std::span<const float> a, std::span<const float> b);

}  // namespace headway::parity
