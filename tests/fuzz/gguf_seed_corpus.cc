// Writes the seed files of the GGUF fuzzer: gguf_seed_corpus DIRECTORY

#include <cstdio>
#include <string>

#include "base/file_writer.h"
#include "gguf_exercise.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: gguf_seed_corpus DIRECTORY\n");
    return 2;
  }
  int index = 0;
  for (const auto& seed : headway::GgufSeeds()) {
    const std::string path = std::string(argv[1]) + "/seed" + std::to_string(index++) + ".gguf";
    auto file = headway::FileWriter::Create(path);
    if (!file || !file->Write(seed) || !file->Close()) {
      std::fprintf(stderr, "%s: cannot write\n", path.c_str());
      return 2;
    }
  }
  return 0;
}
