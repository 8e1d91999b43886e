#include "base/bus_error.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/mapped_file.h"

namespace headway {
namespace {

// Reads a mapped file's third page after somebody cut the file; `\x1b` in its name stays off the
// terminal.
void ReadWhatIsGone(const std::string& path) {
  std::ofstream(path, std::ios::binary) << std::string(40000, 'x');
  auto opened = MappedFile::Open(path);
  if (!opened) _exit(7);
  const MappedFile file = *std::move(opened);  // moved: the handler knows it all the same
  ReportBusErrors();
  if (::truncate(path.c_str(), 0) != 0) _exit(8);
  const volatile std::byte byte = file.Bytes()[12288];
  _exit(byte == std::byte{'x'} ? 9 : 10);
}

TEST(BusErrorDeathTest, TruncatedFile_IsNamedWithTheOffset) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("headway-bus\x1b-" + std::to_string(::getpid())))
          .string();
  EXPECT_EXIT(ReadWhatIsGone(path), testing::ExitedWithCode(2),
              "headway: .*headway-bus.x1b-.*: cannot read from byte 12288 on");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace headway
