#pragma once

// What Headway asks of the operating system beyond POSIX. One file a system implements it:
// platform_linux.cc, platform_mac.cc; nothing else knows which system this is.

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace headway::platform {

// The processor that runs this thread; -1 where the system does not tell.
int CurrentProcessor();

// Processors that this process may use, at least 1.
int NumProcessors();

// Asks for huge pages below [address, address + size_bytes). A wish: nothing depends on it.
void AdviseHugePages(void* address, size_t size_bytes);

// Gives the memory of whole pages in [address, address + size_bytes), of anonymous memory, back to
// the system. What they held becomes zeros.
void ReleaseMemory(void* address, size_t size_bytes);

// Renames a file or directory where nothing has the new name; false, with errno EEXIST, where
// something has. Where the file system cannot do both at once, looks first.
bool RenameToNew(const char* from, const char* to);
// Lets two names change places at once; false, with errno, where the file system cannot.
bool ExchangeNames(const char* a, const char* b);

// Whether that process lives.
bool IsAlive(int64_t process_id);

// Fills `bytes`, at most 256, with random bytes from the system. False when it has none.
bool FillRandom(std::span<std::byte> bytes);

// Memory that could be handed out without swapping, and all there is; 0 when the system does not
// say.
uint64_t AvailableMemoryBytes();
uint64_t TotalMemoryBytes();

// std::from_chars, as C++ has it, of real numbers.
std::from_chars_result ReadReal(const char* first, const char* last, float& value);
std::from_chars_result ReadReal(const char* first, const char* last, double& value);

// Sends what fits without waiting; a connection that the other side has closed is an error, EPIPE,
// and no signal. As send(): the bytes taken, or -1 with errno.
int64_t SendNow(int socket, const char* from, size_t size_bytes);

// The processor's name, for people: "AMD EPYC 9R14".
std::string ProcessorName();

// What 64-bit Arm processors may have beyond the first ones: 8-bit dot products (FEAT_DotProd), 8-bit
// matrix products (FEAT_I8MM). All false on others.
struct ArmFeatures {
  bool dot_products = false;
  bool matrix_products = false;
};
ArmFeatures ArmFeaturesOfProcessor();

}  // namespace headway::platform
