// Writes the seeds of the Core ML fuzz targets: coreml_seed_corpus DIRECTORY.

#include <cstdio>
#include <filesystem>
#include <string>

#include "base/file_writer.h"
#include "coreml_seeds.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: coreml_seed_corpus DIRECTORY\n");
    return 2;
  }
  const headway::CoremlSeeds seeds = headway::MakeCoremlSeeds();
  const auto write = [&](const char* kind, const std::vector<std::string>& files) {
    const std::string directory = std::string(argv[1]) + "/" + kind;
    std::filesystem::create_directories(directory);
    for (size_t i = 0; i < files.size(); ++i) {
      if (!headway::WriteTextFileAtomically(directory + "/seed_" + std::to_string(i), files[i]))
        return false;
    }
    return true;
  };
  return write("model", seeds.models) && write("weights", seeds.weights) &&
                 write("manifest", seeds.manifests)
             ? 0
             : 1;
}
