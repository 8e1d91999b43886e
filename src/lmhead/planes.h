#pragma once

// The planes of one LM head: opened from a file, or built in memory (docs/formats/planes.md). What
// a token reads first; the rows themselves stay in the head's shards. Immutable.

#include <cstdint>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/mapped_file.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "lmhead/certificate.h"
#include "tensor/half.h"

namespace headway::lmhead {

struct PlanesHeader {
  char magic[8];
  int64_t num_rows;
  int64_t num_channels;
  int64_t num_directions;
  int64_t scale_exponent;
  double rotation_defect;
  double largest_row_norm;
  char rows_digest[32];  // of the rows the planes belong to, hexadecimal
  uint8_t zero[32];
};
static_assert(sizeof(PlanesHeader) == 120);
inline kernels::PlaneShape ShapeOf(const PlanesHeader& header) {
  return {.channels = header.num_channels, .directions = header.num_directions};
}
// What the bounds' arithmetic in doubles and floats takes.
inline constexpr double kLargestRowNorm = 1e38;

inline constexpr char kPlanesMagic[9] = "HWPLANE3";

// Where the sections of the file begin; multiples of 64.
struct PlanesPlaces {
  int64_t directions = 0;
  int64_t rotations = 0;
  int64_t signs = 0;
  int64_t records = 0;
  int64_t third_bits = 0;
  int64_t end = 0;
};
PlanesPlaces PlanesPlacesOf(int64_t num_rows, const kernels::PlaneShape& shape);

// D of 8 to 64 blocks' worth of channels.
bool PlanesCanServe(int64_t num_channels);

class Planes {
 public:
  // Maps the file and checks everything but the codes. With `copy`, reads it into huge pages
  // (docs/perf-log.md says what that is worth). `rows_digest`: of the rows in hand, 32 digits.
  // Errors: kNotFound, kIo, kCorrupt (damaged, or planes of other rows).
  static Result<Planes> Open(const std::string& path, const std::string& rows_digest, bool copy,
                             ThreadPool* pool);
  // Takes a file's bytes. Errors: kCorrupt.
  static Result<Planes> FromBytes(AlignedBuffer bytes, const std::string& rows_digest);

  int64_t NumRows() const { return header_.num_rows; }
  const PlaneConstants& Constants() const { return constants_; }
  const kernels::PlaneShape& Shape() const { return constants_.shape; }
  const float* Direction(int64_t direction) const;  // [D]
  const F16* Rotation(int64_t block) const;         // rows RotationStride() apart
  const std::byte* Signs() const { return data_ + places_.signs; }
  const std::byte* Records() const { return data_ + places_.records; }
  const std::byte* ThirdBits() const { return data_ + places_.third_bits; }

  // Bytes that every token reads: directions, rotations and signs.
  int64_t ScreenBytes() const { return places_.records - places_.directions; }
  int64_t TotalBytes() const { return places_.end; }

 private:
  Result<void> Check(std::span<const std::byte> bytes, const std::string& rows_digest,
                     const std::string& where);

  MappedFile mapping_;
  AlignedBuffer copy_;
  const std::byte* data_ = nullptr;
  PlanesHeader header_{};
  PlanesPlaces places_;
  PlaneConstants constants_;
  std::vector<int64_t> rotation_offsets_;  // bytes, by block
};

// The planes row by row: what a device, a check or a test reads of them. The kernels read the same
// bytes as vectors.

// Writes the signs of block `block` of row `row`, one a channel: 1 for +1, 0 for -1.
void ReadSigns(const Planes& planes, int64_t row, int64_t block, std::span<uint8_t> signs);
// The second bits and the third ones, 0 or 1, one a channel.
void ReadSecondBits(const Planes& planes, int64_t row, int64_t block, std::span<uint8_t> bits);
void ReadThirdBits(const Planes& planes, int64_t row, int64_t block, std::span<uint8_t> bits);

// A term of a row (kernels/plane_layout.h): scale of a block, gamma, slack, coefficient; times
// 2^scale_exponent but for gammas. Signs and records store their own.
F16 SignTerm(const Planes& planes, int64_t row, int64_t term);
F16 RecordTerm(const Planes& planes, int64_t row, int64_t term);

}  // namespace headway::lmhead
