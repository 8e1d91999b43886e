#pragma once

// What the fast kernels ask about the processor that runs them, beyond what the compiler knows.

#include <string>

namespace headway::kernels {

// Adds the name of an instruction set that is not present to a list for people.
void NoteMissing(bool present, const char* name, std::string* missing);

// x86: conversions of 16-bit floats (F16C).
bool HasF16C();

// x86: whether the processor's own prefetching keeps up with products of Q4_K and Q5_K, one or two
// tokens at a time. Share of plain reads, one thread, Q4_K, by itself and with lines asked for 4
// KiB ahead: Zen 4 93 and 82 %, Zen 5 73 and 100 % (docs/perf-log.md). Others were not measured:
// false.
bool FetchesWeightsByItself();

}  // namespace headway::kernels
